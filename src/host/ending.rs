//! How a connection of the application is ended under its descriptor, which stays the application's: another thread may close
//! the number and get it again for something else at any moment.

use std::net::SocketAddr;

use super::{descriptor::Descriptor, errno, socket};

/// Ends the connection `fd` if it leads to `peer`, without closing the descriptor, which belongs to the application.
///
/// Another thread may close the number and get it again for something else at any moment, so a duplicate is taken first
/// and looked at: what it leads to is what is ended. `still`: is the number, duplicated by now, still what was meant?
/// Without a free descriptor nothing is done. (A child that is forked in this very moment inherits a connection that has
/// ended, until it closes what it does not know, or becomes another program.)
pub fn end_connection(fd: i32, peer: SocketAddr, still: impl FnOnce() -> bool) -> bool {
    let Ok(duplicate) = Descriptor::duplicate_of(fd) else { return false };
    // A connection that the other end has not accepted yet has no peer.
    let meant = (socket::peer(duplicate.0) == Some(peer) || !socket::is_accepted(duplicate.0)) && still();
    if meant {
        shutdown(duplicate.0);
    }
    meant
}

/// Ends a connection that no other thread can close just now.
pub fn shutdown(fd: i32) {
    // SAFETY: any integer is allowed; errors are of no interest.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

/// Is the descriptor certainly not a connection to `peer`, open or ended? A connection that was reset has no peer any more.
pub fn leads_elsewhere(fd: i32, peer: SocketAddr) -> bool {
    let kept = errno::get();
    let seen = socket::peer(fd);
    let why = errno::get();
    errno::set(kept);
    match seen {
        Some(seen) => seen != peer,
        None => why == libc::EBADF || why == libc::ENOTSOCK,
    }
}

/// Makes a descriptor lead nowhere, in this process only. To `/dev/null`, which takes what is written to it: OpenSSL tries
/// for ever where it is told that a socket is not connected.
pub fn lead_nowhere(fd: i32) {
    // SAFETY: a string that ends with NUL, else integers; the fresh descriptor is ours alone, and closed where it is not put over the other.
    unsafe {
        let flags = libc::O_RDWR | libc::O_CLOEXEC;
        let nowhere = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, c"/dev/null".as_ptr(), flags);
        if nowhere >= 0 {
            libc::syscall(libc::SYS_dup3, nowhere, fd, libc::O_CLOEXEC);
            libc::syscall(libc::SYS_close, nowhere);
        }
    }
}

/// Could this process open one more descriptor just now?
pub fn has_free_descriptor() -> bool {
    // SAFETY: integers only.
    let fresh = unsafe { libc::syscall(libc::SYS_eventfd2, 0, libc::EFD_CLOEXEC) };
    Descriptor::as_it_is(fresh).is_ok()
}

#[cfg(test)]
mod tests {
    use std::{
        os::fd::AsRawFd,
        sync::atomic::{AtomicBool, Ordering::Relaxed},
        thread,
    };

    use super::{
        super::socket::{
            hung_up,
            tests::{Ends, duplicate_over},
        },
        *,
    };

    /// Another thread closes the number and takes it for something else again and again, in the middle of it all.
    #[test]
    fn whatever_becomes_of_a_number_only_the_connection_that_is_meant_is_ended() {
        let (meant, other) = (Ends::connected(), Ends::connected());
        let peer = socket::peer(meant.client.as_raw_fd()).unwrap();
        let number = other.client.try_clone().unwrap();
        let [fd, meant_fd, other_fd] = [&number, &meant.client, &other.client].map(AsRawFd::as_raw_fd);
        let over = AtomicBool::new(false);
        let ended = thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    duplicate_over(meant_fd, fd);
                    duplicate_over(other_fd, fd);
                }
            });
            let ended = (0..50_000).filter(|_| end_connection(fd, peer, || true)).count();
            over.store(true, Relaxed);
            ended
        });
        assert_eq!(hung_up(meant_fd), ended > 0);
        assert!(!hung_up(other_fd) && !hung_up(other.server.as_ref().unwrap().as_raw_fd()));
    }

    #[test]
    fn a_connection_is_not_ended_if_it_is_no_longer_meant_or_its_number_leads_elsewhere() {
        let (one, other) = (Ends::connected(), Ends::connected());
        let [one, other] =
            [&one, &other].map(|ends| (ends.client.as_raw_fd(), socket::peer(ends.client.as_raw_fd()).unwrap()));
        assert!(!end_connection(one.0, one.1, || false) && !end_connection(one.0, other.1, || true));
        assert!(!hung_up(one.0) && !leads_elsewhere(one.0, one.1) && leads_elsewhere(one.0, other.1));
        assert!(end_connection(one.0, one.1, || true) && hung_up(one.0) && !hung_up(other.0));
        assert!(leads_elsewhere(-1, one.1) && !end_connection(-1, one.1, || true));
        let reset = Ends::reset_with_all_delivered();
        assert!(!leads_elsewhere(reset.client.as_raw_fd(), one.1), "whose it was cannot be told any more");
    }
}
