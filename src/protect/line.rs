//! What a front end's connection is for the rules of this room: [`Upstream`], what the library does on it, and
//! [`Downstream`], what the application sees of it.
//!
//! A value of these traits lives during one call of the application on that connection: no other thread uses it meanwhile.

use std::{
    cell::Cell,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use rustix_futex_sync::MappedMutexGuard;

use super::connection::State;
use crate::{
    endpoint::{Endpoint, logins::Login},
    host::{exchange::Exchange, ticks},
    session::{Reset, Session, execution::Value, journal::Step, transaction::Digest},
    sql::Dialect,
    verdict::failure::Failure,
};

/// The reply to a statement of the library's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done { affected: u64, insert_id: u64 },
    Rows(Vec<Vec<Option<Vec<u8>>>>),
}

/// What an execution that the library made itself came to.
pub enum Executed {
    Done { affected: u64, insert_id: u64 },
    Rows(Digest),
}

/// The connection as the library speaks on it.
pub trait Upstream {
    /// The server's id of the connection, which only grows while a server runs (MySQL manual, CONNECTION_ID()).
    fn thread_id(&self) -> u64;

    /// Its socket, also after the connection was found dead.
    fn fd(&self) -> i32;

    /// Has the server ended the connection?
    fn hung_up(&self) -> bool;

    /// The cheap form of `hung_up`, right before something is sent: it may take the socket's pending error (SO_ERROR).
    fn has_ended(&self) -> bool;

    fn is_mariadb_server(&self) -> bool;

    /// Runs a statement of the library's own, and collects its whole reply. Nothing is under way on the connection.
    fn query(&self, text: &[u8]) -> Result<Answer, Failure>;

    /// Executes a statement that is prepared for this once.
    fn execute(&self, text: &[u8], values: &[Value]) -> Result<Executed, Failure>;

    /// Does to a fresh session what the application once did to its own.
    fn apply(&self, step: &Step) -> Result<(), Failure>;

    /// Resets a fresh session as the application once did.
    fn reset_as(&self, reset: &Reset) -> Result<(), Failure>;

    /// Prepares every prepared statement of the application anew. An error is the connection's own trouble.
    fn prepare_all_again(&self) -> Result<(), Failure>;

    /// The application's account, as far as two connections with the same one are answered alike.
    fn login(&self) -> Login;

    /// Connects to `to` and logs in as the application, in place. On failure all is as before, unless `thread_id` has changed:
    /// then a login has succeeded and was lost. `question`: the number under which the endpoint knows this login.
    fn log_in(&self, to: SocketAddr, question: u64, patience: Duration) -> Result<(), Failure>;

    /// The connection is about to be replaced: keeps what the front end needs of it.
    fn is_about_to_leave(&self);

    /// The connection was replaced.
    fn has_arrived(&self);

    /// Could this process open one more descriptor just now?
    fn has_means(&self) -> bool;

    /// Ends the connection to the address that it is known to lead to. Its socket stays the application's.
    fn end_connection(&self);

    /// Where the application's own resolver leads a connect to the endpoint's name now; nowhere if it fails.
    fn resolve(&self) -> Vec<IpAddr>;

    /// Is some other connection of this process to that server alive?
    fn others_are_alive_at(&self, server: SocketAddr) -> bool;

    /// What is sent next may ask the application for a file: the kernel is to be patient with it.
    fn expect_a_stream(&self);

    /// The statement is sent next, or its answer read: what the kernel has sent of it is looked at when the connection is lost.
    fn begin_exchange(&self) -> Option<Exchange>;
}

/// What the application sees of the connection.
pub trait Downstream {
    /// The server's flag for an open transaction. An ERR packet does not carry it.
    fn status_in_transaction(&self) -> bool;

    fn status_autocommit(&self) -> bool;

    /// Results of the application's last text that it has not fetched.
    fn more_results(&self) -> bool;

    /// Puts the flag for an open transaction out.
    fn clear_status_in_transaction(&self);

    /// How the statement that has just succeeded was answered.
    fn reply(&self) -> Replied;

    /// The number of warnings of the last statement, once its rows are read.
    fn warning_count(&self) -> u32;

    /// The error that the application would be told now.
    fn failure(&self) -> Failure;

    /// The application is told this error for its last call.
    fn set_failure(&self, failure: &Failure);

    /// How long the application itself waits for an answer, if it said so.
    fn read_timeout(&self) -> Option<Duration>;

    /// How long the application itself waits for a connect, if it said so.
    fn connect_patience(&self) -> Option<Duration>;

    /// From now on the connection is lost for the application, until it connects anew.
    fn condemn(&self);

    /// Was it reported lost in this call, or before it?
    fn is_condemned(&self) -> bool;

    /// Notes the rows that the application has fetched to their end without a call that the library sees.
    fn settle_rows(&self);

    /// How the server reads a text of this session.
    fn dialect(&self, session: &Session) -> Dialect;

    /// Rows were announced of which nothing has to be noted but that they are stored.
    fn announce_plain_rows(&self);

    /// What the library does for the connection.
    fn level(&self) -> Level;
}

/// How a statement was answered that succeeded.
pub enum Replied {
    /// Rows are to come.
    Rows,
    Done {
        affected: u64,
        insert_id: u64,
    },
}

/// What the library does for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It is recognised, and nothing is changed (`mode = observe`).
    Observe,
    /// Statements wait, move and run again.
    Replay,
}

/// A protected connection, during one call of the application on it.
pub trait Protected: Upstream + Downstream {
    fn endpoint(&self) -> &Endpoint;

    fn state(&self) -> MappedMutexGuard<'_, State>;

    /// The application wants its thread back: this call waits for no writer any more.
    fn recalled(&self) -> &Cell<bool>;

    /// Itself, for the rules that are off the way of a statement, of which there is one copy for all front ends.
    fn line(&self) -> &dyn Protected;

    fn now(&self) -> Instant {
        self.endpoint().now()
    }

    /// A time that costs next to nothing (`host::ticks`); 0: long ago.
    #[inline]
    fn ticks(&self) -> u64 {
        ticks::now()
    }
}
