//! What a child does between fork and exec. The only `unsafe` of this crate.
//!
//! Only system calls run there; every string is made before.

use crate::error::{Error, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{chdir, chroot, getegid, geteuid, getpid, getppid, write};
use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// How a private mount name space is had on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxKind {
    /// We may make one.
    Root,
    /// Only inside a user name space.
    UserNamespace,
}

/// One mount, made in the child.
#[derive(Debug)]
pub(super) struct Bind {
    from: CString,
    to: CString,
}

/// All that the child does before it becomes the program.
#[derive(Debug)]
pub(super) struct Plan {
    kind: SandboxKind,
    uid_map: CString,
    gid_map: CString,
    binds: Vec<Bind>,
    root: Option<CString>,
}

impl SandboxKind {
    /// Finds out, once per process, by trying.
    pub fn of_this_machine() -> Result<Self> {
        static FOUND: OnceLock<Result<SandboxKind, String>> = OnceLock::new();
        let found = FOUND.get_or_init(|| {
            let root = match Self::Root.works() {
                Ok(()) => return Ok(Self::Root),
                Err(error) => error,
            };
            let user = match Self::UserNamespace.works() {
                Ok(()) => return Ok(Self::UserNamespace),
                Err(error) => error,
            };
            Err(format!("as we are: {root}; in a user name space: {user}"))
        });
        found.clone().map_err(|reason| Error::NoSandbox { reason })
    }

    fn works(self) -> io::Result<()> {
        let mut command = Command::new("true");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Plan::new(self, vec![]).apply(&mut command);
        command.status().map(drop)
    }
}

impl Bind {
    pub(super) fn new(from: &Path, to: &Path) -> Result<Self> {
        Ok(Self { from: c_path(from)?, to: c_path(to)? })
    }

    /// The same mount, its target moved from one directory to another.
    pub(super) fn moved(self, old: &Path, new: &Path) -> Result<Self> {
        let to = PathBuf::from(std::ffi::OsStr::from_bytes(self.to.as_bytes()));
        let to = to.strip_prefix(old).map_or(to.clone(), |inside| new.join(inside));
        Ok(Self { from: self.from, to: c_path(&to)? })
    }
}

impl Plan {
    pub(super) fn new(kind: SandboxKind, binds: Vec<Bind>) -> Self {
        let map = |id: u32| CString::new(format!("{id} {id} 1")).expect("numbers have no NUL");
        let (uid_map, gid_map) = (map(geteuid().as_raw()), map(getegid().as_raw()));
        Self { kind, uid_map, gid_map, binds, root: None }
    }

    /// After the mounts, `root` becomes the root directory.
    pub(super) fn inside(self, root: &Path) -> Result<Self> {
        Ok(Self { root: Some(c_path(root)?), ..self })
    }

    pub(super) fn apply(self, command: &mut Command) {
        // SAFETY: `perform` makes system calls on strings that were made before the fork; it allocates nothing and
        // takes no lock (nix passes a `&CStr` on as it is).
        unsafe {
            command.pre_exec(move || self.perform().map_err(io::Error::from));
        }
        // Afterwards, because entering a user name space clears the parent-death signal.
        die_with_parent(command);
    }

    fn perform(&self) -> nix::Result<()> {
        match self.kind {
            SandboxKind::Root => unshare(CloneFlags::CLONE_NEWNS)?,
            SandboxKind::UserNamespace => {
                unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
                fill(c"/proc/self/setgroups", c"deny")?;
                fill(c"/proc/self/uid_map", &self.uid_map)?;
                fill(c"/proc/self/gid_map", &self.gid_map)?;
            }
        }
        let none: Option<&CStr> = None;
        mount(none, c"/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        for bind in &self.binds {
            mount(Some(bind.from.as_c_str()), bind.to.as_c_str(), none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?;
        }
        if let Some(root) = &self.root {
            chroot(root.as_c_str())?;
            chdir(c"/")?;
        }
        Ok(())
    }
}

/// Lets the kernel kill the program when the thread that starts it ends.
pub(crate) fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    // SAFETY: the closure makes the system calls prctl and getppid and nothing else; both are async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have died before the call; then nobody would send the signal.
            if getppid() == parent { Ok(()) } else { Err(Errno::ESRCH.into()) }
        });
    }
}

fn fill(path: &CStr, content: &CStr) -> nix::Result<()> {
    let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    write(file, content.to_bytes()).map(drop)
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::NoSandbox { reason: format!("the path {path:?} contains a NUL byte") })
}
