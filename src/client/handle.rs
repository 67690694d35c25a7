//! What we keep for one protected handle, and the right to act on it during a call.

use std::{
    cell::Cell,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::*},
    },
};

use rustix_futex_sync::{Mutex, MutexGuard};

use super::{
    account,
    layout::{
        library::Managed,
        native::{Active, ActiveStatement, Native},
    },
    state::State,
};
use crate::{
    endpoint::{Endpoint, Pulse, logins::Login, turn::Claim},
    host::exchange::{self, Exchange, Waits},
    protect::{
        connection::Pending,
        line::{Downstream, Level},
        look::Usual,
    },
    sql::{Pin, Statement},
};

/// `Handle::rows`: nothing that we know of, or something that has to be noted when it is stored.
const NO_ROWS: u8 = 0;
/// Rows of which nothing has to be noted, but that they are stored.
const PLAIN_ROWS: u8 = 1;
/// They were stored: what `State::result` says of them is over.
const STORED_ROWS: u8 = 2;

/// Plain rows, while they are stored.
pub struct PlainRows<'h>(&'h Handle);

impl PlainRows<'_> {
    pub fn are_stored(self) {
        self.0.rows.store(STORED_ROWS, Relaxed);
    }
}

impl Drop for PlainRows<'_> {
    fn drop(&mut self) {
        self.0.inside.store(false, Release);
    }
}

pub struct Handle {
    /// A call of the application on this handle is under way: what the library calls meanwhile is nested.
    inside: AtomicBool,
    /// It is worked on by a way that we do not see (most asynchronous calls).
    unseen: AtomicBool,
    /// What there is to be stored, for calls that only do that: one of the three above.
    rows: AtomicU8,
    /// What `Native::waits` said of its connection: not under TLS, and in `recv`. The options behind it count when a handle
    /// is connected (MySQL manual, mysql_options()).
    plaintext: AtomicBool,
    waits_in_recv: AtomicBool,
    /// Reported lost: every further call passes through until the application connects anew.
    condemned: AtomicBool,
    pub endpoint: &'static Endpoint,
    managed: &'static Managed,
    /// The server's connection id: another one means another session.
    thread: AtomicU64,
    state: Mutex<State>,
    /// The server's id of the connection that the application opened.
    pub first_id: u64,
    /// `account::number` and `account::number_for_all` of its login.
    login: [AtomicU64; 2],
}

impl Handle {
    pub fn new(endpoint: &'static Endpoint, managed: &'static Managed, native: &Native) -> Self {
        let waits = native.waits();
        Handle {
            endpoint,
            managed,
            first_id: native.thread_id(),
            login: Default::default(),
            inside: AtomicBool::new(false),
            rows: AtomicU8::new(NO_ROWS),
            unseen: AtomicBool::new(false),
            thread: AtomicU64::new(native.thread_id()),
            plaintext: AtomicBool::new(waits.is_some()),
            waits_in_recv: AtomicBool::new(waits == Some(Waits::InRecv)),
            condemned: AtomicBool::new(false),
            state: Mutex::new(State::new(endpoint.pulse(), native.peer(), endpoint.now())),
        }
    }

    /// The server's id of its connection.
    pub fn thread(&self) -> u64 {
        self.thread.load(Relaxed)
    }

    /// What the application has logged in with.
    pub fn logs_in_as(&self, login: [Option<&[u8]>; 2]) {
        let plaintext = self.plaintext.load(Relaxed);
        let numbers = [account::number(login, plaintext), account::number_for_all(login, plaintext)];
        self.login.iter().zip(numbers).for_each(|(known, number)| known.store(number, Relaxed));
    }

    /// What stands for its login.
    pub fn login(&self) -> Login {
        let [here, everywhere] = self.login.each_ref().map(|number| number.load(Relaxed));
        Login { here, everywhere }
    }

