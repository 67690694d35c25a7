//! One log line in a buffer of fixed size: no allocation, no second line. Knows no sink.
//!
//! Texts come from servers and resolvers too; whatever is not printable is escaped, so that none of them can forge
//! a line or drive a terminal.

use std::fmt::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest line in bytes, newline included.
pub const LONGEST: usize = 1024;
const ELLIPSIS: &str = "…";

/// A line being built. Writing never fails: what does not fit is cut, and `…` says so.
pub struct Line {
    bytes: [u8; LONGEST],
    length: usize,
    cut: bool,
}

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self { bytes: [0; LONGEST], length: 0, cut: false }
    }

    /// Appends `when` in UTC as RFC 3339 with milliseconds.
    pub fn push_time(&mut self, when: SystemTime) {
        let since = when.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let seconds = since.as_secs();
        let (year, month, day) = civil_date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        let milliseconds = since.subsec_millis();
        let _ = write!(self, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z");
    }

    /// The finished line with its newline.
    pub fn finish(&mut self) -> &[u8] {
        if self.cut {
            self.put(ELLIPSIS);
        }
        self.put("\n");
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Room for text: the ellipsis and the newline always fit behind it.
    const ROOM: usize = LONGEST - ELLIPSIS.len() - 1;

    fn put(&mut self, text: &str) {
        if let Some(space) = self.bytes.get_mut(self.length..self.length + text.len()) {
            space.copy_from_slice(text.as_bytes());
            self.length += text.len();
        }
    }

    fn push(&mut self, text: &str) {
        if self.cut || self.length + text.len() > Self::ROOM {
            self.cut = true;
        } else {
            self.put(text);
        }
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut utf8 = [0; 4];
        for character in text.chars() {
            if is_plain(character) {
                self.push(character.encode_utf8(&mut utf8));
            } else {
                for part in character.escape_default() {
                    self.push(part.encode_utf8(&mut utf8));
                }
            }
        }
        Ok(())
    }
}

/// Printable, and neither a line break nor a change of the writing direction.
fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Year, month, day of a day counted from 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`, for days that are not negative).
fn civil_date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(text: &str) -> String {
        let mut line = Line::new();
        line.write_str(text).unwrap();
        String::from_utf8(line.finish().to_vec()).unwrap()
    }

    #[test]
    fn text_from_a_server_cannot_forge_a_line() {
        let forged = finished("lost: bye\npointsman[1] ERROR: \x1b[31mforged\r\u{2028}\u{202e}");
        assert_eq!(forged.matches('\n').count(), 1);
        assert_eq!(forged, "lost: bye\\npointsman[1] ERROR: \\u{1b}[31mforged\\r\\u{2028}\\u{202e}\n");
    }

    #[test]
    fn ordinary_text_of_any_language_stays_as_it_is() {
        assert_eq!(finished("köszönöm 接続 – ok"), "köszönöm 接続 – ok\n");
    }

    #[test]
    fn a_long_line_is_cut_between_characters_at_one_kibibyte() {
        for text in ["x".repeat(5_000), "é".repeat(5_000), "\n".repeat(5_000)] {
            let line = finished(&text);
            assert!(line.len() <= LONGEST && line.len() > LONGEST - 12, "{}", line.len());
            assert!(line.ends_with("…\n"));
        }
        assert!(!finished(&"x".repeat(Line::ROOM)).contains('…'));
    }

    #[test]
    fn the_time_is_utc_as_in_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.007Z\n"),
            (951_782_399, "2000-02-28T23:59:59.007Z\n"),
            (951_868_800, "2000-03-01T00:00:00.007Z\n"),
            (1_709_208_000, "2024-02-29T12:00:00.007Z\n"),
            (4_102_444_799, "2099-12-31T23:59:59.007Z\n"),
        ] {
            let mut line = Line::new();
            line.push_time(UNIX_EPOCH + Duration::new(seconds, 7_000_000));
            assert_eq!(line.finish(), text.as_bytes());
        }
    }
}
