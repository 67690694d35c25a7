//! What is known of one protected connection: its session, what was sent and not read yet, where it leads.
//!
//! A front end has one [`State`] for each connection, under that connection's lock, beside what it needs itself.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    endpoint::{Pulse, behind::Server},
    session::Session,
    sql::{Familiar, Statement},
};

pub struct State {
    /// The endpoint's pulse when this handle was last found in order; another value means: look.
    pub pulse: Pulse,
    /// When its last answer came (`ticks`).
    pub answered: u64,
    /// A result set waits to be stored, or is being read row by row.
    pub result: Pending,
    /// It changed rows on an endpoint never seen writable.
    pub ask_next: bool,
    /// What comes next lets the replays of others go first: its own transaction is through, or it was just opened.
    pub waits_for_replays: bool,
    /// A write was refused as read-only inside an asynchronous call.
    pub refused: bool,
    /// The last plain text, for those like it.
    pub familiar: Familiar,
    /// The text of the statement that is about to be rescued; a command has none.
    pub failing: Option<Vec<u8>>,
    /// The last statement that only reads, outside of a transaction.
    pub read: Read,
    /// Sent, and its answer not read yet.
    pub sent: Option<Sent>,
    pub session: Session,
    /// The address that it is connected to.
    pub peer: Option<SocketAddr>,
    /// The server that has answered there, if that was asked on this connection.
    pub server: Option<Server>,
    /// When it was connected.
    pub since: Instant,
    /// The statement that is being rescued was in flight already when another server ended its connection.
    pub cut_off: bool,
    /// Where DNS led when a write was refused on an endpoint never seen writable.
    pub dns_checked: Option<SocketAddr>,
}

pub struct Sent {
    pub text: Vec<u8>,
    pub statement: Statement,
    /// Nothing else can be written before its answer is read: neither another statement nor the closing of a prepared one.
    pub only_command_in_flight: bool,
    pub wait: Waited,
}

/// What became of the wait before a statement was sent: the one for its answer is a part of the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waited {
    pub time: Duration,
    /// The application wanted its thread back.
    pub recalled: bool,
}

/// A statement that may be run again. Its memory is used again by the next one.
#[derive(Default)]
pub struct Read {
    pub text: Vec<u8>,
    pub statement: Statement,
}

impl Read {
    /// Bytes. Longer texts give their memory back with the next short one.
    const KEPT: usize = 2048;

    pub fn note(&mut self, text: &[u8], statement: &Statement) {
        self.text.clear();
        if text.len() <= Self::KEPT {
            self.text.shrink_to(Self::KEPT);
        }
        self.text.extend_from_slice(text);
        self.statement.clone_from(statement);
    }
}

/// A result set of the last statement.
#[derive(Clone, Copy, Default)]
pub enum Pending {
    #[default]
    None,
    /// Announced; the application stores them, or reads them one by one, next. `read`: the statement only reads and is `State::read`.
    Announced { read: bool },
    /// Rows go to the application one by one. The front end's own number of that result.
    Streaming(usize),
    /// Rows of a prepared statement, to be stored or fetched one by one. `statement`: the front end's own number of it. `read`:
    /// the execution only reads, and the front end has kept what it was sent with.
    Prepared { statement: usize, read: bool },
}

impl State {
    /// For a connection that was just opened to `peer`, and was in order at this pulse.
    pub fn new(pulse: Pulse, peer: Option<SocketAddr>, since: Instant) -> Self {
        State {
            pulse,
            peer,
            server: None,
            since,
            session: Session::default(),
            sent: None,
            result: Pending::None,
            failing: None,
            read: Read::default(),
            familiar: Familiar::default(),
            answered: 0,
            ask_next: false,
            waits_for_replays: false,
            cut_off: false,
            dns_checked: None,
            refused: false,
        }
    }

    /// Nothing was sent whose answer is not read, and no rows are left.
    pub fn idle(&self) -> bool {
        self.sent.is_none() && matches!(self.result, Pending::None)
    }

    /// Nothing is left of the rows of this prepared statement.
    pub fn rows_ended(&mut self, statement: usize) {
        if matches!(self.result, Pending::Prepared { statement: reading, .. } if reading == statement) {
            self.result = Pending::None;
        }
    }

    /// Neither rows nor long data of the last execution of this prepared statement are left.
    #[inline]
    pub fn finished(&mut self, statement: usize) {
        self.rows_ended(statement);
        self.session.prepared.finished(statement);
    }
}
