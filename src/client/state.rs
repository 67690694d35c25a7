//! What is known of one protected handle's connection, and of its prepared statements.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    time::Instant,
};

use super::{
    asynchronous::UnderWay,
    layout::{native::ActiveStatement, sys::MYSQL_BIND},
};
use crate::{
    endpoint::Pulse,
    protect::connection,
    session::{execution::Value, reasons::PinReason},
    verdict::failure::Failure,
};

pub struct State {
    pub shared: connection::State,
    /// An execution of this one is under way: what it had stored before is void.
    pub executing: Option<ActiveStatement>,
    /// What the last execution sent, if that was to be kept.
    pub values: Vec<Value>,
    /// What belongs to the application's statements, by their address.
    pub statements: BTreeMap<usize, LiveStatement>,
    /// An asynchronous call that is not over.
    pub under_way: Option<UnderWay>,
}

/// A statement of the application, as long as it is not closed.
pub struct LiveStatement {
    pub statement: ActiveStatement,
    /// What is bound to it: addresses of the application, read during an execution only.
    pub binds: Option<Vec<MYSQL_BIND>>,
    /// Bound by name, of which nothing is kept.
    pub named: bool,
    /// Executed with many rows of values at a time.
    pub bulk: bool,
    /// It cannot be prepared elsewhere by our means.
    pub hindrance: Option<PinReason>,
    /// How far it had got when its connection was replaced.
    pub state_before_move: Option<u32>,
    /// Why the new server would not prepare it.
    pub refused: Option<Failure>,
}

impl LiveStatement {
    /// The one of that address, made now if need be.
    pub fn of(all: &mut BTreeMap<usize, LiveStatement>, statement: ActiveStatement) -> &mut LiveStatement {
        all.entry(statement.key()).or_insert_with(|| LiveStatement {
            statement,
            binds: None,
            named: false,
            bulk: false,
            hindrance: None,
            state_before_move: None,
            refused: None,
        })
    }
}

impl State {
    /// For a connection that was just opened to `peer`, and was in order at this pulse.
    pub fn new(pulse: Pulse, peer: Option<SocketAddr>, since: Instant) -> Self {
        State {
            shared: connection::State::new(pulse, peer, since),
            executing: None,
            values: Vec::new(),
            statements: BTreeMap::new(),
            under_way: None,
        }
    }

    pub fn of(&mut self, statement: ActiveStatement) -> &mut LiveStatement {
        LiveStatement::of(&mut self.statements, statement)
    }

    /// Does the statement keep its session where it is?
    pub fn consider(&mut self, statement: ActiveStatement) {
        let live = self.of(statement);
        let hindrance = live.hindrance.or(live.named.then_some(PinReason::NamedParameters));
        if let Some(prepared) = self.session.prepared.get_mut(statement.key()) {
            prepared.hindrance = hindrance;
        }
    }
}

impl Deref for State {
    type Target = connection::State;

    #[inline]
    fn deref(&self) -> &connection::State {
        &self.shared
    }
}

impl DerefMut for State {
    #[inline]
    fn deref_mut(&mut self) -> &mut connection::State {
        &mut self.shared
    }
}
