//! The client's first packet.

use super::{aside::Aside, capabilities::Capabilities, fields::Fields};

/// What the client asks for. Before TLS it says neither user nor database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login<'a> {
    /// What both sides have.
    pub capabilities: Capabilities,
    /// The number of the collation that the connection begins with.
    pub collation: u8,
    pub user: &'a [u8],
    pub database: Option<&'a [u8]>,
    /// TLS follows, and the rest of the login under it.
    pub begins_tls: bool,
}

impl<'a> Login<'a> {
    /// `payload` may end early, behind the user and the database.
    pub(super) fn read(payload: &'a [u8], server: Capabilities) -> Result<Self, Aside> {
        let mut fields = Fields::of(payload);
        let capabilities = fields.two().ok_or(Aside::Malformed)?;
        if !Capabilities(u64::from(capabilities)).and(server).has(Capabilities::PROTOCOL_41) {
            return Err(Aside::OldProtocol);
        }
        Self::read_on(capabilities, fields, server).ok_or(Aside::Malformed)
    }

    fn read_on(low: u16, mut fields: Fields<'a>, server: Capabilities) -> Option<Self> {
        let high = fields.two()?;
        let _longest_packet = fields.four()?;
        let collation = fields.byte()?;
        fields.take(19)?;
        let own = fields.four()?;
        let mut client = Capabilities(u64::from(low) | u64::from(high) << 16);
        if !client.has(Capabilities::MYSQL) {
            client.0 |= u64::from(own) << 32;
        }
        let capabilities = client.and(server);
        if capabilities.has(Capabilities::SSL) {
            return Some(Self { capabilities, collation, user: &[], database: None, begins_tls: true });
        }
        let user = fields.until_nul()?;
        let database = capabilities.has(Capabilities::CONNECT_WITH_DB).then(|| {
            if capabilities.has(Capabilities::PLUGIN_AUTH_LENENC) {
                fields.text()?;
            } else if capabilities.has(Capabilities::SECURE_CONNECTION) {
                let length = fields.byte()?;
                fields.take(usize::from(length))?;
            } else {
                fields.until_nul()?;
            }
            fields.until_nul()
        });
        Some(Self { capabilities, collation, user, database: database.flatten(), begins_tls: false })
    }
}
