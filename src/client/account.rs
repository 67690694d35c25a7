//! Which login a handle would make anew: two handles with the same number would be answered alike by the same server.

use std::hash::{BuildHasher, RandomState};

use once_cell::race::OnceBox;

/// Another one in each process.
static SALT: OnceBox<RandomState> = OnceBox::new();

/// A number for what a connect was called with; `None` stands for what the client library takes from an option file or from
/// its defaults. `plaintext`: without TLS, where a server may answer the same account otherwise (`REQUIRE SSL`, with the
/// error of a wrong password). Never zero, which means that nothing is known.
pub fn number(login: [Option<&[u8]>; 2], plaintext: bool) -> u64 {
    SALT.get_or_init(|| Box::new(RandomState::new())).hash_one((login, plaintext)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_login_has_the_same_number_and_another_login_another_number() {
        let logins: [[Option<&[u8]>; 2]; 5] = [
            [Some(b"app"), Some(b"one")],
            [Some(b"app"), Some(b"two")],
            [Some(b"app"), None],
            [None, None],
            [None, Some(b"")],
        ];
        for (at, one) in logins.iter().enumerate() {
            for (other_at, other) in logins.iter().enumerate() {
                assert_eq!(number(*one, true) == number(*other, true), at == other_at);
                assert_ne!(number(*one, true), number(*other, false), "under TLS it is another login");
            }
        }
    }
}
