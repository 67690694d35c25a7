//! Durations as the operator writes them: `500ms`, `4s`, `2m`. Knows no key and no default.

use std::time::Duration;

/// The longest duration accepted: one day. Keeps every later sum of an instant and a duration in range.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What [`parse`] accepts, as the end of the sentence "… is not".
pub const ALLOWED: &str = "a whole number with its unit, such as 500ms, 4s or 2m, at most 1440m";

/// Reads one duration. A bare `0` needs no unit; any other number does.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let milliseconds = match unit.trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "" if number == 0 => 1,
        _ => return None,
    };
    let duration = Duration::from_millis(number.checked_mul(milliseconds)?);
    (duration <= LONGEST).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_seconds_and_minutes_are_read() {
        assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse(" 4s "), Some(Duration::from_secs(4)));
        assert_eq!(parse("2m"), Some(Duration::from_secs(120)));
        assert_eq!(parse("10 s"), Some(Duration::from_secs(10)));
    }

    #[test]
    fn only_zero_goes_without_a_unit() {
        assert_eq!(parse("0"), Some(Duration::ZERO));
        assert_eq!(parse("30"), None);
    }

    #[test]
    fn what_could_overflow_a_clock_is_refused() {
        assert_eq!(parse("1440m"), Some(LONGEST));
        assert_eq!(parse("1441m"), None);
        assert_eq!(parse("18446744073709551615m"), None);
        assert_eq!(parse("99999999999999999999s"), None);
    }

    #[test]
    fn signs_fractions_and_other_units_are_refused() {
        for text in ["", "s", "-1s", "+1s", "1.5s", "1h", "1S", "1 000ms", "4s4s", "٤s"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
