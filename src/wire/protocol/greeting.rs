//! The server's first packet.

use super::{capabilities::Capabilities, fields::Fields, status::Status};

const PROTOCOL: u8 = 10;
const NONCE: usize = 20;
/// The first part of the nonce.
const FIRST: usize = 8;

/// What the server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting<'a> {
    /// As the server says it: MariaDB's begins with `5.5.5-` up to 10.x.
    pub version: &'a [u8],
    /// CONNECTION_ID().
    pub connection: u32,
    pub capabilities: Capabilities,
    pub status: Status,
    /// Of the authentication that the server proposes.
    pub plugin: Option<&'a [u8]>,
    /// What that authentication hashes the password with.
    pub nonce: [u8; NONCE],
}

impl<'a> Greeting<'a> {
    pub(super) fn read(payload: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::of(payload);
        if fields.byte()? != PROTOCOL {
            return None;
        }
        let version = fields.until_nul()?;
        let connection = fields.four()?;
        let first = fields.take(FIRST)?;
        fields.byte()?;
        let low = fields.two()?;
        let _collation = fields.byte()?;
        let status = Status(fields.two()?);
        let high = fields.two()?;
        let length = fields.byte()?;
        fields.take(6)?;
        let own = fields.four()?;
        let mut capabilities = Capabilities(u64::from(low) | u64::from(high) << 16);
        if !capabilities.has(Capabilities::MYSQL) {
            capabilities.0 |= u64::from(own) << 32;
        }
        let mut nonce = [0; NONCE];
        // The second part ends with a zero byte, which is no part of the nonce.
        let second = usize::from(length).saturating_sub(FIRST).max(NONCE - FIRST + 1);
        let second = fields.take(second.min(fields.rest().len()))?;
        for (place, byte) in nonce.iter_mut().zip(first.iter().chain(second)) {
            *place = *byte;
        }
        let has_plugin = capabilities.has(Capabilities::PLUGIN_AUTH);
        // Some old servers leave out the zero byte at the very end.
        let plugin = has_plugin.then(|| fields.until_nul().unwrap_or(fields.rest()));
        Some(Self { version, connection, capabilities, status, plugin, nonce })
    }
}