    /// It has another connection, with this session.
    pub fn on_reconnected(&self, native: &Native) {
        self.thread.store(native.thread_id(), Relaxed);
        let waits = native.waits();
        self.plaintext.store(waits.is_some(), Relaxed);
        self.waits_in_recv.store(waits == Some(Waits::InRecv), Relaxed);
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Read in a child, of its parent's: was it that connection?
    pub fn was_at_fork(&self, thread: u64, peer: SocketAddr) -> bool {
        self.thread() == thread && self.state.try_lock().is_some_and(|state| state.peer == Some(peer))
    }

    /// Does the application wait for `server` on it? In a call, or by itself between sending and reading (mysql2).
    pub fn waits_for(&self, endpoint: &Endpoint, server: SocketAddr) -> bool {
        let ours = std::ptr::eq(self.endpoint, endpoint);
        ours && {
            let state = self.lock();
            state.peer == Some(server) && (self.inside.load(Acquire) || state.sent.is_some())
        }
    }

    /// Its open transaction, if that has been told an id on a server before that of `generation`.
    pub fn claims_ids_before(&self, endpoint: &Endpoint, generation: u64) -> Option<Claim> {
        if !std::ptr::eq(self.endpoint, endpoint) {
            return None;
        }
        let state = self.lock();
        let claims = state.pulse.generation() < generation && state.session.claims_ids();
        let claim = if self.inside.load(Acquire) { Claim::InCall } else { Claim::Thinking };
        claims.then_some(claim)
    }

    /// A call from inside the library. If no call of the application is under way, other code works on the handle by a
    /// door that we do not have.
    #[cold]
    #[inline(never)]
    pub fn on_nested_call(&self, mysql: Active) {
        self.rows.store(NO_ROWS, Relaxed);
        if !self.inside.load(Acquire) && !self.unseen.swap(true, AcqRel) {
            // What is sent there may be a file as well.
            Native::new(mysql, self.managed).expect_a_stream();
        }
    }

    /// The application freed a result set that was read row by row.
    pub fn stream_ended(&self, result: usize) {
        let mut state = self.lock();
        if matches!(state.result, Pending::Streaming(streaming) if streaming == result) {
            state.result = Pending::None;
        }
    }

    /// Nothing is left of the rows of this statement.
    pub fn rows_ended(&self, statement: ActiveStatement) {
        self.lock().rows_ended(statement.key());
    }

    /// The rows announced last, if nothing but storing them is to be done, and nothing happened since.
    pub fn plain_rows(&self) -> Option<PlainRows<'_>> {
        let plain = self.rows.load(Relaxed) == PLAIN_ROWS && !self.inside.swap(true, AcqRel);
        // Made only then: its end says that no call is inside.
        plain.then(|| PlainRows(self))
    }

    /// The statement before has announced rows that may be stored plainly.
    pub fn announce_plain_rows(&self) {
        self.rows.store(PLAIN_ROWS, Relaxed);
    }

    #[inline]
    pub fn enter(handle: Arc<Handle>, mysql: Active) -> Option<Guest> {
        if handle.inside.swap(true, AcqRel) {
            return None;
        }
        let rows = handle.rows.load(Relaxed);
        if rows != NO_ROWS {
            handle.rows.store(NO_ROWS, Relaxed);
        }
        if rows == STORED_ROWS {
            handle.lock().result = Pending::None;
        }
        let native = Native::new(mysql, handle.managed);
        let guest = Guest { handle, native, recalled: Cell::new(false) };
        if guest.handle.thread() != guest.native.thread_id() {
            guest.meet_another_connection();
        }
        let looked_after = !guest.is_condemned();
        if guest.handle.unseen.load(Acquire) && guest.handle.unseen.swap(false, AcqRel) {
            guest.take_over();
        }
        looked_after.then_some(guest)
    }

    /// The guest of an asynchronous call that has stayed.
    pub fn go_on(handle: Arc<Handle>, mysql: Active) -> Option<Guest> {
        let native = Native::new(mysql, handle.managed);
        let stayed = handle.inside.load(Acquire) && handle.lock().under_way.is_some();
        stayed.then_some(Guest { handle, native, recalled: Cell::new(false) })
    }

    /// Marks the handle as inside a call for as long as the guest lives, without any check: for the connect itself.
    pub fn enter_new(handle: Arc<Handle>, native: Native) -> Guest {
        handle.inside.store(true, Release);
        Guest { handle, native, recalled: Cell::new(false) }
    }
}

