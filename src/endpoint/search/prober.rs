//! What the search for the writer borrows from a front end: a connection that can be pointed at another server, and how
//! its questions can end.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use super::{behind::Server, topology::Topology};

/// A server that takes longer to say whether it is read-only is looked away from.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// A connection that can be pointed at another server: what a front end lends to the search.
pub trait Prober {
    /// The server that it is connected to, if it is connected and idle.
    fn address(&self) -> Option<SocketAddr>;
    /// The server that it leads to, if that has said who it is. Behind one address there may be several.
    fn server(&self) -> Option<Server> {
        None
    }
    /// When its connection was opened.
    fn opened(&self) -> Instant;
    /// Does a transaction end with its connection?
    fn in_transaction(&self) -> bool {
        false
    }
    /// Its socket.
    fn fd(&self) -> i32;
    /// Connects to `to` and logs in as the application, or leaves everything as it was and says why.
    fn dial(&mut self, to: SocketAddr) -> Result<(), Undialled>;
    /// Asks the connected server whether it accepts writes.
    fn ask(&mut self) -> Writability;
    /// What the connected server's topology table says, if the application's user may read it.
    fn read_topology(&mut self) -> Option<Topology>;
    /// Where the application's own resolver leads a connect to the endpoint's name now; nowhere if it fails.
    fn resolve(&mut self) -> Vec<IpAddr> {
        Vec::new()
    }
    /// Has the server restarted to which this connection led when it was lent?
    fn has_restarted(&self) -> bool {
        false
    }
    /// Is some other connection of this process to that server alive?
    fn others_are_alive_at(&self, server: SocketAddr) -> bool;
    /// What it is to be used for next.
    fn need(&self) -> Need {
        Need::Writer
    }
    /// Was its login refused for good, or is it not to be made, so that it can judge nothing, and nothing comes of its waiting?
    fn is_refused(&self) -> bool {
        false
    }
    /// The application wants its thread back: its present call waits for nothing any more.
    fn on_recall(&mut self) {}
}

/// What a connection is needed for: whether it may stay on an incumbent that says that it is read-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A transaction, or what cannot be run again once it was refused.
    Writer,
    /// One statement outside of a transaction, which is run again elsewhere if it is refused.
    Attempt,
    /// BEGIN: what the transaction will do is not known yet.
    Begins,
    /// One statement that only reads, outside of a transaction.
    Reads,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writability {
    Writable,
    ReadOnly,
    /// The server answers, and serves no account: offline, or a node that has lost its cluster.
    Unfit,
    /// It answered something else: no proof of anything.
    Unclear,
    /// The question got no answer.
    Lost,
}

/// Why a server could not be logged in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undialled {
    /// No server there, or none that speaks.
    Unreachable(String),
    /// The server takes no more logins just now: too many connections, offline, about to go away.
    NotNow(String),
    /// An answer about this login, or something that this client itself cannot do: a wrong password, a locked account, a
    /// certificate. The same login would be answered in the same way. It says nothing of the server's role.
    Refused(Refusal),
    /// The processes of this host have given up so many handshakes with the server that it may soon lock the host out: the
    /// library does not dial it until the application itself has logged in there. It says nothing of the server.
    Spent,
    /// This process could not even try (no descriptor, no port, no memory left). It says nothing of the server.
    NotTried(String),
}

/// A login that came to nothing, for whom that is known, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub whose: Whose,
    /// The error's number.
    pub error: u16,
    pub why: String,
}

/// Which other logins a refusal speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Each with the same account and password: the server may count them, and lock the account.
    Account,
    /// None but that of the same handle: it is about its database or its options (TLS, plugins), which another handle of the
    /// same account need not share.
    Handle,
}

impl fmt::Display for Undialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Undialled::Unreachable(why) => write!(f, "cannot be reached ({why})"),
            Undialled::NotNow(why) => write!(f, "takes no login just now ({why})"),
            Undialled::Refused(Refusal { why, .. }) => write!(f, "refuses this login ({why})"),
            Undialled::Spent => {
                f.write_str("is not dialled (processes of this host have given up enough of its handshakes)")
            }
            Undialled::NotTried(why) => write!(f, "cannot be tried ({why})"),
        }
    }
}
