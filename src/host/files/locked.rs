//! A small file that the processes of one user on this host write in turn: opened, locked, read, written and closed within
//! one call, so that no descriptor is kept. Must not know what is in it.
//!
//! The file lies in a directory of this user's own, `pointsman-UID`, inside a place that others may write to as well. Nothing
//! is trusted that another user could have put there: no symbolic link is followed, and directory and file must belong to
//! the effective user and be closed to everybody else.

use std::ffi::{CStr, CString, c_int};
use std::io::{self, Error, ErrorKind};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::{Descriptor, checked, without_its_signal};

const NAME: &CStr = c"budgets";
/// The lock is held for some microseconds. A process that does not get it by then does without.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(1);

/// The file, locked for as long as this lives.
pub(crate) struct Locked {
    file: Descriptor,
    identity: (libc::dev_t, libc::ino_t),
}

impl Locked {
    /// `WouldBlock`: another process has it just now.
    pub fn open(place: &Path) -> io::Result<Self> {
        let user = effective_user();
        let path = place.join(format!("pointsman-{user}"));
        let directory = match open_directory(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make_directory(&path)?;
                open_directory(&path)
            }
            opened => opened,
        }?;
        owned(&directory, user, libc::S_IFDIR)?;
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_NOFOLLOW;
        let file = Descriptor::open_at(directory.0, NAME, flags, 0o600)?;
        let status = owned(&file, user, libc::S_IFREG)?;
        for _ in 1..TRIES {
            match lock(&file) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
                locked => {
                    locked?;
                    return Ok(Self { file, identity: (status.st_dev, status.st_ino) });
                }
            }
        }
        Err(ErrorKind::WouldBlock.into())
    }

    /// What is in the file: at most the first `most` bytes.
    pub fn read(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut content = vec![0; most];
        let mut length = 0;
        while let Some(room) = content.get_mut(length..).filter(|room| !room.is_empty()) {
            // SAFETY: `room` is writable for its length.
            let read = checked(unsafe {
                libc::syscall(libc::SYS_pread64, self.file.0, room.as_mut_ptr(), room.len(), length as libc::off64_t)
            })?;
            if read == 0 {
                break;
            }
            length += read as usize;
        }
        content.truncate(length);
        Ok(content)
    }

    /// Puts `content` at the beginning of the file.
    pub fn write(&self, content: &[u8]) -> io::Result<()> {
        // The application may have closed a descriptor that it does not know, and got the number again for a file of its own.
        let status = status(&self.file)?;
        if (status.st_dev, status.st_ino) != self.identity {
            return Err(ErrorKind::NotFound.into());
        }
        // SAFETY: `content` is readable for its length.
        let written = without_its_signal(|| unsafe {
            libc::syscall(libc::SYS_pwrite64, self.file.0, content.as_ptr(), content.len(), 0)
        })?;
        if written as usize == content.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // A child that was forked meanwhile has the same lock on its copy of the descriptor: closing ours would not end it.
        // SAFETY: plain integers.
        unsafe { libc::syscall(libc::SYS_flock, self.file.0, libc::LOCK_UN) };
    }
}

/// The effective user of this thread, whose the files are.
pub(crate) fn effective_user() -> u32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::syscall(libc::SYS_geteuid) as u32 }
}

fn open_directory(path: &Path) -> io::Result<Descriptor> {
    Descriptor::open(path, libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW, 0)
}

fn make_directory(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| ErrorKind::InvalidInput)?;
    // SAFETY: `path` ends with NUL and outlives the call, the rest are plain integers.
    match checked(unsafe { libc::syscall(libc::SYS_mkdirat, libc::AT_FDCWD, path.as_ptr(), 0o700) }) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn lock(file: &Descriptor) -> io::Result<()> {
    // SAFETY: plain integers.
    checked(unsafe { libc::syscall(libc::SYS_flock, file.0, libc::LOCK_EX | libc::LOCK_NB) }).map(drop)
}

fn status(file: &Descriptor) -> io::Result<libc::stat> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `status` has room for one stat, which the kernel fills if the call succeeds.
    unsafe {
        checked(libc::fstat(file.0, status.as_mut_ptr()).into())?;
        Ok(status.assume_init())
    }
}

/// The status of a file of that kind that is `user`'s, with one name, and closed to all others.
fn owned(file: &Descriptor, user: u32, kind: libc::mode_t) -> io::Result<libc::stat> {
    let status = status(file)?;
    let refuse = |why: &str| Err(Error::new(ErrorKind::PermissionDenied, why));
    if status.st_mode & libc::S_IFMT != kind || kind == libc::S_IFREG && status.st_nlink != 1 {
        return refuse("it is of another kind than the library's own");
    }
    if status.st_uid != user {
        return refuse("it belongs to another user");
    }
    if c_int::try_from(status.st_mode & 0o077) != Ok(0) {
        return refuse("it is open to other users");
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("pointsman-state-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        path
    }

    fn own(place: &Path) -> PathBuf {
        place.join(format!("pointsman-{}", effective_user()))
    }

    fn why(place: &Path) -> ErrorKind {
        Locked::open(place).err().expect("it is not used").kind()
    }

    #[test]
    fn what_one_has_written_the_next_one_reads_and_no_other_user_can() {
        let place = scratch("content");
        let file = Locked::open(&place).unwrap();
        assert_eq!(file.read(100).unwrap(), b"");
        file.write(b"hello").unwrap();
        assert_eq!(why(&place), ErrorKind::WouldBlock, "it is locked");
        drop(file);
        assert_eq!(Locked::open(&place).unwrap().read(100).unwrap(), b"hello");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&own(&place)), mode(&own(&place).join("budgets"))), (0o700, 0o600));
        fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn nothing_that_another_user_may_have_put_there_is_used() {
        let place = scratch("foreign");
        symlink(std::env::temp_dir(), own(&place)).unwrap();
        assert_eq!(why(&place), ErrorKind::NotADirectory);
        fs::remove_file(own(&place)).unwrap();

        fs::create_dir(own(&place)).unwrap();
        fs::set_permissions(own(&place), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(why(&place), ErrorKind::PermissionDenied, "others may write to it");
        fs::set_permissions(own(&place), fs::Permissions::from_mode(0o700)).unwrap();

        let file = own(&place).join("budgets");
        let target = place.join("target");
        fs::write(&target, "mine").unwrap();
        symlink(&target, &file).unwrap();
        assert_eq!(Locked::open(&place).err().unwrap().raw_os_error(), Some(libc::ELOOP));
        fs::remove_file(&file).unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
        fs::hard_link(&target, &file).unwrap();
        assert_eq!(why(&place), ErrorKind::PermissionDenied, "it has another name");
        assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(why(&place), ErrorKind::IsADirectory);
        fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn a_place_that_is_not_there_is_not_made() {
        let place = std::env::temp_dir().join("pointsman-no-such-place");
        assert_eq!(why(&place), ErrorKind::NotFound);
        assert!(!place.exists());
    }

    #[test]
    fn a_child_that_was_forked_meanwhile_keeps_nobody_out() {
        let place = scratch("fork");
        let file = Locked::open(&place).unwrap();
        let (reader, writer) = io::pipe().unwrap();
        // SAFETY: the child calls nothing but sleep and _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: ends the child without any destructor.
            unsafe {
                libc::sleep(20);
                libc::_exit(0);
            }
        }
        drop((reader, writer));
        drop(file);
        assert!(Locked::open(&place).is_ok());
        // SAFETY: the child is this test's own.
        unsafe {
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, std::ptr::null_mut(), 0);
        }
        fs::remove_dir_all(place).unwrap();
    }
}