/// A protected handle during one call of the application on it.
pub struct Guest {
    pub handle: Arc<Handle>,
    pub native: Native,
    /// The application wants its thread back: this call waits for no writer any more.
    pub recalled: Cell<bool>,
}

impl Guest {
    #[inline]
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.handle.lock()
    }

    pub fn endpoint(&self) -> &'static Endpoint {
        self.handle.endpoint
    }

    /// The library has connected anew by itself (MYSQL_OPT_RECONNECT), or the structure holds another connection than the
    /// one we knew.
    #[cold]
    #[inline(never)]
    fn meet_another_connection(&self) {
        self.handle.on_reconnected(&self.native);
        let mut state = self.state();
        state.session.forget();
        state.sent = None;
        state.result = Pending::None;
        state.refused = false;
        state.since = self.handle.endpoint.now();
        state.peer = self.native.peer();
        state.server = None;
        state.pulse = Pulse::default();
        self.handle.condemned.store(false, Relaxed);
    }

    /// It was reported lost in this call, or before it: it is not looked after any more.
    pub fn is_condemned(&self) -> bool {
        self.handle.condemned.load(Relaxed)
    }

    /// The connection was worked on unseen: whatever there is in the session now, no other server has it.
    #[cold]
    #[inline(never)]
    pub(super) fn take_over(&self) {
        let mut state = self.state();
        state.session.pin(Pin::Unclear);
        state.sent = None;
        state.result = Pending::None;
        state.ask_next = false;
    }

    /// The call is not over, although it returns: the handle stays occupied.
    pub fn stay(self) {
        let handle = Arc::clone(&self.handle);
        drop(self);
        handle.inside.store(true, Release);
    }

    /// The statement is sent next, or its answer read.
    #[inline]
    pub fn begin_exchange(&self) -> Option<Exchange> {
        let waits = if self.handle.waits_in_recv.load(Relaxed) { Waits::InRecv } else { Waits::Itself };
        let plaintext = self.handle.plaintext.load(Relaxed) && self.native.connected();
        plaintext.then(|| exchange::begin(self.native.fd(), waits))
    }

    /// Rows of prepared statements that the application has fetched to their end are read behind our back, at no cost.
    #[inline]
    pub fn settle(&self, state: &mut State) {
        if let Pending::Prepared { statement, .. } = state.result
            && state.statements.get(&statement).is_some_and(|live| self.native.rows_are_over(live.statement))
        {
            state.rows_ended(statement);
        }
        if state.session.prepared.has_cursors() {
            self.settle_cursors(state);
        }
    }

    #[cold]
    #[inline(never)]
    fn settle_cursors(&self, state: &mut State) {
        let State { shared, statements, .. } = state;
        shared.session.prepared.close_cursors(|address| {
            statements.get(&address).is_none_or(|live| self.native.rows_are_over(live.statement))
        });
    }

    /// Is everything as it was when the statement before was sent?
    pub fn in_order(&self, mut state: MutexGuard<'_, State>, statement: &Statement) -> bool {
        if self.level() == Level::Observe {
            // Its socket is left alone: a look takes an error that the library would find.
            return false;
        }
        self.settle(&mut state);
        let usual = Usual::of(self, &state, statement);
        drop(state);
        usual.is_in_order(self, statement)
    }

    /// From now on the connection is lost for the application too.
    pub fn condemn(&self) {
        let mut guard = self.state();
        let state = &mut *guard;
        self.native.cut(state.peer);
        self.handle.condemned.store(true, Relaxed);
        state.session.forget();
        // The connection was replaced on the way, and what was prepared is to fail for its loss and not for another reason.
        for live in state.statements.values_mut() {
            if let Some(kept) = live.state_before_move.take() {
                self.native.seem_prepared(live.statement, kept, state.executing == Some(live.statement));
            }
        }
    }

    pub fn pin(&self, pin: Pin) {
        self.state().session.pin(pin);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.handle.inside.store(false, Release);
    }
}
