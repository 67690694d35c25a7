//! What a prepared statement is executed with: what is bound to it, and what was sent in pieces beforehand.

use std::{
    ffi::c_int,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    super::registry::{Handles, any_statements},
    retried,
};
use crate::{
    client::{
        Call,
        handle::Guest,
        layout::{
            native::ActiveStatement,
            sys::{
                MYSQL_BIND, SERVER_STATUS_AUTOCOMMIT, SERVER_STATUS_IN_TRANS, STMT_ATTR_ARRAY_SIZE,
                STMT_ATTR_CURSOR_TYPE, STMT_ATTR_PREBIND_PARAMS, STMT_ATTR_ROW_SIZE,
            },
        },
        state::{LiveStatement, State},
    },
    guard::{self, decide},
    process::current,
    protect::connection::Pending,
    session::{
        execution::Value,
        prepared::{Preparation, Prepared},
        reasons::PinReason,
    },
};

/// `mysql_stmt_bind_param`, with the address of what is bound; or, `named`, in a way that is not kept.
pub fn bound(call: Call, statement: ActiveStatement, binds: Option<usize>) {
    let Some(process) = current::existing().filter(|_| any_statements()) else { return };
    if call.nested() || guard::ourselves() {
        return;
    }
    decide(|| {
        let own = Handles::of(process).filter(|_| process.is_ours())?;
        let owner = own.statements.get(statement.key())?;
        let (handle, native) = (own.handles.get(owner.key())?, call.native(owner)?);
        let copy = binds.map(|binds| native.bound(statement, binds));
        let mut state = handle.lock();
        let live = state.of(statement);
        // libmysqlclient binds unnamed parameters by way of its function for named ones.
        live.named = copy.is_none();
        live.binds = copy;
        state.consider(statement);
        Some(())
    });
}

/// Some statement of the process was given a kind of cursor, perhaps none.
static CURSORS: AtomicBool = AtomicBool::new(false);

pub(super) fn any_cursors() -> bool {
    CURSORS.load(Relaxed)
}

/// `mysql_stmt_attr_set`: MariaDB has attributes by which the values of an execution come from elsewhere.
pub fn attribute_set(call: Call, statement: ActiveStatement, attribute: c_int) {
    if attribute == STMT_ATTR_CURSOR_TYPE {
        CURSORS.store(true, Relaxed);
    }
    let Some(process) = current::existing().filter(|_| any_statements()) else { return };
    if attribute < STMT_ATTR_PREBIND_PARAMS || call.nested() {
        return;
    }
    decide(|| {
        let own = Handles::of(process).filter(|_| process.is_ours())?;
        let owner = own.statements.get(statement.key())?;
        let handle = own.handles.get(owner.key())?;
        let mut state = handle.lock();
        match attribute {
            STMT_ATTR_ARRAY_SIZE | STMT_ATTR_ROW_SIZE => state.of(statement).bulk = true,
            _ => state.of(statement).hindrance = Some(PinReason::Callbacks),
        }
        state.consider(statement);
        Some(())
    });
}

/// A process like any other never does that.
static SENT_IN_PIECES: AtomicBool = AtomicBool::new(false);

pub(super) fn any_long_data() -> bool {
    SENT_IN_PIECES.load(Relaxed)
}

/// `mysql_stmt_send_long_data`: kept until the next execution.
pub fn send_long_data(
    call: Call,
    statement: ActiveStatement,
    parameter: u32,
    data: &[u8],
    real: impl Fn() -> c_int,
) -> c_int {
    SENT_IN_PIECES.store(true, Relaxed);
    retried(call, statement, real, |guest| {
        guest.state().session.prepared.on_long_data(statement.key(), parameter, data);
    })
}

/// An execution that is about to be sent.
pub(super) struct Execution {
    pub known: Arc<Preparation>,
    /// `State::values` are what it sends.
    pub kept: bool,
    /// There is nothing to be prepared or sent before it.
    pub plain: bool,
}

impl Guest {
    /// An execution of the statement begins, if we know what it is.
    pub(super) fn execution_begins(&self, state: &mut State, statement: ActiveStatement) -> Option<Execution> {
        let State { shared, statements, executing, values, .. } = state;
        let session = &shared.session;
        if let Pending::Prepared { read, .. } = &mut shared.result {
            // Whatever becomes of this one, the values that those rows were asked for with are gone.
            *read = false;
        }
        let prepared = session.prepared.get(statement.key())?;
        let known = Arc::clone(&prepared.preparation);
        let live = match statements.get(&statement.key()) {
            Some(live) => live,
            None => LiveStatement::of(statements, statement),
        };
        *executing = Some(statement);
        let plain = live.refused.is_none() && !prepared.has_long_data();
        let kept = self.keep_values(statement, (prepared, live), session.transaction().is_some(), values);
        Some(Execution { known, kept, plain })
    }

    /// Keeps what this execution sends, if it may have to be sent once more: by a replay, or because its rows are cut off.
    /// The application may have thrown it away by then. `logged`: a transaction is open. False: it cannot be had, or
    /// no replay will want it.
    fn keep_values(
        &self,
        statement: ActiveStatement,
        (prepared, live): (&Prepared, &LiveStatement),
        logged: bool,
        values: &mut Vec<Value>,
    ) -> bool {
        let known = &prepared.preparation;
        if known.parameters == 0 {
            values.clear();
            return true;
        }
        let status = self.native.server_status();
        let in_transaction = logged || status & SERVER_STATUS_IN_TRANS != 0;
        if !known.statement.only_reads && status & SERVER_STATUS_AUTOCOMMIT != 0 && !in_transaction {
            return false;
        }
        if live.bulk || live.named || live.hindrance.is_some() {
            return false;
        }
        let Some(as_told) = &live.binds else { return false };
        let binds = self.native.bound_now(statement).unwrap_or(as_told);
        binds.len() == known.parameters as usize
            && self.native.read_values(binds, values, |parameter| prepared.long_data(parameter))
    }

    /// What is bound to the statement, if anything ever was.
    pub(super) fn bound(&self, statement: ActiveStatement) -> Option<Vec<MYSQL_BIND>> {
        let as_told = self.state().of(statement).binds.clone()?;
        Some(self.native.bound_now(statement).map_or(as_told, <[_]>::to_vec))
    }

    /// An execution that failed has used up the long data that was sent before it.
    pub(super) fn send_used_up_data(&self, statement: ActiveStatement) {
        let pieces = match self.state().session.prepared.get_mut(statement.key()) {
            Some(prepared) if prepared.has_long_data() => prepared.before_execution(),
            _ => return,
        };
        for (parameter, data) in pieces {
            // What cannot be sent now is not answered, and neither will be the execution.
            let _ = self.native.send_long_data(statement, parameter, &data);
        }
    }
}
