//! What the library remembers of each thread, in one place, because a fork and a jump out of the library's work make most of it void.
//!
//! Cells with `const` values and without Drop: they can be used before any constructor, in signal handlers, and while the thread ends.
//! What `client/` remembers of a thread stays there, since a fork does not make it void: `client/` compares it before it uses it.

use std::{cell::Cell, ffi::c_int, net::SocketAddr};

use super::{exchange::UnderWay, steer};

/// What each statement looks at comes first, so that it is in one line of the processor's cache.
#[repr(C)]
pub struct Thread {
    /// How many of the library's decisions it is inside of (`guard`): then its calls go straight through.
    pub decisions: Cell<u32>,
    /// How many questions to the loader it is inside of (`loader`).
    pub(super) loader_questions: Cell<u32>,
    /// Where on its stack the library's work began (`stack`); 0: there is no work.
    pub(super) work: Cell<usize>,
    /// The exchange with a server that it is in (`exchange`).
    pub(super) exchange: Cell<UnderWay>,
    /// The socket that it began to connect last, and to where (`patience`).
    pub(super) connect: Cell<Option<(c_int, SocketAddr)>>,
    /// The server that its connects are led to (`steer`).
    pub(super) steered: Cell<Option<SocketAddr>>,
    /// What it connects to just now: the door of `connect` tags the socket with it.
    pub(super) connecting: Cell<Option<steer::Endpoint>>,
    /// This client library finds the host by itself, in an option file or a list: the name that it looks up is the endpoint's.
    pub(super) learns: Cell<Option<&'static dyn steer::ClientLibrary>>,
    /// The question that its login is, for a limit to it.
    pub(super) question: Cell<Option<u64>>,
    /// Where its lookup of the endpoint's name has led: it connects to one of these.
    pub(super) led_to: Cell<[Option<SocketAddr>; steer::LOOKED_AT]>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread {
            decisions: Cell::new(0),
            loader_questions: Cell::new(0),
            work: Cell::new(0),
            exchange: Cell::new(UnderWay::Nothing),
            connect: Cell::new(None),
            steered: Cell::new(None),
            connecting: Cell::new(None),
            learns: Cell::new(None),
            question: Cell::new(None),
            led_to: Cell::new([None; steer::LOOKED_AT]),
        }
    };
}

/// Looks at what is remembered of this thread. `None`: the thread is being torn down.
#[inline]
pub fn with<T>(look: impl FnOnce(&Thread) -> T) -> Option<T> {
    THREAD.try_with(look).ok()
}

/// In a forked child, or after a jump out of the library's work: what this thread was doing for the library is over.
pub fn forget() {
    with(|thread| {
        // Each cell has a line here, so that a new one cannot be forgotten.
        let Thread {
            decisions,
            work,
            exchange,
            connect,
            steered,
            connecting,
            learns,
            question,
            // The child of a thread that asks the loader goes on with its question.
            loader_questions: _,
            // Counts only for the connect that comes next, or has just been made.
            led_to: _,
        } = thread;
        decisions.set(0);
        work.set(0);
        exchange.set(UnderWay::Nothing);
        connect.set(None);
        steered.set(None);
        connecting.set(None);
        learns.set(None);
        question.set(None);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_did_is_forgotten_and_its_question_to_the_loader_is_not() {
        with(|thread| {
            thread.decisions.set(2);
            thread.work.set(1);
            thread.exchange.set(UnderWay::Closed(true));
            thread.question.set(Some(7));
            thread.loader_questions.set(1);
        });
        forget();
        with(|thread| {
            assert_eq!((thread.decisions.get(), thread.work.get(), thread.question.get()), (0, 0, None));
            assert!(thread.exchange.get() == UnderWay::Nothing);
            assert_eq!(thread.loader_questions.replace(0), 1);
        });
    }
}
