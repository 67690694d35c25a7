//! The watcher's thread and the handle by which other threads steer it.
//!
//! No lock is held while anything waits or while the callback runs, and the handle owns nothing that could be
//! dropped: the thread's world lives for ever. A forked child has no thread, so it must not use an inherited handle,
//! neither its lock nor its memory: it forgets the handle and starts a watcher of its own.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::answer::{Answer, Failure, Found};
use super::cadence::Pace;
use super::jitter::Jitter;
use super::round;
use super::schedule::{Question, Schedule};
use super::sources::Sources;
use crate::control::config::Config;
use crate::control::counters::COUNTERS;
use crate::control::log::{Level, say};
use crate::host::signals;

/// As it shows in `ps -L` and `/proc/PID/task/*/comm`.
pub const THREAD_NAME: &str = "pointsman-dns";

/// Address space, of which the unused part costs nothing. The host's static thread-local storage comes out of it too.
const STACK: usize = 512 * 1024;

/// Called on the watcher's thread with a watched name and what a lookup of it brought. No lock of the watcher is held:
/// it may call the handle. While it runs, no other answer is delivered.
pub type OnAnswer = Box<dyn Fn(&str, Result<Answer, Failure>) + Send + Sync>;

/// What is looked after besides DNS is looked after this often while a name is asked for, whatever its TTL.
const ROUNDS: Duration = Duration::from_secs(1);

/// What a watcher is started with.
pub struct Start {
    /// DNS servers to ask in place of those in `resolv_conf`; empty means those.
    pub nameservers: Vec<SocketAddr>,
    /// `/etc/hosts`, except in tests.
    pub hosts: PathBuf,
    /// `/etc/resolv.conf`, except in tests.
    pub resolv_conf: PathBuf,
    /// The first thing that the thread calls: it marks its own calls as not the application's.
    pub on_thread_start: fn(),
    pub on_answer: OnAnswer,
    /// Called on the watcher's thread about once a second while a name is asked for, also while DNS is silent.
    pub on_second: fn(),
}

impl Start {
    /// With the system's files and the configured name servers.
    pub fn from_config(config: &Config, on_thread_start: fn(), on_answer: OnAnswer, on_second: fn()) -> Self {
        Self {
            nameservers: config.nameservers.clone(),
            hosts: "/etc/hosts".into(),
            resolv_conf: "/etc/resolv.conf".into(),
            on_thread_start,
            on_answer,
            on_second,
        }
    }
}

/// Steers the watcher of this process. A copy is as good as the original; none is ever closed.
#[derive(Clone, Copy)]
pub struct Watcher {
    shared: &'static Shared,
}

impl Watcher {
    /// Starts the thread, with every signal blocked. An error means that the system gives no thread; nothing was left
    /// behind but a little memory.
    pub fn start(start: Start) -> io::Result<Self> {
        let sources = Sources::new(start.hosts, start.resolv_conf, start.nameservers);
        let shared: &'static Shared = Box::leak(Box::new(Shared {
            schedule: Mutex::new(Schedule::new(Jitter::new())),
            changed: Condvar::new(),
            on_answer: start.on_answer,
            on_second: start.on_second,
            seconds: Mutex::new(Instant::now()),
            receiver_failed: AtomicBool::new(false),
        }));
        let on_thread_start = start.on_thread_start;
        let thread = thread::Builder::new().name(THREAD_NAME.to_owned()).stack_size(STACK);
        signals::with_signals_blocked(|| {
            thread.spawn(move || {
                on_thread_start();
                shared.watch(sources);
            })
        })?;
        Ok(Self { shared })
    }

    /// Watches `name` at `pace` from now on; asks at once if that is quicker than before. Takes no time: at most a
    /// lock that is never held for long.
    ///
    /// `name` is a host name as the application wrote it, never an address.
    pub fn set_pace(&self, name: &str, pace: Pace) {
        if self.shared.lock().set_pace(name, pace, Instant::now()) {
            self.shared.changed.notify_one();
        }
    }
}

