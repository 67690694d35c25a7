//! What the search for the writer borrows from a front end: a connection that can be pointed at another server, and how
//! its questions can end.

use std::{fmt, net::SocketAddr};

use super::topology::Topology;

/// A connection that can be pointed at another server: what a front end lends to the search.
pub trait Prober {
    /// The server that it is connected to, if it is connected and idle.
    fn address(&self) -> Option<SocketAddr>;
    /// Its socket.
    fn fd(&self) -> i32;
    /// Connects to `to` and logs in as the application, or leaves everything as it was and says why.
    fn dial(&mut self, to: SocketAddr) -> Result<(), Undialled>;
    /// Asks the connected server whether it accepts writes.
    fn ask(&mut self) -> Writability;
    /// What the connected server's topology table says, if the application's user may read it.
    fn read_topology(&mut self) -> Option<Topology>;
    /// Is some other connection of this process to that server alive?
    fn others_are_alive_at(&self, server: SocketAddr) -> bool;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writability {
    Writable,
    ReadOnly,
    /// It answered something else: no proof of anything.
    Unclear,
    /// The question got no answer.
    Lost,
}

/// Why a server could not be logged in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undialled {
    /// Nobody there, or nobody who speaks.
    Unreachable(String),
    /// The server itself refused: a locked account, too many connections. It says nothing of its role.
    Refused(String),
    /// This process could not even try (no descriptor, no port, no memory left). It says nothing of the server.
    NotTried(String),
}

impl fmt::Display for Undialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Undialled::Unreachable(why) => write!(f, "cannot be reached ({why})"),
            Undialled::Refused(why) => write!(f, "refuses this login ({why})"),
            Undialled::NotTried(why) => write!(f, "cannot be tried ({why})"),
        }
    }
}
