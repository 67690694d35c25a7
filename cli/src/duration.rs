//! Durations as the operator writes them, `500ms`, `4s`, `2m`, and as the operator reads them.

use std::time::Duration;

/// Nobody drills for longer.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Reads one duration; the error is the end of a sentence that begins with option and value.
pub fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    let milliseconds = number.parse::<u64>().ok().zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
    milliseconds.map(Duration::from_millis).filter(|duration| *duration <= LONGEST).ok_or_else(|| {
        "not a duration; allowed is a whole number with its unit, such as 500ms, 4s or 2m, at most 60m".to_owned()
    })
}

/// As the operator would write it: `500ms`, `4s`, `2m`.
pub fn spelled(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "0s".to_owned(),
        ms if ms % 60_000 == 0 => format!("{}m", ms / 60_000),
        ms if ms % 1_000 == 0 => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    }
}

/// `840 ms`, `3.21 s`: three digits are what a reader compares.
pub fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 9.995 {
        format!("{seconds:.2} s")
    } else {
        format!("{seconds:.1} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_seconds_and_minutes_are_read() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("4s"), Ok(Duration::from_secs(4)));
        assert_eq!(parse("2m"), Ok(Duration::from_secs(120)));
    }

    #[test]
    fn a_bare_number_a_sign_a_fraction_and_a_century_are_refused() {
        for text in ["", "3", "s", "-1s", "1.5s", "1h", "61m", "99999999999999999999s", "18446744073709551615m"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_read_is_spelled_the_same() {
        for text in ["0s", "500ms", "1500ms", "4s", "90s", "2m"] {
            assert_eq!(spelled(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn three_digits_are_shown() {
        let shown = |ms| shown(Duration::from_millis(ms));
        assert_eq!([shown(0), shown(840), shown(3210), shown(40_120)], ["0 ms", "840 ms", "3.21 s", "40.1 s"]);
    }
}
