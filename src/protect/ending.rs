//! How a call ends that could not be mended: what the application is told, and what becomes of its connection.

use std::{borrow::Cow, ffi::c_int};

use super::{
    connection::Pending,
    line::Protected,
    rescue::{FailedStatement, Next},
};
use crate::{
    control::{
        config,
        counters::COUNTERS,
        log::{Level::*, say},
        option::VictimError,
    },
    session::reasons::PinReason,
    verdict::{Action, evidence, failure::Failure},
};

/// What the library would have said of a connection that ended in the middle.
fn server_lost() -> Failure {
    Failure::new(evidence::SERVER_LOST, b"HY000", "Lost connection to server during query")
}

/// What becomes of a connection on which a call has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// The application goes on with it.
    Good,
    /// It is lost for the application, until that connects anew.
    Lost,
}

impl Afterwards {
    pub fn lost_if(lost: bool) -> Self {
        if lost { Afterwards::Lost } else { Afterwards::Good }
    }
}

/// The loss that the application is told of for a statement that failed with this.
fn loss(original: &Failure) -> Failure {
    if evidence::is_loss(original.number) && original.number != evidence::TLS_BROKEN {
        return original.clone();
    }
    // CALL and the like, refused half-way: no statement-level error may suggest that nothing was done.
    // TLS that broke: frameworks know 2013 as "connection lost", and 2026 as a bad certificate.
    server_lost()
}

/// What is told instead of nothing. No call fails without a number: applications take that for success, or for anything.
fn told(failure: &Failure) -> Cow<'_, Failure> {
    if failure.number == 0 { Cow::Owned(server_lost()) } else { Cow::Borrowed(failure) }
}

impl dyn Protected + '_ {
    /// The loss reaches the application.
    pub(super) fn surface(&self, failed: &FailedStatement, healthy: bool, afterwards: Afterwards) -> Next {
        COUNTERS.surfaced.count();
        let loss = loss(&failed.original);
        let why = if healthy {
            "its server is healthy, so the connection was ended on purpose"
        } else {
            "whether the statement was executed is unknown, so it is not run again"
        };
        say!(Warn, "{}: error {} reaches the application: {why}", self.endpoint().name, loss.number);
        self.state().session.transaction_gone();
        self.deliver(&loss, failed.code, afterwards)
    }

    /// The connection is reported lost, and with it the transaction if there was one.
    pub(super) fn lose(&self, failed: &FailedStatement) -> Next {
        let told = match failed.in_transaction && !evidence::is_loss(failed.original.number) {
            true => server_lost(),
            false => failed.original.clone(),
        };
        self.deliver(&told, failed.code, Afterwards::Lost)
    }

    /// A pinned session has lost its server. `action`: what the verdict says of it.
    pub(super) fn lose_pinned(&self, failed: &FailedStatement, action: Action, pin: PinReason) -> Next {
        COUNTERS.pinned.count();
        let told = if action == Action::PassOnThenLost { failed.original.clone() } else { loss(&failed.original) };
        say!(
            Warn,
            "{}: error {} reaches the application and its connection is reported lost: the session is pinned by {pin}, \
             which no other server has",
            self.endpoint().name,
            told.number
        );
        self.deliver(&told, failed.code, Afterwards::Lost)
    }

    /// The transaction is gone for certain. The connection is good, unless it has ended.
    pub(super) fn victim(&self, failed: &FailedStatement, why: &str) -> Next {
        COUNTERS.victims.count();
        let ended = self.hung_up();
        let failure = match config().victim_error {
            VictimError::Deadlock if !ended => Failure::new(
                evidence::LOCK_DEADLOCK,
                b"40001",
                "Deadlock found when trying to get lock; try restarting transaction (the server changed)",
            ),
            VictimError::Original if !ended => failed.original.clone(),
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
        let lost = failure.number != evidence::LOCK_DEADLOCK;
        self.deliver(&failure, failed.code, Afterwards::lost_if(lost))
    }

    /// No transaction is open any more, whatever the stale flag says.
    pub fn transaction_gone(&self) {
        self.state().session.transaction_gone();
        self.clear_status_in_transaction();
    }

    /// Ends the call with that return value and `failure` on the connection.
    pub fn deliver(&self, failure: &Failure, code: c_int, afterwards: Afterwards) -> Next {
        let failure = told(failure);
        if afterwards == Afterwards::Lost || matches!(failure, Cow::Owned(_)) {
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
    fn a_loss_has_the_number_that_says_so_and_no_other_one() {
        for (number, told) in [(2006, 2006), (2013, 2013), (1927, 1927), (2026, 2013), (1053, 2013), (1290, 2013)] {
            assert_eq!(loss(&Failure::new(number, b"HY000", "")).number, told);
        }
    }

    #[test]
    fn no_call_fails_without_a_number() {
        let nothing = Failure::new(0, b"00000", "");
        assert_eq!(told(&nothing).number, evidence::SERVER_LOST);
        let refused = Failure::new(1290, b"HY000", "--read-only");
        assert_eq!(*told(&refused), refused);
    }
}
