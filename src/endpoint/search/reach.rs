//! Is there a MySQL server that speaks at this address? A TCP connect and its first bytes, with a short limit. Knows no rule:
//! `greetings` says when a server is asked.

use std::{
    io::{ErrorKind, Read},
    mem::ManuallyDrop,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::{
    greetings::{FirstBytes, GreetingConnection},
    prober::Undialled,
};

/// A TCP connection to a server, and its own end's address, by which its descriptor is known again.
#[derive(Debug)]
struct Reached {
    stream: ManuallyDrop<TcpStream>,
    own: SocketAddr,
}

/// Opens a connection to `server` for its greeting alone. It is accepted `within` that time or given up.
pub fn connect_for_greeting(server: SocketAddr, within: Duration) -> Result<Box<dyn GreetingConnection>, Undialled> {
    match Reached::begin(server, within) {
        Ok(reached) => Ok(Box::new(reached)),
        Err(error) if error.raw_os_error().is_some_and(is_own_lack) => Err(Undialled::NotTried(error.to_string())),
        Err(error) => Err(Undialled::Unreachable(error.to_string())),
    }
}

impl Reached {
    fn begin(server: SocketAddr, within: Duration) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, within)?;
        let own = stream.local_addr()?;
        Ok(Reached { stream: ManuallyDrop::new(stream), own })
    }
}

impl GreetingConnection for Reached {
    fn is_ours(&self) -> bool {
        self.stream.local_addr().is_ok_and(|own| own == self.own)
    }

    fn first_bytes(&self, limit: Duration) -> FirstBytes {
        match self.stream.set_read_timeout(Some(limit)).and_then(|()| (&*self.stream).read(&mut [0; 4])) {
            Ok(0) => FirstBytes::Closed,
            Ok(_) => FirstBytes::Came,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => FirstBytes::Awaited,
            Err(_) => FirstBytes::Closed,
        }
    }
}

impl Drop for Reached {
    fn drop(&mut self) {
        if self.is_ours() {
            // SAFETY: it is not used any more.
            unsafe { ManuallyDrop::drop(&mut self.stream) };
        }
    }
}

/// Errors of socket(2) and connect(2) that speak of this process or this host, and not of the other end.
pub fn is_own_lack(errno: i32) -> bool {
    matches!(errno, libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EADDRNOTAVAIL)
}

#[cfg(test)]
mod tests {
    use std::{
        net::TcpListener,
        os::fd::{AsRawFd, IntoRawFd},
    };

    use super::*;
    use crate::host::socket;

    #[test]
    fn a_descriptor_that_the_application_has_closed_and_uses_again_is_left_alone() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let greeting = Reached::begin(listener.local_addr().unwrap(), Duration::from_secs(5)).unwrap();
        let others = std::fs::File::open("/dev/null").unwrap();
        let fd = greeting.stream.as_raw_fd();
        // The number is the file's from now on.
        socket::tests::duplicate_over(others.into_raw_fd(), fd);
        assert!(!greeting.is_ours());
        drop(greeting);
        // SAFETY: any integer is allowed.
        assert_ne!(unsafe { libc::fcntl(fd, libc::F_GETFD) }, -1, "it is still open");
    }
}
