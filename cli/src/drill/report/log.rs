//! What a program wrote to standard error, for a reader: a line that repeats itself is told once, with its count.

pub fn condensed(text: &str) -> Vec<String> {
    let mut lines = text.lines().peekable();
    let mut condensed = vec![];
    while let Some(line) = lines.next() {
        let mut times = 1;
        while lines.next_if_eq(&line).is_some() {
            times += 1;
        }
        condensed.push(if times == 1 { line.to_owned() } else { format!("{line}  ({times} times)") });
    }
    condensed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_repeats_itself_is_told_once_with_its_count() {
        assert_eq!(condensed("a\na\na\nb\na\n"), ["a  (3 times)", "b", "a"]);
        assert!(condensed("").is_empty());
    }
}
