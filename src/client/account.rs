//! Which login a handle would make anew: two handles with the same number would be answered alike by the same server.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};

use once_cell::race::OnceBox;

/// Another one in each process.
static SALT: OnceBox<RandomState> = OnceBox::new();

/// A number for what a connect was called with; `None` stands for what the client library takes from an option file or from
/// its defaults. `plaintext`: without TLS, where a server may answer the same account otherwise (`REQUIRE SSL`, with the
/// error of a wrong password). Never zero, which means that nothing is known.
pub fn number(login: [Option<&[u8]>; 2], plaintext: bool) -> u64 {
    SALT.get_or_init(|| Box::new(RandomState::new())).hash_one((login, plaintext)).max(1)
}

/// A number for such a login that is the same in each process of the host, and is written down there: eight bits of a hash are
/// all that goes into it of the password. That tells a new password from an old one, nearly always, and helps no reader to
/// find out either.
pub fn number_for_all([user, password]: [Option<&[u8]>; 2], plaintext: bool) -> u64 {
    hash((user, plaintext, hash((user, password)) as u8))
}

fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn of_a_password_eight_bits_are_told_to_other_processes() {
        let told =
            |user: &str, password: &str| number_for_all([Some(user.as_bytes()), Some(password.as_bytes())], true);
        let numbers: HashSet<_> = (0..20_000).map(|password| told("app", &password.to_string())).collect();
        assert_eq!(numbers.len(), 256);
        assert_ne!(told("app", "one"), told("app", "two"));
        assert_ne!(told("app", "one"), told("other", "one"));
        assert_ne!(number_for_all([None, None], true), number_for_all([None, None], false));
    }

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
