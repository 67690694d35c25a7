//! What a handle's connection is for the rules of `protect`.

use std::{
    cell::Cell,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use rustix_futex_sync::{MappedMutexGuard, MutexGuard};

use super::{
    handle::Guest,
    layout::sys::{SERVER_STATUS_AUTOCOMMIT, SERVER_STATUS_IN_TRANS, SERVER_STATUS_NO_BACKSLASH_ESCAPES},
    registry::any_statements,
};
use crate::{
    control::{config, option::Mode},
    endpoint::{Endpoint, logins::Login},
    host::{ending, exchange::Exchange},
    process::{connecting, current, resolver},
    protect::{
        connection::{Pending, State},
        line::{Answer, Downstream, Executed, Level, Protected, Replied, Upstream},
    },
    session::{Reset, Session, execution::Value, journal::Step},
    sql::{ASCII_UNSAFE_CHARSETS, Dialect},
    verdict::failure::Failure,
};

impl Upstream for Guest {
    fn thread_id(&self) -> u64 {
        self.native.thread_id()
    }

    fn fd(&self) -> i32 {
        self.native.fd()
    }

    fn hung_up(&self) -> bool {
        self.native.hung_up()
    }

    #[inline]
    fn has_ended(&self) -> bool {
        self.native.has_ended()
    }

    fn is_mariadb_server(&self) -> bool {
        self.native.is_mariadb_server()
    }

    fn query(&self, text: &[u8]) -> Result<Answer, Failure> {
        self.native.query(text)
    }

    fn execute(&self, text: &[u8], values: &[Value]) -> Result<Executed, Failure> {
        self.native.execute_once(text, values)
    }

    fn apply(&self, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Text(text) => self.native.query(text).map(drop),
            Step::Database(name) => self.native.select_db(name),
            Step::CharacterSet(name) => self.native.set_character_set(name),
            Step::ServerOption(option) => self.native.set_server_option(*option),
        }
    }

    fn reset_as(&self, reset: &Reset) -> Result<(), Failure> {
        if any_statements() {
            self.native.examine_statements();
        }
        if let Some(database) = &reset.database {
            self.native.select_db(database)?;
        }
        self.native.set_character_set(&reset.character_set)?;
        self.native.reset_connection()
    }

    fn prepare_all_again(&self) -> Result<(), Failure> {
        self.prepare_all()
    }

    fn login(&self) -> Login {
        self.handle.login()
    }

    fn log_in(&self, to: SocketAddr, question: u64, patience: Duration) -> Result<(), Failure> {
        let _steered = connecting::towards(self.handle.endpoint, Some(to), Some(question));
        self.native.reconnect(patience)
    }

    fn is_about_to_leave(&self) {
        self.keep_statement_states();
    }

    fn has_arrived(&self) {
        self.handle.on_reconnected(&self.native);
    }

    fn has_means(&self) -> bool {
        ending::has_free_descriptor()
    }

    fn end_connection(&self) {
        let peer = self.state().peer;
        self.native.cut(peer);
    }

    fn resolve(&self) -> Vec<IpAddr> {
        resolver::ask(&self.handle.endpoint.name.host)
    }

    fn others_are_alive_at(&self, server: SocketAddr) -> bool {
        let own = self.native.fd();
        current::current().is_some_and(|process| process.has_live_connection(self.handle.endpoint, server, own))
    }

    fn expect_a_stream(&self) {
        self.native.expect_a_stream();
    }

    #[inline]
    fn begin_exchange(&self) -> Option<Exchange> {
        Guest::begin_exchange(self)
    }
}

impl Downstream for Guest {
    #[inline]
    fn status_in_transaction(&self) -> bool {
        self.native.server_status() & SERVER_STATUS_IN_TRANS != 0
    }

    #[inline]
    fn status_autocommit(&self) -> bool {
        self.native.server_status() & SERVER_STATUS_AUTOCOMMIT != 0
    }

    #[inline]
    fn more_results(&self) -> bool {
        self.native.more_results()
    }

    fn clear_status_in_transaction(&self) {
        self.native.set_server_status(self.native.server_status() & !SERVER_STATUS_IN_TRANS);
    }

    #[inline]
    fn reply(&self) -> Replied {
        if self.native.field_count() > 0 {
            return Replied::Rows;
        }
        Replied::Done { affected: self.native.affected_rows(), insert_id: self.native.insert_id() }
    }

    fn warning_count(&self) -> u32 {
        self.native.warning_count()
    }

    fn failure(&self) -> Failure {
        self.native.failure()
    }

    fn set_failure(&self, failure: &Failure) {
        self.native.set_failure(failure);
    }

    fn read_timeout(&self) -> Option<Duration> {
        self.native.read_timeout()
    }

    fn connect_patience(&self) -> Option<Duration> {
        self.native.connect_patience()
    }

    fn condemn(&self) {
        Guest::condemn(self);
    }

    fn is_condemned(&self) -> bool {
        Guest::is_condemned(self)
    }

    fn settle_rows(&self) {
        self.settle(&mut self.state());
    }

    fn dialect(&self, session: &Session) -> Dialect {
        Dialect {
            no_backslash_escapes: self.native.server_status() & SERVER_STATUS_NO_BACKSLASH_ESCAPES != 0,
            ascii_unsafe_charset: session.unsafe_charset() || self.native.has_character_set(&ASCII_UNSAFE_CHARSETS),
            server: self.native.server(),
        }
    }

    fn announce_plain_rows(&self) {
        self.handle.announce_plain_rows();
    }

    #[inline]
    fn level(&self) -> Level {
        if config().mode == Mode::Observe { Level::Observe } else { Level::Replay }
    }
}

impl Protected for Guest {
    #[inline]
    fn endpoint(&self) -> &Endpoint {
        self.handle.endpoint
    }

    #[inline]
    fn state(&self) -> MappedMutexGuard<'_, State> {
        MutexGuard::map(self.handle.lock(), |state| &mut state.shared)
    }

    fn recalled(&self) -> &Cell<bool> {
        &self.recalled
    }

    fn line(&self) -> &dyn Protected {
        self
    }
}

impl Guest {
    /// The library is about to forget how far its statements had got.
    fn keep_statement_states(&self) {
        let mut state = self.state();
        let reading = match state.result {
            Pending::Prepared { statement, .. } => Some(statement),
            _ => None,
        };
        for live in state.statements.values_mut() {
            // Rows that were still to come from the old connection do not come from the new one.
            live.state_before_move =
                self.native.statement_state(live.statement).filter(|_| reading != Some(live.statement.key()));
        }
    }
}
