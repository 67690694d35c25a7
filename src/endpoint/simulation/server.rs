//! A simulated MySQL server: whether it is there, whether it speaks, what it says.

use std::{net::SocketAddr, time::Duration};

use crate::endpoint::{
    prober::{Refusal, Undialled, Whose, Writability},
    topology::Topology,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Up,
    /// No process listens at the address: its kernel refuses each connection at once.
    Dead,
    /// The process is stopped. Its kernel accepts connections and acknowledges what is sent.
    Frozen,
    /// Each packet is lost, in both directions.
    Unplugged,
}

/// What a server says to a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Open,
    /// Error 1040: too many connections.
    Full,
    /// Error 1045: access denied.
    Denied,
}

#[derive(Clone, Debug)]
pub struct Server {
    pub health: Health,
    pub writable: bool,
    pub admission: Admission,
    /// What its table `mysql.rds_topology` says.
    pub topology: Option<Topology>,
    /// What one exchange with it takes.
    pub round_trip: Duration,
    /// Counts its starts. A connection ends with the start that it was opened in.
    pub(super) boot: u32,
    /// The simulated moment since when it has given no answer.
    pub(super) silent_since: Option<Duration>,
}

impl Server {
    /// A server that is up and answers within a millisecond.
    pub fn up(writable: bool) -> Self {
        Server {
            health: Health::Up,
            writable,
            admission: Admission::Open,
            topology: None,
            round_trip: Duration::from_millis(1),
            boot: 0,
            silent_since: None,
        }
    }

    pub fn is_silent(&self) -> bool {
        matches!(self.health, Health::Frozen | Health::Unplugged)
    }

    pub(super) fn becomes(&mut self, health: Health, now: Duration) {
        if self.health == Health::Dead && health != Health::Dead {
            self.boot += 1;
        }
        self.health = health;
        self.silent_since = self.is_silent().then(|| self.silent_since.unwrap_or(now));
    }

    pub(super) fn says(&self) -> Writability {
        if self.writable { Writability::Writable } else { Writability::ReadOnly }
    }

    pub(super) fn admits(&self) -> Result<(), Undialled> {
        match self.admission {
            Admission::Open => Ok(()),
            Admission::Full => Err(Undialled::NotNow("error 1040: Too many connections".to_owned())),
            Admission::Denied => {
                let why = "error 1045: Access denied".to_owned();
                Err(Undialled::Refused(Refusal { whose: Whose::Account, error: 1045, why }))
            }
        }
    }
}

/// One connection to a simulated server, as the kernel of the process knows it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub fd: i32,
    /// The position of the endpoint that it belongs to.
    pub endpoint: u16,
    pub server: SocketAddr,
    pub boot: u32,
    /// This process has ended it.
    pub cut: bool,
    /// It counts as a connection of its endpoint.
    pub is_tagged: bool,
    /// A thread waits for an answer on it, since this simulated moment.
    pub waits_since: Option<Duration>,
    /// When something came on it last.
    pub heard_at: Duration,
}
