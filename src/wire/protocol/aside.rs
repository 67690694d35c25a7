//! Why the tracker does not follow a connection any further.

use std::fmt;

/// Said once, and for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// The connection did not begin with a server's greeting.
    NotMySql,
    /// The client does not speak the protocol of MySQL 4.1 and later.
    OldProtocol,
    /// The client asked for TLS: what follows cannot be read.
    Tls,
    /// The two sides agreed on compressed packets.
    Compression,
    /// The client turned into a replica, by this command: its reply never ends.
    Replication(u8),
    /// The client sent a command that the tracker does not know.
    UnknownCommand(u8),
    /// A packet's sequence number is not the one that is due, or the wrong side spoke.
    OutOfSequence,
    /// The server sent a packet that cannot stand there.
    Unexpected,
    /// A packet ends before its fields do.
    Malformed,
    /// The client sends ever more commands before it reads replies.
    TooManyCommands,
}

impl fmt::Display for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMySql => f.write_str("the connection does not begin with the greeting of a MySQL server"),
            Self::OldProtocol => f.write_str("the client speaks the protocol from before MySQL 4.1"),
            Self::Tls => f.write_str("the connection is under TLS"),
            Self::Compression => f.write_str("the connection is compressed"),
            Self::Replication(code) => write!(f, "the client reads the binary log or a clone (command {code})"),
            Self::UnknownCommand(code) => write!(f, "the client sent an unknown command ({code})"),
            Self::OutOfSequence => f.write_str("a packet is out of sequence"),
            Self::Unexpected => f.write_str("the server sent a packet that was not due"),
            Self::Malformed => f.write_str("a packet ends too early"),
            Self::TooManyCommands => f.write_str("too many commands wait for replies"),
        }
    }
}
