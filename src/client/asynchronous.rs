//! Asynchronous calls: MariaDB's `_start` and `_cont`, Oracle's `_nonblocking`.
//!
//! What they do to the session is learnt as from any other call. But nothing may wait inside of them, and libmariadb runs
//! its part of them on a small stack of its own: so nothing is held, moved or run again here. Errors reach the application
//! as they are, and a connection that has to be left is reported lost; a call that may wait moves it instead.

use std::ffi::c_int;

use super::{
    Call,
    handle::Guest,
    layout::{native::Active, sys::MYSQL_RES},
};
use crate::{
    guard::decide,
    host::exchange,
    protect::{
        attempts::Attempts,
        connection::{Pending, Sent, Waited},
        line::Protected,
        statement::{Returned, Rules, evidence_of},
    },
};

/// What an asynchronous call is to do.
pub enum Work<'a> {
    Query(&'a [u8]),
    Send(&'a [u8]),
    ReadQueryResult,
    StoreResult,
    NextResult,
    ResetConnection,
}

/// What is under way on a handle.
pub enum UnderWay {
    Query(Sent),
    Send(Sent),
    /// The answer to what was sent before, if that is known.
    Read(Option<Sent>),
    Store,
    Next,
    Reset,
}

/// What a call that is over has come to.
pub enum Outcome {
    Code(c_int),
    Result(*mut MYSQL_RES),
}

/// One step of a call. `work` is what it begins with; `None`: it goes on. `real` makes the step, and says what the call
/// has come to if it is over.
pub fn step<T>(call: Call, mysql: Active, work: Option<Work<'_>>, real: impl FnOnce() -> (T, Option<Outcome>)) -> T {
    let guest = match work {
        None => call.go_on(mysql),
        Some(work) => begin(call, mysql, work),
    };
    finish(guest, real)
}

/// A call of a library whose calls are made again until they are over.
pub fn again<T>(call: Call, mysql: Active, work: Work<'_>, real: impl FnOnce() -> (T, Option<Outcome>)) -> T {
    let guest = call.go_on(mysql).or_else(|| begin(call, mysql, work));
    finish(guest, real)
}

fn begin(call: Call, mysql: Active, work: Work<'_>) -> Option<Guest> {
    let guest = call.enter(mysql)?;
    decide(|| guest.begins(work)).unwrap_or(false).then_some(guest)
}

fn finish<T>(guest: Option<Guest>, real: impl FnOnce() -> (T, Option<Outcome>)) -> T {
    // Nothing may wait in here: not even for an exchange out of which the thread has jumped (siglongjmp).
    exchange::forget();
    let (value, outcome) = real();
    match (guest, outcome) {
        (Some(guest), None) => guest.stay(),
        (Some(guest), Some(outcome)) => {
            decide(|| guest.is_over(outcome));
        }
        (None, _) => {}
    }
    value
}

impl Guest {
    /// False: the call is not followed.
    fn begins(&self, work: Work<'_>) -> bool {
        let sent = |text: &[u8]| {
            let statement = self.classify(&mut self.state(), text);
            if self.line().has_to_be_left(&statement) {
                self.condemn();
                return None;
            }
            if statement.streams {
                self.native.expect_a_stream();
            }
            Some(Sent { text: text.to_vec(), statement, only_command_in_flight: false, wait: Waited::default() })
        };
        let under_way = match work {
            Work::Query(text) => sent(text).map(UnderWay::Query),
            Work::Send(text) => sent(text).map(UnderWay::Send),
            Work::ReadQueryResult => Some(UnderWay::Read(self.state().sent.take())),
            Work::StoreResult => Some(UnderWay::Store),
            Work::NextResult => Some(UnderWay::Next),
            Work::ResetConnection => Some(UnderWay::Reset),
        };
        let followed = under_way.is_some();
        self.state().under_way = under_way;
        followed
    }

    fn is_over(&self, outcome: Outcome) {
        let under_way = self.state().under_way.take();
        match (under_way, outcome) {
            (Some(UnderWay::Query(sent) | UnderWay::Read(Some(sent))), Outcome::Code(code)) => {
                self.answered(&sent, code)
            }
            (Some(UnderWay::Read(None)), _) => self.take_over(),
            (Some(UnderWay::Send(sent)), Outcome::Code(0)) => self.state().sent = Some(sent),
            (Some(UnderWay::Send(sent)), Outcome::Code(code)) => self.answered(&sent, code),
            (Some(UnderWay::Store), Outcome::Result(result)) => {
                self.state().result = Pending::None;
                if !result.is_null() {
                    self.stored(result);
                } else if let Some(evidence) = evidence_of(&self.native.failure()) {
                    self.line().was_told(evidence);
                }
            }
            (Some(UnderWay::Next), Outcome::Code(code)) => self.came_next(code),
            (Some(UnderWay::Reset), Outcome::Code(0)) => {
                self.state().result = Pending::None;
                self.was_reset();
            }
            _ => {}
        }
    }

    fn answered(&self, sent: &Sent, code: c_int) {
        let evidence = evidence_of(&self.native.failure()).filter(|_| code != 0);
        match evidence {
            Some(evidence) => self.line().was_told(evidence),
            None => {
                let _ = self.after(&sent.text, &sent.statement, Returned::from(code, None), &mut Attempts::default());
            }
        }
    }
}