/// What the thread and the handles have in common.
pub(super) struct Shared {
    schedule: Mutex<Schedule>,
    changed: Condvar,
    on_answer: OnAnswer,
    on_second: fn(),
    /// When `on_second` was called last.
    seconds: Mutex<Instant>,
    /// Whether a panic of `on_answer` was logged: once is enough.
    receiver_failed: AtomicBool,
}

impl Shared {
    /// The thread's life: it never ends, whatever happens in a round.
    fn watch(&self, mut sources: Sources) {
        let mut told = None;
        loop {
            self.wait_until_due();
            let round = catch_unwind(AssertUnwindSafe(|| round::ask_due(self, &mut sources)));
            let failure = match round {
                Ok(Ok(())) => {
                    told = None;
                    continue;
                }
                Ok(Err(error)) => Failure::Other(format!("the watcher cannot work: {error}")),
                Err(_) => Failure::Other("a round of the watcher broke off".to_owned()),
            };
            // A process out of descriptors stays so for a while: one line per reason, not one per second.
            if told.as_ref() != Some(&failure) {
                say!(Level::Error, "DNS: {failure}; going on");
                told = Some(failure.clone());
            }
            self.abandon(failure);
        }
    }

    fn wait_until_due(&self) {
        let mut schedule = self.lock();
        loop {
            let now = Instant::now();
            schedule = match schedule.next_due() {
                Some(due) if due <= now => return,
                Some(due) => {
                    let pause = (due - now).min(ROUNDS);
                    drop(self.changed.wait_timeout(schedule, pause).unwrap_or_else(PoisonError::into_inner));
                    self.make_rounds();
                    self.lock()
                }
                None => self.changed.wait(schedule).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// What has to be looked after once a second.
    pub fn make_rounds(&self) {
        let mut last = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < ROUNDS {
            return;
        }
        *last = Instant::now();
        drop(last);
        self.heard(catch_unwind(self.on_second), "what is done each second");
    }

    fn heard(&self, outcome: thread::Result<()>, what: &str) {
        if outcome.is_err() && !self.receiver_failed.swap(true, Relaxed) {
            say!(Level::Error, "DNS: {what} broke off; going on");
        }
    }

    /// Gives up every question on its way, and those that are due, so that a round that cannot even begin does not
    /// begin again at once; then rests, since the reason may last.
    fn abandon(&self, failure: Failure) {
        drop(self.take_due());
        let asked = self.lock().asked();
        for question in asked {
            self.deliver(&question, Err(failure.clone()));
        }
        const REST: Duration = Duration::from_secs(1);
        thread::sleep(REST);
    }

    pub fn take_due(&self) -> Vec<Question> {
        self.lock().take_due(Instant::now())
    }

    /// Notes the result and tells the callback, unless the question was overtaken.
    pub fn deliver(&self, question: &Question, result: Result<Found, Failure>) {
        let settled = self.lock().settle(question, result, Instant::now());
        let Some(result) = settled else { return };
        match &result {
            Ok(_) => COUNTERS.dns_answers.count(),
            Err(failure) => {
                COUNTERS.dns_failures.count();
                say!(Level::Debug, "DNS: {}: {failure}", question.name);
            }
        }
        self.tell(&question.name, result);
    }

    /// Notes the answer to a patient lookup that was begun at `begun`, and tells the callback unless there is a newer one.
    pub fn deliver_late(&self, name: &str, found: Found, begun: Instant) {
        let settled = self.lock().settle_late(name, found, begun, Instant::now());
        if let Some(answer) = settled {
            COUNTERS.dns_answers.count();
            self.tell(name, Ok(answer));
        }
    }

    fn tell(&self, name: &str, result: Result<Answer, Failure>) {
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.on_answer)(name, result)));
        self.heard(outcome, "the receiver of an answer");
    }

    fn lock(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "watcher_tests.rs"]
mod tests;
