//! The journal: the SET statements that make a fresh session look like this one, in their order.
//!
//! Pure. Bounded: past its bound the session is pinned, because a journal with holes rebuilds something else.

/// Statements that are kept at most.
const STATEMENTS: usize = 200;
/// Bytes of text that are kept at most.
const BYTES: usize = 64 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    statements: Vec<Vec<u8>>,
    bytes: usize,
    overflowed: bool,
}

impl Journal {
    /// Appends a statement. Returns false, for ever after, once the bound is passed.
    pub fn push(&mut self, text: &[u8]) -> bool {
        if self.overflowed {
            return false;
        }
        // The same statement again replaces its first run if nothing later can have looked at what it set.
        if let Some(at) = self.statements.iter().position(|known| known == text)
            && self.statements[at..].iter().all(|statement| assigns_literals_only(statement))
        {
            let same = self.statements.remove(at);
            self.statements.push(same);
            return true;
        }
        self.bytes += text.len();
        if self.statements.len() == STATEMENTS || self.bytes > BYTES {
            self.overflowed = true;
            self.statements = Vec::new();
            return false;
        }
        self.statements.push(text.to_vec());
        true
    }

    /// A statement whose effect is gone.
    pub fn remove(&mut self, text: &[u8]) {
        if let Some(at) = self.statements.iter().position(|known| known == text) {
            self.bytes -= self.statements.remove(at).len();
        }
    }

    pub fn statements(&self) -> impl Iterator<Item = &[u8]> {
        self.statements.iter().map(Vec::as_slice)
    }

    pub fn overflowed(&self) -> bool {
        self.overflowed
    }
}

/// Reads no variable and calls no function, so that its place among others like it does not matter to them.
fn assigns_literals_only(text: &[u8]) -> bool {
    // A PREPARE is read as the SETs before it want it.
    let sets = text.trim_ascii_start().get(..3).is_some_and(|verb| verb.eq_ignore_ascii_case(b"SET"));
    // One `@@` or `@x` on the left of `=` would be fine too; telling left from right is not worth a parser.
    sets && !text.iter().any(|byte| matches!(byte, b'@' | b'(' | b'`'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal_of(texts: &[&str]) -> Journal {
        let mut journal = Journal::default();
        for text in texts {
            assert!(journal.push(text.as_bytes()));
        }
        journal
    }

    fn texts(journal: &Journal) -> Vec<String> {
        journal.statements().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    #[test]
    fn statements_come_back_in_their_order() {
        let journal = journal_of(&["SET NAMES utf8mb4", "SET @a = 1", "SET time_zone = '+00:00'"]);
        assert_eq!(texts(&journal), ["SET NAMES utf8mb4", "SET @a = 1", "SET time_zone = '+00:00'"]);
    }

    #[test]
    fn toggling_for_ever_does_not_grow_the_journal_and_the_last_word_wins() {
        let mut journal = Journal::default();
        for _ in 0..10_000 {
            assert!(journal.push(b"SET autocommit=0") && journal.push(b"SET autocommit=1"));
        }
        assert_eq!(texts(&journal), ["SET autocommit=0", "SET autocommit=1"]);
    }

    #[test]
    fn a_repeated_statement_keeps_its_first_place_if_something_between_may_have_read_it() {
        let journal = journal_of(&["SET @a = 1", "SET @b = @a", "SET @a = 2", "SET @a = 1"]);
        assert_eq!(texts(&journal), ["SET @a = 1", "SET @b = @a", "SET @a = 2", "SET @a = 1"]);
    }

    #[test]
    fn a_set_is_not_moved_to_the_other_side_of_a_prepare() {
        let mode = "SET sql_mode = 'ANSI_QUOTES'";
        let all = [mode, "PREPARE s FROM 'SELECT \"a\"'", "SET sql_mode = ''", mode];
        assert_eq!(texts(&journal_of(&all)), all);
    }

    #[test]
    fn past_its_bound_it_says_so_and_never_offers_half_of_the_truth() {
        let mut journal = Journal::default();
        let kept = (0..1000).filter(|n| journal.push(format!("SET @v{n} = {n}").as_bytes())).count();
        assert_eq!(kept, STATEMENTS);
        assert!(journal.overflowed() && journal.statements().next().is_none());
        assert!(!journal.push(b"SET NAMES utf8mb4"));
    }
}
