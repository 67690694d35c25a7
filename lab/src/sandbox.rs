//! Programs that see only the lab's resolver: a private mount name space with our resolv.conf over the system's.
//!
//! The only `unsafe` of this crate. Between fork and exec only system calls run; every string is made before.

use crate::{Error, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{getegid, geteuid, getpid, getppid, write};
use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const RESOLV_CONF: &str = "/etc/resolv.conf";
const HOSTS: &str = "/etc/hosts";
const NSSWITCH: &str = "/etc/nsswitch.conf";
/// Names come from files and DNS only: not from a system resolver daemon that knows nothing of the lab.
const NSSWITCH_TEXT: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n";
const HOSTS_TEXT: &str = "127.0.0.1 localhost\n";

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
pub(crate) struct Bind {
    from: CString,
    to: CString,
}

/// What the child does before it becomes the program.
#[derive(Debug)]
struct Plan {
    kind: SandboxKind,
    uid_map: CString,
    gid_map: CString,
    binds: Vec<Bind>,
    root: Option<Root>,
}

#[derive(Debug)]
struct Root {
    path: CString,
    directory: CString,
}

impl SandboxKind {
    /// Finds out, once per process, by trying.
    pub fn of_this_machine() -> Result<Self> {
        static FOUND: OnceLock<Result<SandboxKind, String>> = OnceLock::new();
        let found = FOUND.get_or_init(|| {
            let tried = [Self::Root, Self::UserNamespace].map(|kind| {
                let mut command = Command::new("true");
                command
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                Plan::new(kind, vec![], None).apply(&mut command);
                command
                    .status()
                    .map(|_| kind)
                    .map_err(|error| format!("{kind:?}: {error}"))
            });
            match tried {
                [Ok(kind), _] | [_, Ok(kind)] => Ok(kind),
                [Err(one), Err(two)] => Err(format!("{one}; {two}")),
            }
        });
        found.clone().map_err(|reason| Error::NoSandbox { reason })
    }
}

/// A program that asks `dns` for names and nobody else.
pub(crate) fn command(
    program: &OsStr,
    directory: &Path,
    dns: Ipv4Addr,
    hosts: Option<&str>,
) -> Result<Command> {
    let kind = SandboxKind::of_this_machine()?;
    let mut binds = Vec::new();
    for (file, over) in name_files(directory, dns, hosts)? {
        // A bind mount on a symbolic link lands on its target, which must exist.
        if let Ok(over) = Path::new(over).canonicalize() {
            binds.push(Bind::new(&file, &over)?);
        } else if over == RESOLV_CONF {
            return Err(Error::NoSandbox {
                reason: format!("{RESOLV_CONF} does not exist, so nothing can be mounted on it"),
            });
        }
    }
    let mut command = Command::new(program);
    Plan::new(kind, binds, None).apply(&mut command);
    Ok(command)
}

/// Lets the kernel kill the program when the thread that starts it ends.
pub(crate) fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    // SAFETY: the closure makes the system calls prctl and getppid and nothing else; both are async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have died before the call; then nobody would send the signal.
            if getppid() == parent {
                Ok(())
            } else {
                Err(Errno::ESRCH.into())
            }
        });
    }
}

/// The files that decide how names are resolved, and what each is mounted over.
fn name_files(
    directory: &Path,
    dns: Ipv4Addr,
    hosts: Option<&str>,
) -> Result<Vec<(PathBuf, &'static str)>> {
    let names = tempfile::Builder::new()
        .prefix("names-")
        .tempdir_in(directory);
    let names = names
        .map_err(Error::file("make a directory in", directory))?
        .keep();
    let resolv = format!("nameserver {dns}\noptions timeout:1 attempts:2\n");
    let texts = [
        ("resolv.conf", resolv.as_str(), RESOLV_CONF),
        ("hosts", hosts.unwrap_or(HOSTS_TEXT), HOSTS),
        ("nsswitch.conf", NSSWITCH_TEXT, NSSWITCH),
    ];
    texts
        .into_iter()
        .map(|(name, text, over)| {
            let path = names.join(name);
            fs::write(&path, text).map_err(Error::file("write", &path))?;
            Ok((path, over))
        })
        .collect()
}

impl Bind {
    fn new(from: &Path, to: &Path) -> Result<Self> {
        Ok(Self {
            from: c_path(from)?,
            to: c_path(to)?,
        })
    }
}

impl Plan {
    fn new(kind: SandboxKind, binds: Vec<Bind>, root: Option<Root>) -> Self {
        let map = |id: u32| CString::new(format!("{id} {id} 1")).expect("numbers have no NUL");
        Self {
            kind,
            uid_map: map(geteuid().as_raw()),
            gid_map: map(getegid().as_raw()),
            binds,
            root,
        }
    }

    fn apply(self, command: &mut Command) {
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
        mount(
            none,
            c"/",
            none,
            MsFlags::MS_REC | MsFlags::MS_PRIVATE,
            none,
        )?;
        for bind in &self.binds {
            mount(
                Some(bind.from.as_c_str()),
                bind.to.as_c_str(),
                none,
                MsFlags::MS_BIND | MsFlags::MS_REC,
                none,
            )?;
        }
        if let Some(root) = &self.root {
            nix::unistd::chroot(root.path.as_c_str())?;
            nix::unistd::chdir(root.directory.as_c_str())?;
        }
        Ok(())
    }
}

fn fill(path: &CStr, content: &CStr) -> nix::Result<()> {
    let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    write(file, content.to_bytes()).map(drop)
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::NoSandbox {
        reason: format!("the path {path:?} contains a NUL byte"),
    })
}
