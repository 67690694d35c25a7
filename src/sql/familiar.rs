//! A text like the one before: most applications send the same few, with other numbers in them.

use super::{
    Dialect, Statement, Traits, classify_in_doubt,
    plain::{self, Plain},
};

/// The last text of a connection that was plain, and what it does.
#[derive(Clone, Debug, Default)]
pub struct Familiar {
    text: Vec<u8>,
    traits: Traits,
}

impl Familiar {
    /// Bytes. Longer texts are not kept.
    const KEPT: usize = 512;

    /// What `sql` does, if it is like the last one. It leaves nothing in the session: no plain text does.
    #[inline]
    pub fn recognizes(&self, sql: &[u8]) -> Option<Traits> {
        (!self.text.is_empty() && differ_in_numbers_only(&self.text, sql)).then_some(self.traits)
    }

    /// What `sql` does, as `classify` says it, and the next ones like it.
    pub fn learn(&mut self, sql: &[u8], dialect: impl FnOnce() -> Dialect) -> Statement {
        match plain::classify(sql) {
            Some(Plain { traits, beyond_ascii: false }) => {
                if sql.len() <= Self::KEPT {
                    self.text.clear();
                    self.text.extend_from_slice(sql);
                    self.traits = traits;
                }
                traits.into()
            }
            plain => classify_in_doubt(plain, sql, dialect),
        }
    }
}

/// Are both the same text, but for the digits of numbers? Of a plain text, they do not say what it does. Digits of a name do:
/// `md5(` is a function.
fn differ_in_numbers_only(one: &[u8], other: &[u8]) -> bool {
    let digit = |text: &[u8], at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let eights = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
    let same = 8 * eights.take_while(|(eight, others)| eight == others).count();
    let (mut a, mut b) = (same, same);
    loop {
        if let (Some(eight), Some(others)) = (eight_at(one, a), eight_at(other, b))
            && eight == others
        {
            (a, b) = (a + 8, b + 8);
            continue;
        }
        match (one.get(a), other.get(b)) {
            (None, None) => return true,
            (Some(byte), Some(others)) if byte == others => (a, b) = (a + 1, b + 1),
            _ => {
                // What came before is the same in both.
                let digits = one[..a].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
                let begins = a - digits;
                let of_a_name = begins > 0 && plain::is_of_a_name(one[begins - 1]);
                if of_a_name || digits == 0 && !(digit(one, a) && digit(other, b)) {
                    return false;
                }
                let before = (a, b);
                while digit(one, a) {
                    a += 1;
                }
                while digit(other, b) {
                    b += 1;
                }
                if (a, b) == before {
                    return false;
                }
            }
        }
    }
}

fn eight_at(text: &[u8], at: usize) -> Option<u64> {
    text.get(at..)?.first_chunk().map(|eight| u64::from_ne_bytes(*eight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_differ_in_digits_and_nothing_else() {
        for (one, other) in [
            ("SELECT n FROM t WHERE id = 1", "SELECT n FROM t WHERE id = 1"),
            ("SELECT n FROM t WHERE id = 1", "SELECT n FROM t WHERE id = 12345678901"),
            ("SELECT n FROM t WHERE id IN (1, 22, 333)", "SELECT n FROM t WHERE id IN (999, 2, 33)"),
            ("SELECT 1.5, '7'", "SELECT 20.75, '10'"),
        ] {
            assert!(differ_in_numbers_only(one.as_bytes(), other.as_bytes()), "{one} / {other}");
            assert!(differ_in_numbers_only(other.as_bytes(), one.as_bytes()), "{other} / {one}");
        }
        for (one, other) in [
            ("SELECT md5(1)", "SELECT md9(1)"),
            ("SELECT n FROM t1", "SELECT n FROM t2"),
            ("SELECT n FROM t_1", "SELECT n FROM t_12"),
            ("SELECT 1", "SELECT "),
            ("SELECT 1", "SELECT a"),
            ("SELECT 1", "SELECT 1 "),
            ("SELECT 12", "SELECT 1e"),
            ("SELECT 12345678", "SELECT 1234567 INTO @a"),
        ] {
            assert!(!differ_in_numbers_only(one.as_bytes(), other.as_bytes()), "{one} / {other}");
            assert!(!differ_in_numbers_only(other.as_bytes(), one.as_bytes()), "{other} / {one}");
        }
    }

    #[test]
    fn nothing_is_familiar_at_first() {
        let dialect = Dialect::default();
        assert_eq!(Familiar::default().recognizes(b""), None);
        assert_eq!(Familiar::default().learn(b"", || dialect), super::super::classify(b"", dialect));
    }
}
