//! Which login a handle would make anew: two handles with the same number would be answered alike by the same server.

use std::hash::{BuildHasher, RandomState};

use once_cell::race::OnceBox;

/// Another one in each process.
static SALT: OnceBox<RandomState> = OnceBox::new();

/// A number for what a connect was called with; `None` stands for what the client library takes from an option file or from
/// its defaults. Never zero, which means that nothing is known.
pub fn number(login: [Option<&[u8]>; 2]) -> u64 {
    SALT.get_or_init(|| Box::new(RandomState::new())).hash_one(login).max(1)
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
                assert_eq!(number(*one) == number(*other), at == other_at);
            }
        }
    }
}
