//! What became of the last words on a connection that ended while this thread waited for the answer to them.
//!
//! A client library closes its socket before anybody is told of the loss, and what the kernel knew goes with it. So
//! whoever sends a statement listens on its socket, and the door of `close` asks the kernel in the last moment.

use std::{cell::Cell, ffi::c_int, marker::PhantomData};

use super::raw;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ear {
    Deaf,
    /// Nobody has closed this descriptor yet, so it still is the connection that is meant.
    On(c_int),
    /// It was closed. True: a tail of what was written to it has never left this host, and never will.
    Heard(bool),
}

thread_local! {
    static EAR: Cell<Ear> = const { Cell::new(Ear::Deaf) };
}

/// As long as it lives, this thread listens. It belongs to the thread.
pub struct LastWords(PhantomData<*const ()>);

/// Listens on the connection `fd`, on which nothing is under way.
pub fn listen(fd: c_int) -> LastWords {
    let _ = EAR.try_with(|ear| ear.set(Ear::On(fd)));
    LastWords(PhantomData)
}

impl LastWords {
    /// The connection was closed meanwhile, and what was written last has not left this host to its last byte.
    pub fn never_left(self) -> bool {
        EAR.try_with(Cell::get) == Ok(Ear::Heard(true))
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        deafen();
    }
}

/// `fd` is about to be closed by this thread.
pub fn closing(fd: c_int) {
    if EAR.try_with(Cell::get) == Ok(Ear::On(fd)) {
        let _ = EAR.try_with(|ear| ear.set(Ear::Heard(raw::never_left(fd))));
    }
}

/// This thread connects a socket: the library may say the same again, on another connection. What was heard of the
/// first one says nothing of that.
pub fn deafen() {
    let _ = EAR.try_with(|ear| ear.set(Ear::Deaf));
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::{super::raw::tests::Ends, *};

    #[test]
    fn a_close_is_heard_of_the_descriptor_that_is_listened_on() {
        let (lost, delivered) = (Ends::reset_with_unsent(), Ends::reset_with_all_delivered());
        let (lost, delivered) = (lost.client.as_raw_fd(), delivered.client.as_raw_fd());
        for (on, closed, heard) in [(lost, lost, true), (delivered, delivered, false), (delivered, lost, false)] {
            let words = listen(on);
            closing(closed);
            assert_eq!(words.never_left(), heard);
        }
    }

    #[test]
    fn the_first_close_of_a_number_counts() {
        let (lost, delivered) = (Ends::reset_with_unsent(), Ends::reset_with_all_delivered());
        let number = delivered.client.as_raw_fd();
        let words = listen(number);
        closing(number);
        // The number is taken again.
        assert!(raw::never_left(lost.client.as_raw_fd()));
        raw::tests::duplicate_over(lost.client.as_raw_fd(), number);
        closing(number);
        assert!(!words.never_left());
    }

    #[test]
    fn nothing_is_heard_after_a_connect_or_of_an_earlier_listener() {
        let lost = Ends::reset_with_unsent();
        let fd = lost.client.as_raw_fd();
        let words = listen(fd);
        closing(fd);
        deafen();
        assert!(!words.never_left());
        drop(listen(fd));
        closing(fd);
        assert!(!listen(fd).never_left());
    }
}
