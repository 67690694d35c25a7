//! The exchange that this thread is in: a statement was sent on a socket, and the client library waits for the answer.
//!
//! Two doors of libc care. The one of `close`: a library closes its socket before anybody is told of a loss, and what the
//! kernel knew goes with it, so the kernel is asked in the last moment for what had not left this host. And the one of
//! `recv`: libmariadb asks whether the answer is there as soon as it has sent the statement, in vain, and then waits for
//! it by another call. It waits in the first one instead, which pays for the look before the statement.

use std::{ffi::c_int, marker::PhantomData};

use super::{
    socket,
    thread::{self, Thread},
};

/// How an answer that is not there yet is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// As the library does it: it has a limit of its own, or another function waits for it.
    Itself,
    /// In `recv`, until something comes. The library would do nothing else.
    InRecv,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum UnderWay {
    Nothing,
    /// This descriptor was not closed yet, so it still is the connection that is meant.
    On(c_int, Waits),
    /// It was closed. True: a tail of what was written to it has never left this host, and never will.
    Closed(bool),
}

/// Goes on as long as it lives. It belongs to the thread.
pub struct Exchange(PhantomData<*const ()>);

/// Begins on the connection `fd`, on which nothing is under way.
pub fn begin(fd: c_int, waits: Waits) -> Exchange {
    thread::with(|thread| thread.exchange.set(UnderWay::On(fd, waits)));
    Exchange(PhantomData)
}

impl Exchange {
    /// The connection was closed meanwhile, and what was written last has not left this host to its last byte.
    pub fn never_left(self) -> bool {
        thread::with(|thread| thread.exchange.get() == UnderWay::Closed(true)).unwrap_or(false)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        forget();
    }
}

/// `fd` is about to be closed by this thread.
pub fn closing(fd: c_int) {
    thread::with(|thread| match thread.exchange.get() {
        UnderWay::On(on, _) if on == fd => thread.exchange.set(UnderWay::Closed(socket::never_left(fd))),
        _ => {}
    });
}

/// Does this thread have nothing to do but to wait for bytes on `fd`?
fn waits_on(fd: c_int) -> bool {
    let waits = |thread: &Thread| matches!(thread.exchange.get(), UnderWay::On(on, Waits::InRecv) if on == fd);
    thread::with(waits).unwrap_or(false)
}

/// The flags of a `recv` on `fd`: who only waits need not ask first whether anything is there.
pub fn recv_flags(fd: c_int, flags: c_int) -> c_int {
    if flags == libc::MSG_DONTWAIT && waits_on(fd) { 0 } else { flags }
}

/// This thread connects a socket: the library may say the same again, on another connection. What was heard of the
/// first one says nothing of that.
pub fn forget() {
    thread::with(|thread| thread.exchange.set(UnderWay::Nothing));
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::{super::socket::tests::Ends, *};

    #[test]
    fn a_close_is_heard_of_the_descriptor_that_the_exchange_is_on() {
        let (lost, delivered) = (Ends::reset_with_unsent(), Ends::reset_with_all_delivered());
        let (lost, delivered) = (lost.client.as_raw_fd(), delivered.client.as_raw_fd());
        for (on, closed, heard) in [(lost, lost, true), (delivered, delivered, false), (delivered, lost, false)] {
            let exchange = begin(on, Waits::Itself);
            closing(closed);
            assert_eq!(exchange.never_left(), heard);
        }
    }

    #[test]
    fn the_first_close_of_a_number_counts() {
        let (lost, delivered) = (Ends::reset_with_unsent(), Ends::reset_with_all_delivered());
        let number = delivered.client.as_raw_fd();
        let exchange = begin(number, Waits::Itself);
        closing(number);
        // The number is taken again.
        assert!(socket::never_left(lost.client.as_raw_fd()));
        socket::tests::duplicate_over(lost.client.as_raw_fd(), number);
        closing(number);
        assert!(!exchange.never_left());
    }

    #[test]
    fn nothing_is_heard_after_a_connect_or_of_an_earlier_exchange() {
        let lost = Ends::reset_with_unsent();
        let fd = lost.client.as_raw_fd();
        let exchange = begin(fd, Waits::Itself);
        closing(fd);
        forget();
        assert!(!exchange.never_left());
        drop(begin(fd, Waits::Itself));
        closing(fd);
        assert!(!begin(fd, Waits::Itself).never_left());
    }

    #[test]
    fn a_thread_waits_on_the_descriptor_of_its_exchange_until_that_is_closed_or_over() {
        let ends = Ends::reset_with_all_delivered();
        let fd = ends.client.as_raw_fd();
        assert!(!waits_on(fd));
        {
            let _exchange = begin(fd, Waits::InRecv);
            assert!(waits_on(fd) && !waits_on(fd + 1));
            std::thread::scope(|scope| assert!(!scope.spawn(|| waits_on(fd)).join().unwrap(), "another thread"));
            closing(fd);
            assert!(!waits_on(fd));
        }
        let exchange = begin(fd, Waits::InRecv);
        drop(exchange);
        assert!(!waits_on(fd));
        let _exchange = begin(fd, Waits::Itself);
        assert!(!waits_on(fd));
    }
}
