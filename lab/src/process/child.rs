//! Processes that end with us. This is the only place that ends a process, and it does so by the id of a child that
//! has not been waited for, so the id cannot have been given to anybody else.
//!
//! The kernel's parent-death signal is tied to the *thread* that forked, hence one thread that never ends forks them all.

use super::{interrupt, sandbox, wait};
use crate::error::{Error, Result};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

type Job = (Command, SyncSender<io::Result<Child>>);

static FORKER: LazyLock<Mutex<Sender<Job>>> = LazyLock::new(|| {
    let (jobs, queue) = channel::<Job>();
    std::thread::Builder::new()
        .name("lab-forker".into())
        .spawn(move || {
            for (mut command, reply) in queue {
                let _ = reply.send(command.spawn());
            }
        })
        .expect("a thread can be started");
    Mutex::new(jobs)
});
static ALIVE: Mutex<Vec<Weak<Mutex<Child>>>> = Mutex::new(Vec::new());

/// A child process, killed when dropped and when this process ends.
#[derive(Debug)]
pub struct Kept {
    name: String,
    id: u32,
    child: Arc<Mutex<Child>>,
}

/// Starts a program that ends with us. In a process group of its own, so that a Ctrl-C is ours to handle.
pub fn spawn(mut command: Command) -> Result<Kept> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.process_group(0);
    sandbox::die_with_parent(&mut command);
    let (reply, answer) = sync_channel(1);
    // Held until the child is known: `kill_all` finds it, or we find that a signal came.
    let mut alive = locked(&ALIVE);
    if interrupt::came() {
        drop(alive);
        interrupt::end_if_it_came();
        alive = locked(&ALIVE);
    }
    locked(&FORKER).send((command, reply)).expect("the forking thread never ends");
    let child = answer
        .recv()
        .expect("the forking thread answers every job")
        .map_err(|source| Error::Start { program: name.clone(), source })?;
    let id = child.id();
    let child = Arc::new(Mutex::new(child));
    alive.retain(|known| known.strong_count() > 0);
    alive.push(Arc::downgrade(&child));
    Ok(Kept { name, id, child })
}

/// Kills every process started here that still runs.
pub(crate) fn kill_all() {
    let alive: Vec<_> = locked(&ALIVE).iter().filter_map(Weak::upgrade).collect();
    alive.iter().for_each(|child| kill_group(&mut locked(child)));
}

/// SIGKILL to the child and to all that it has forked, which may hang as well and hold its output open.
fn kill_group(child: &mut Child) {
    // While nobody has waited for it, its id, which is its group's too, is nobody else's.
    if let Ok(None) = child.try_wait() {
        let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

impl Kept {
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its exit status, if it has ended.
    pub fn ended(&self) -> Option<ExitStatus> {
        locked(&self.child).try_wait().ok().flatten()
    }

    /// Waits for it to end by itself.
    pub fn wait(&self, within: Duration) -> Result<ExitStatus> {
        wait::until(&format!("the end of {} ({})", self.name, self.id), within, String::new, || Ok(self.ended()))
    }

    /// Sends a signal, unless it has ended.
    pub fn signal(&self, signal: Signal) {
        let mut child = locked(&self.child);
        if let Ok(None) = child.try_wait() {
            let _ = kill(Pid::from_raw(self.id as i32), signal);
        }
    }

    /// SIGKILL to it and to what it forked, and waits until it is gone.
    pub fn kill(&self) {
        kill_group(&mut locked(&self.child));
    }

    /// The writing end of its standard input, once.
    pub fn take_stdin(&self) -> Option<ChildStdin> {
        locked(&self.child).stdin.take()
    }

    /// The reading end of its standard output, once.
    pub fn take_stdout(&self) -> Option<ChildStdout> {
        locked(&self.child).stdout.take()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.kill();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
