//! How a call ends that could not be mended: what the application is told, and what becomes of its connection.

use std::{borrow::Cow, ffi::c_int};

use super::{
    connection::Pending,
    line::Protected,
    rescue::{Fallen, Next},
};
use crate::{
    control::{
        config,
        counters::COUNTERS,
        log::{Level::*, say},
        option::VictimError,
    },
    verdict::{evidence, failure::Failure},
};

/// What the library would have said of a connection that ended in the middle.
fn server_lost() -> Failure {
    Failure::new(evidence::SERVER_LOST, b"HY000", "Lost connection to server during query")
}

/// What is told instead of nothing. No call fails without a number: applications take that for success, or for anything.
fn told(failure: &Failure) -> Cow<'_, Failure> {
    if failure.number == 0 { Cow::Owned(server_lost()) } else { Cow::Borrowed(failure) }
}

impl dyn Protected + '_ {
    /// The loss reaches the application; with `lost` the connection stays lost.
    pub(super) fn surface(&self, fallen: &Fallen, healthy: bool, lost: bool) -> Next {
        COUNTERS.surfaced.count();
        let number = fallen.original.number;
        let loss = if evidence::is_loss(number) && number != evidence::TLS_BROKEN {
            fallen.original.clone()
        } else {
            // CALL and the like, refused half-way: no statement-level error may suggest that nothing was done.
            // TLS that broke: frameworks know 2013 as "connection lost", and 2026 as a bad certificate.
            server_lost()
        };
        let why = if healthy {
            "its server is healthy, so the connection was ended on purpose"
        } else {
            "whether the statement was executed is unknown, so it is not run again"
        };
        say!(Warn, "{}: error {} reaches the application: {why}", self.endpoint().name, loss.number);
        self.state().session.transaction_gone();
        self.deliver(&loss, fallen.code, lost)
    }

    /// The connection is reported lost, and with it the transaction if there was one.
    pub(super) fn lose(&self, fallen: &Fallen) -> Next {
        let told = match fallen.in_transaction && !evidence::is_loss(fallen.original.number) {
            true => server_lost(),
            false => fallen.original.clone(),
        };
        self.deliver(&told, fallen.code, true)
    }

    /// The transaction is gone for certain. The connection is good, unless it has ended.
    pub(super) fn victim(&self, fallen: &Fallen, why: &str) -> Next {
        COUNTERS.victims.count();
        let ended = self.hung_up();
        let failure = match config().victim_error {
            VictimError::Deadlock if !ended => Failure::new(
                evidence::LOCK_DEADLOCK,
                b"40001",
                "Deadlock found when trying to get lock; try restarting transaction (the server changed)",
            ),
            VictimError::Original if !ended => fallen.original.clone(),
            VictimError::Deadlock | VictimError::ServerLost | VictimError::Original => server_lost(),
        };
        say!(
            Warn,
            "{}: a transaction is gone with its server ({why}); error {} reaches the application",
            self.endpoint().name,
            failure.number
        );
        self.transaction_gone();
        // No other error says that the transaction is gone and the connection is not.
        self.deliver(&failure, fallen.code, failure.number != evidence::LOCK_DEADLOCK)
    }

    /// No transaction is open any more, whatever the stale flag says.
    pub fn transaction_gone(&self) {
        self.state().session.transaction_gone();
        self.clear_status_in_transaction();
    }

    /// Ends the call with `failure` on the handle; `lost`: the connection is given up with it.
    pub fn deliver(&self, failure: &Failure, code: c_int, lost: bool) -> Next {
        let failure = told(failure);
        if lost || matches!(failure, Cow::Owned(_)) {
            self.condemn();
        }
        {
            let mut state = self.state();
            state.result = Pending::None;
            state.sent = None;
        }
        self.set_failure(&failure);
        Next::Deliver(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_fails_without_a_number() {
        let nothing = Failure::new(0, b"00000", "");
        assert_eq!(told(&nothing).number, evidence::SERVER_LOST);
        let refused = Failure::new(1290, b"HY000", "--read-only");
        assert_eq!(*told(&refused), refused);
    }
}
