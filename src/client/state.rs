//! What is known of one protected handle's connection: its session, what was sent and not read yet, its prepared
//! statements.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    asynchronous::UnderWay,
    layout::{
        native::{ActiveStatement, Failure},
        sys::MYSQL_BIND,
    },
};
use crate::{
    endpoint::{Pulse, behind::Server},
    session::{Session, execution::Value},
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
    pub gives_way: bool,
    /// A write was refused as read-only inside an asynchronous call.
    pub refused: bool,
    /// An execution of this one is under way: what it had stored before is void.
    pub executing: Option<ActiveStatement>,
    /// What the last execution sent, if that was to be kept.
    pub values: Vec<Value>,
    /// What belongs to the application's statements, by their address.
    pub statements: BTreeMap<usize, Live>,
    /// The last plain text, for those like it.
    pub familiar: Familiar,
    /// The text of the statement that is about to be rescued; a command has none.
    pub failing: Option<Vec<u8>>,
    /// The last statement that only reads, outside of a transaction.
    pub read: Read,
    /// Sent by `mysql_send_query`, not read yet.
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
    pub looked_at: Option<SocketAddr>,
    /// An asynchronous call that is not over.
    pub under_way: Option<UnderWay>,
}

pub struct Sent {
    pub text: Vec<u8>,
    pub statement: Statement,
    /// Nothing else can be written before its answer is read: neither another statement nor the closing of a prepared one.
    pub alone: bool,
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
    /// Announced; `mysql_store_result` or `mysql_use_result` comes next. `read`: the statement only reads and is `State::read`.
    Announced { read: bool },
    /// Rows go to the application one by one. The address of its `MYSQL_RES`.
    Streaming(usize),
    /// Rows of a prepared statement, to be stored or fetched one by one. `read`: the execution
    /// only reads, and `State::values` are what it was sent with.
    Prepared { statement: ActiveStatement, read: bool },
}

/// A statement of the application, as long as it is not closed.
pub struct Live {
    pub statement: ActiveStatement,
    /// What is bound to it: addresses of the application, read during an execution only.
    pub binds: Option<Vec<MYSQL_BIND>>,
    /// Bound by name, of which nothing is kept.
    pub named: bool,
    /// Executed with many rows of values at a time.
    pub bulk: bool,
    /// It cannot be prepared elsewhere by our means.
    pub hindrance: Option<&'static str>,
    /// How far it had got when its connection was replaced.
    pub kept: Option<u32>,
    /// Why the new server would not prepare it.
    pub refused: Option<Failure>,
}

impl Live {
    /// The one of that address, made now if need be.
    pub fn of(all: &mut BTreeMap<usize, Live>, statement: ActiveStatement) -> &mut Live {
        all.entry(statement.key()).or_insert_with(|| Live {
            statement,
            binds: None,
            named: false,
            bulk: false,
            hindrance: None,
            kept: None,
            refused: None,
        })
    }
}

impl State {
    /// For a connection that was just opened to `peer`, and was in order at this pulse.
    pub fn new(pulse: Pulse, peer: Option<SocketAddr>) -> Self {
        State {
            pulse,
            peer,
            server: None,
            since: Instant::now(),
            session: Session::default(),
            sent: None,
            result: Pending::None,
            failing: None,
            read: Read::default(),
            familiar: Familiar::default(),
            statements: BTreeMap::new(),
            executing: None,
            values: Vec::new(),
            answered: 0,
            ask_next: false,
            gives_way: false,
            cut_off: false,
            looked_at: None,
            under_way: None,
            refused: false,
        }
    }

    /// Nothing was sent whose answer is not read, and no rows are left.
    pub fn idle(&self) -> bool {
        self.sent.is_none() && matches!(self.result, Pending::None)
    }

    pub fn of(&mut self, statement: ActiveStatement) -> &mut Live {
        Live::of(&mut self.statements, statement)
    }

    /// Nothing is left of the rows of this statement.
    pub fn rows_ended(&mut self, statement: ActiveStatement) {
        if matches!(self.result, Pending::Prepared { statement: reading, .. } if reading == statement) {
            self.result = Pending::None;
        }
    }

    /// Neither rows nor long data of its last execution are left.
    #[inline]
    pub fn finished(&mut self, statement: ActiveStatement) {
        self.rows_ended(statement);
        self.session.prepared.finished(statement.key());
    }

    /// Does the statement keep its session where it is?
    pub fn consider(&mut self, statement: ActiveStatement) {
        let live = self.of(statement);
        let hindrance = live.hindrance.or(live.named.then_some("a prepared statement with named parameters"));
        if let Some(prepared) = self.session.prepared.get_mut(statement.key()) {
            prepared.hindrance = hindrance;
        }
    }
}
