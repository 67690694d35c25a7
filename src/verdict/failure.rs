//! An error as a client library tells it to the application.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `ER_*` of a server, or `CR_*` of a client library.
    pub number: u32,
    pub sqlstate: [u8; 5],
    pub text: Vec<u8>,
}

impl Failure {
    pub fn new(number: u32, sqlstate: &[u8; 5], text: &str) -> Self {
        Failure { number, sqlstate: *sqlstate, text: text.as_bytes().to_vec() }
    }
}
