//! The three packets that end something: OK, EOF and ERR.

use super::{aside::Aside, capabilities::Capabilities, fields::Fields, packets::FULL, status::Status};

pub(super) const OK: u8 = 0x00;
pub(super) const EOF: u8 = 0xFE;
pub(super) const ERR: u8 = 0xFF;
/// A longer packet that begins as an EOF does is none: a text of 16 MB and more begins so as well.
const LONGEST_EOF: u32 = 8;
/// The number of an ERR that is a progress report.
const PROGRESS: u16 = 0xFFFF;

/// What a statement without rows did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub affected: u64,
    pub insert_id: u64,
    pub status: Status,
    pub warnings: u16,
}

/// An ERR packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerError<'a> {
    pub number: u16,
    /// An ERR in place of the greeting has none.
    pub state: Option<&'a [u8]>,
    pub text: &'a [u8],
}

/// Whether a packet that begins so ends rows or definitions.
pub(super) fn ends_rows(length: u32, capabilities: Capabilities) -> bool {
    if capabilities.has(Capabilities::DEPRECATE_EOF) { length < FULL } else { length <= LONGEST_EOF }
}

/// An OK, in place of an EOF too; with what it says of the session.
pub(super) fn read_ok(payload: &[u8], capabilities: Capabilities) -> Result<(Done, &[u8]), Aside> {
    let mut fields = Fields::of(payload);
    let done = (|| {
        fields.byte()?;
        let (affected, insert_id) = (fields.number()?, fields.number()?);
        Some(Done { affected, insert_id, status: Status(fields.two()?), warnings: fields.two()? })
    })();
    let done = done.ok_or(Aside::Malformed)?;
    let tells = capabilities.has(Capabilities::SESSION_TRACK) && done.status.tells_of_the_session();
    // Behind the human-readable text. A packet so long that it was cut has told what it has told.
    let changes = tells.then(|| {
        fields.text()?;
        let length = usize::try_from(fields.number()?).ok()?;
        let all = fields.rest();
        Some(all.get(..length).unwrap_or(all))
    });
    Ok((done, changes.flatten().unwrap_or_default()))
}

/// An end of rows or definitions, in either form.
pub(super) fn read_end(payload: &[u8], capabilities: Capabilities) -> Result<(Done, &[u8]), Aside> {
    if capabilities.has(Capabilities::DEPRECATE_EOF) {
        return read_ok(payload, capabilities);
    }
    let mut fields = Fields::of(payload);
    let done = (|| {
        fields.byte()?;
        let warnings = fields.two()?;
        Some(Done { warnings, status: Status(fields.two()?), ..Done::default() })
    })();
    Ok((done.ok_or(Aside::Malformed)?, &[]))
}

pub(super) fn read_error(payload: &[u8]) -> Result<ServerError<'_>, Aside> {
    let mut fields = Fields::of(payload);
    let number = fields.byte().and_then(|_| fields.two()).ok_or(Aside::Malformed)?;
    let with_state = fields.rest().strip_prefix(b"#").and_then(|rest| rest.split_at_checked(5));
    let (state, text) = with_state.map_or((None, fields.rest()), |(state, text)| (Some(state), text));
    Ok(ServerError { number, state, text })
}

impl ServerError<'_> {
    /// No error at all, but MariaDB's word on how far a long statement is.
    pub(super) fn is_progress(&self) -> bool {
        self.number == PROGRESS
    }
}
