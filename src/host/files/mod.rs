//! Files, and standard error, by raw system calls: what the log and the configuration need.
//!
//! Descriptors are handled by system call and not through libc's functions: those are interposed by this very
//! library. Does not know what is written, or why.

use std::ffi::{CStr, CString, c_int};
use std::io::{self, Error};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

mod locked;

use super::descriptor::{Descriptor, checked};
use super::signals::without_its_signal;

pub(crate) use locked::{Locked, effective_user};

impl Descriptor {
    fn open(path: &Path, flags: c_int, mode: libc::mode_t) -> io::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput)?;
        Self::open_at(libc::AT_FDCWD, &path, flags, mode)
    }

    fn open_at(directory: c_int, path: &CStr, flags: c_int, mode: libc::mode_t) -> io::Result<Self> {
        let flags = flags | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
        // SAFETY: `path` ends with NUL and outlives the call, the rest are plain integers.
        Self::new(unsafe { libc::syscall(libc::SYS_openat, directory, path.as_ptr(), flags, mode) })
    }
}

/// Does this process run with more rights than its caller's (setuid, setgid, file capabilities)? Its
/// environment may have been set by anybody then, as secure_getenv(3) has it.
pub(crate) fn has_others_rights() -> bool {
    // SAFETY: any number is allowed.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Reads a text file of at most 1 MiB.
pub(crate) fn read_file(path: &Path) -> io::Result<String> {
    const MOST: usize = 1 << 20;
    let file = Descriptor::open(path, libc::O_RDONLY, 0)?;
    let mut content = Vec::new();
    let mut chunk = [0u8; 4096];
    loop {
        // SAFETY: `chunk` is writable for exactly its own length.
        let read = unsafe { libc::syscall(libc::SYS_read, file.0, chunk.as_mut_ptr(), chunk.len()) };
        match checked(read) {
            Ok(0) => break,
            Ok(length) => content.extend_from_slice(chunk.get(..length as usize).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if content.len() > MOST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
    String::from_utf8(content).map_err(|_| Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
}

/// Appends `line` with one write; creates the file with mode 0600.
pub(crate) fn append_to_file(path: &Path, line: &[u8]) -> io::Result<()> {
    let file = Descriptor::open(path, libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT, 0o600)?;
    write_at_once(file.0, line)
}

/// Sends `message` as one datagram to `/dev/log`, without waiting.
pub(crate) fn send_to_syslog(message: &[u8]) -> io::Result<()> {
    const PATH: &[u8] = b"/dev/log";
    // SAFETY: all-zero is a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { MaybeUninit::zeroed().assume_init() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, from) in address.sun_path.iter_mut().zip(PATH) {
        *to = *from as _;
    }
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: plain integers.
    let socket = Descriptor::new(unsafe { libc::syscall(libc::SYS_socket, libc::AF_UNIX, kind, 0) })?;
    // SAFETY: `message` is readable for its length, `address` for its size; both outlive the call.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_sendto,
            socket.0,
            message.as_ptr(),
            message.len(),
            libc::MSG_NOSIGNAL,
            ptr::from_ref(&address),
            size_of::<libc::sockaddr_un>(),
        )
    };
    checked(sent).map(drop)
}

/// Writes `line` to descriptor 2 if that looks like a log and takes it at once.
pub(crate) fn write_to_stderr(line: &[u8]) -> io::Result<()> {
    match what_stderr_is()? {
        Stderr::Stream => write_at_once(2, line),
        Stderr::Socket => {
            let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
            let no_address = ptr::null::<libc::sockaddr>();
            // SAFETY: `line` is readable for its length; the null address has length 0.
            let sent = unsafe { libc::syscall(libc::SYS_sendto, 2, line.as_ptr(), line.len(), flags, no_address, 0) };
            checked(sent).map(drop)
        }
    }
}

enum Stderr {
    Stream,
    Socket,
}

/// A daemon that closed its standard descriptors may have a database connection or a data file as number 2. A log is
/// a terminal or device, a pipe, a Unix socket (systemd's), or a file that is open for writing only.
fn what_stderr_is() -> io::Result<Stderr> {
    let not_a_log = || Err(io::ErrorKind::Unsupported.into());
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `status` has room for one stat.
    checked(unsafe { libc::fstat(2, status.as_mut_ptr()) }.into())?;
    // SAFETY: fstat succeeded, so it filled `status`.
    let mode = unsafe { status.assume_init() }.st_mode & libc::S_IFMT;
    match mode {
        libc::S_IFCHR | libc::S_IFIFO => Ok(Stderr::Stream),
        libc::S_IFREG => {
            // SAFETY: F_GETFL touches no memory.
            let flags = checked(unsafe { libc::syscall(libc::SYS_fcntl, 2, libc::F_GETFL) })?;
            if flags as c_int & libc::O_ACCMODE == libc::O_WRONLY { Ok(Stderr::Stream) } else { not_a_log() }
        }
        libc::S_IFSOCK => {
            let mut domain: c_int = 0;
            let mut length = size_of::<c_int>() as libc::socklen_t;
            // SAFETY: `domain` has room for the int that SO_DOMAIN is, and `length` says so.
            let asked = unsafe {
                libc::getsockopt(2, libc::SOL_SOCKET, libc::SO_DOMAIN, ptr::from_mut(&mut domain).cast(), &mut length)
            };
            checked(asked.into())?;
            if domain == libc::AF_UNIX { Ok(Stderr::Socket) } else { not_a_log() }
        }
        _ => not_a_log(),
    }
}

/// One write of the whole line if the descriptor takes it now. POLLOUT on a pipe promises PIPE_BUF (4 KiB) of room,
/// more than any line; O_NONBLOCK would be seen by everyone who shares the description.
fn write_at_once(number: c_int, line: &[u8]) -> io::Result<()> {
    let mut asked = libc::pollfd { fd: number, events: libc::POLLOUT, revents: 0 };
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: one pollfd and one timespec, both alive; a null signal mask means none is changed.
    let ready = unsafe {
        libc::syscall(libc::SYS_ppoll, ptr::from_mut(&mut asked), 1, ptr::from_ref(&at_once), ptr::null::<u8>(), 0)
    };
    checked(ready)?;
    if asked.revents & libc::POLLOUT == 0 || asked.revents & (libc::POLLERR | libc::POLLNVAL) != 0 {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    // SAFETY: `line` is readable for its length.
    without_its_signal(|| unsafe { libc::syscall(libc::SYS_write, number, line.as_ptr(), line.len()) }).map(drop)
}

/// Runs `child` in a forked process; true if it returned true within half a minute.
#[cfg(test)]
pub(crate) fn succeeds_in_child(child: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child touches only what it makes itself, through an allocator that is fork-safe, and leaves by
    // _exit: no destructor and no exit handler of the test process runs in it. The alarm ends it if it hangs.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            libc::alarm(30);
            let succeeded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            libc::_exit(if succeeded.unwrap_or(false) { 0 } else { 1 });
        }
        let mut status = 0;
        pid > 0 && libc::waitpid(pid, &mut status, 0) == pid && status == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_pipe_without_a_reader_does_not_kill_the_host() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        // SAFETY: SIG_DFL is a valid disposition; from here on a raised SIGPIPE ends this process.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        assert!(write_at_once(writer.as_raw_fd(), b"gone\n").is_err());
    }

    #[test]
    fn a_file_at_the_limit_of_its_size_does_not_kill_the_host() {
        let place = std::env::temp_dir().join(format!("pointsman-limit-{}", std::process::id()));
        std::fs::create_dir(&place).unwrap();
        let path = place.join("log");
        assert!(succeeds_in_child(|| {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: only in this child; a valid limit, and a valid disposition, by which a raised SIGXFSZ ends it.
            unsafe {
                libc::setrlimit(libc::RLIMIT_FSIZE, &none);
                libc::signal(libc::SIGXFSZ, libc::SIG_DFL);
            }
            let locked = locked::Locked::open(&place);
            append_to_file(&path, b"line\n").is_err() && locked.is_ok_and(|file| file.write(b"content").is_err())
        }));
        std::fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn a_full_pipe_is_not_waited_for() {
        let (mut reader, writer) = io::pipe().unwrap();
        let line = [b'x'; 1024];
        let mut written = 0;
        while write_at_once(writer.as_raw_fd(), &line).is_ok() {
            written += line.len();
            assert!(written <= 1 << 24, "the pipe never fills");
        }
        assert!(written >= line.len());
        drop(writer);
        let mut content = Vec::new();
        reader.read_to_end(&mut content).unwrap();
        assert_eq!(content.len(), written);
    }

    #[test]
    fn a_missing_file_is_told_apart_from_a_broken_one() {
        assert_eq!(read_file(Path::new("/proc/self/no such file")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(read_file(Path::new("/dev/zero")).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
