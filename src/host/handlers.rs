//! Which handlers of the application ran while a thread of it was held.
//!
//! The kernel does not tell a thread which signal has interrupted it, nor that a handler ran between two system calls or in
//! another thread. So, as long as a thread is held, a function of the library stands before the application's handlers of
//! the few signals that may end a hold: it notes the signal and calls the application's function, with the flags, the mask
//! and the stack that the application has chosen. Nothing is blocked, and no signal goes another way than without the
//! library. When no thread is held any more, the application's own function is in its place again.
//!
//! The application may install a handler meanwhile: it stays, and the next hold stands before it. The application may keep the
//! library's function as the one from before, and call it later: that works for ever, since each function of the library is
//! for one function of the application as long as the process lives.

use std::{
    ffi::{c_int, c_void},
    mem::{self, MaybeUninit},
    ptr,
    sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering::*},
};

use super::socket;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// The program shall end: its main thread may wait for all others.
    End,
    /// A thread shall look at something at once. (SIGQUIT has a Java virtual machine tell its stacks, and go on.)
    Look,
    /// A time is over.
    Alarm,
    /// Ruby wants a thread to return from C; it repeats that until the thread does.
    Return,
}

/// A timer that ticks says nothing: of setitimer(2) by the kernel for SIGVTALRM (a profiler), of timer_create(2) for SIGALRM.
fn wish(signal: c_int, code: c_int, timer_ticks: impl Fn() -> bool) -> Option<Wish> {
    match signal {
        libc::SIGALRM if code != libc::SI_TIMER || !timer_ticks() => Some(Wish::Alarm),
        libc::SIGVTALRM if code != libc::SI_KERNEL => Some(Wish::Return),
        libc::SIGALRM | libc::SIGVTALRM => None,
        libc::SIGHUP | libc::SIGQUIT => Some(Wish::Look),
        _ => Some(Wish::End),
    }
}

/// A signal before whose handlers the library's functions may stand.
struct Place {
    signal: c_int,
    handlers: [Known; HANDLERS],
}

/// So many handlers of one signal are known in a process's life; a further one is left alone.
const HANDLERS: usize = 4;

/// A function of the application. One of the library's functions calls this one, and never another one: so the application
/// may keep the library's function, and call it later.
struct Known {
    /// 0: none was met yet.
    handler: AtomicUsize,
    /// It takes three arguments (SA_SIGINFO).
    takes_info: AtomicBool,
}

static PLACES: [Place; 6] = [
    Place::of(libc::SIGTERM),
    Place::of(libc::SIGINT),
    Place::of(libc::SIGQUIT),
    Place::of(libc::SIGHUP),
    Place::of(libc::SIGALRM),
    Place::of(libc::SIGVTALRM),
];

/// A held thread, and how many handlers it has seen.
struct Held {
    /// Its number for the kernel; 0: this entry is free.
    thread: AtomicI32,
    counts: [AtomicU32; 4],
}

/// More threads than these are held without a look at signals.
static HELD: [Held; 128] =
    [const { Held { thread: AtomicI32::new(0), counts: [const { AtomicU32::new(0) }; 4] } }; 128];

/// When a handler for SIGTERM ran last (`socket::about_now`); 0: none did.
static ASKED_TO_END: AtomicU64 = AtomicU64::new(0);

/// For so long after that, in ms, its statements are held as before: a switchover may be over by then.
const HELD_ON: u64 = 3_000;
/// A program that ends after its SIGTERM does so within this, in ms: what is not gone by then is killed (Kubernetes,
/// `terminationGracePeriodSeconds`: 30 s by default).
const ENDS_WITHIN: u64 = 30_000;

/// A thread changes handlers just now.
static BUSY: AtomicBool = AtomicBool::new(false);

/// How many handlers ran that concern a held thread: in the thread itself, or anywhere if it is the main thread or the program
/// shall end.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Handled {
    pub ends: u32,
    pub alarms: u32,
    pub returns: u32,
}

/// A held thread is told of handlers as long as this lives.
pub struct Watch {
    held: &'static Held,
    /// If not, another hold of this thread goes on: this one is a part of it, or a handler has interrupted it.
    is_first: bool,
}

impl Watch {
    /// For this thread. None: too many threads are held.
    pub fn begin() -> Option<Self> {
        let thread = this_thread();
        if let Some(held) = HELD.iter().find(|held| held.thread.load(Relaxed) == thread) {
            return Some(Watch { held, is_first: false });
        }
        let is_free = |held: &&Held| held.thread.compare_exchange(0, thread, AcqRel, Relaxed).is_ok();
        let held = HELD.iter().find(is_free)?;
        put_in_place();
        Some(Watch { held, is_first: true })
    }

    pub fn handled(&self) -> Handled {
        let counts = |wish: Wish| self.held.counts[wish as usize].load(Acquire);
        let ends = counts(Wish::End).wrapping_add(counts(Wish::Look));
        Handled { ends, alarms: counts(Wish::Alarm), returns: counts(Wish::Return) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.is_first {
            self.held.thread.store(0, Release);
            put_in_place();
        }
    }
}

/// This thread is not held: a handler has left its hold by a jump.
pub fn forget_this_thread() {
    let thread = this_thread();
    for held in HELD.iter().filter(|held| held.thread.load(Relaxed) == thread) {
        held.thread.store(0, Release);
        put_in_place();
    }
}

/// Has the application handled a SIGTERM some seconds ago, during a hold? It is about to end, and has statements to send on its
/// way: nothing waits any more.
pub fn is_ending() -> bool {
    let asked = ASKED_TO_END.load(Relaxed);
    asked != 0 && (HELD_ON..ENDS_WITHIN).contains(&socket::about_now().saturating_sub(asked))
}

/// In a forked child: the parent's threads are not here.
pub fn forget_all() {
    ASKED_TO_END.store(0, Relaxed);
    HELD.iter().for_each(|held| held.thread.store(0, Relaxed));
    BUSY.store(false, Release);
}

fn this_thread() -> c_int {
    // SAFETY: no arguments, cannot fail; thread numbers fit a c_int (pid_max is 2^22 at most).
    unsafe { libc::syscall(libc::SYS_gettid) as c_int }
}

/// Puts the library's function before the application's handlers if a thread is held, else away. One thread does it at a
/// time, for all; a handler that comes here in the middle of it goes on without.
fn put_in_place() {
    while !BUSY.swap(true, AcqRel) {
        let any = is_any_held();
        for place in &PLACES {
            if any { place.take() } else { place.give_back() }
        }
        BUSY.store(false, Release);
        if is_any_held() == any {
            return;
        }
    }
}

fn is_any_held() -> bool {
    HELD.iter().any(|held| held.thread.load(Acquire) != 0)
}

impl Place {
    const fn of(signal: c_int) -> Self {
        Place { signal, handlers: [const { Known::none() }; HANDLERS] }
    }

    fn take(&self) {
        let Some(theirs) = action(self.signal) else { return };
        let handler = theirs.sa_sigaction;
        if handler == libc::SIG_DFL || handler == libc::SIG_IGN || number_of(handler).is_some() {
            return;
        }
        let takes_info = theirs.sa_flags & libc::SA_SIGINFO != 0;
        let Some(number) = self.handlers.iter().position(|known| known.is_for(handler, takes_info)) else { return };
        let mut ours = theirs;
        ours.sa_sigaction = function(number);
        ours.sa_flags |= libc::SA_SIGINFO;
        self.replace(&theirs, &ours);
    }

    fn give_back(&self) {
        let Some(ours) = action(self.signal) else { return };
        let Some(known) = number_of(ours.sa_sigaction).and_then(|number| self.handlers.get(number)) else { return };
        let mut theirs = ours;
        theirs.sa_sigaction = known.handler.load(Acquire);
        if !known.takes_info.load(Relaxed) {
            theirs.sa_flags &= !libc::SA_SIGINFO;
        }
        self.replace(&ours, &theirs);
    }

    /// Unless the application has installed another one in this very moment.
    fn replace(&self, one: &libc::sigaction, other: &libc::sigaction) {
        let replaced = set_action(self.signal, other);
        if let Some(newer) = replaced.filter(|replaced| replaced.sa_sigaction != one.sa_sigaction) {
            set_action(self.signal, &newer);
        }
    }
}

impl Known {
    const fn none() -> Self {
        Known { handler: AtomicUsize::new(0), takes_info: AtomicBool::new(false) }
    }

    /// Is this the application's function? A free one becomes it.
    fn is_for(&self, handler: usize, takes_info: bool) -> bool {
        if self.handler.load(Acquire) == 0 {
            self.takes_info.store(takes_info, Relaxed);
            self.handler.store(handler, Release);
        }
        (self.handler.load(Acquire), self.takes_info.load(Relaxed)) == (handler, takes_info)
    }
}

type Handler = extern "C-unwind" fn(c_int);
type InformedHandler = extern "C-unwind" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// The library's function before the application's handler of this number.
fn function(number: usize) -> usize {
    let function: InformedHandler = match number {
        0 => note_and_call::<0>,
        1 => note_and_call::<1>,
        2 => note_and_call::<2>,
        _ => note_and_call::<3>,
    };
    function as usize
}

/// The number of this function, if it is the library's.
fn number_of(handler: usize) -> Option<usize> {
    (0..HANDLERS).find(|number| function(*number) == handler)
}

/// The application's function may leave it by a jump, and by unwinding (pthread_exit).
extern "C-unwind" fn note_and_call<const NUMBER: usize>(
    signal: c_int,
    info: *mut libc::siginfo_t,
    context: *mut c_void,
) {
    let Some(place) = PLACES.iter().find(|place| place.signal == signal) else { return };
    let Some(known) = place.handlers.get(NUMBER) else { return };
    // SAFETY: the kernel's, or that of a handler of the application that calls the one from before; may be null there.
    let code = unsafe { info.as_ref() }.map_or(libc::SI_USER, |info| info.si_code);
    if let Some(wish) = wish(signal, code, || timer_ticks(info)) {
        if signal == libc::SIGTERM {
            ASKED_TO_END.store(socket::about_now(), Relaxed);
        }
        note(wish);
    }
    let handler = known.handler.load(Acquire);
    // SAFETY: the application's function for this signal, which has these arguments by its flags (sigaction(2)).
    unsafe {
        if known.takes_info.load(Relaxed) {
            mem::transmute::<usize, InformedHandler>(handler)(signal, info, context);
        } else {
            mem::transmute::<usize, Handler>(handler)(signal);
        }
    }
}

fn note(wish: Wish) {
    let thread = this_thread();
    // SAFETY: no arguments, cannot fail.
    let main = unsafe { libc::getpid() };
    for held in &HELD {
        let one = held.thread.load(Acquire);
        if one != 0 && (one == thread || wish == Wish::End || one == main && wish != Wish::Return) {
            held.counts[wish as usize].fetch_add(1, AcqRel);
        }
    }
}

/// Does the timer of timer_create(2) that this tells of ring again by itself? (`si_timerid`: sigaction(2).)
fn timer_ticks(info: *const libc::siginfo_t) -> bool {
    const NUMBER_AT: usize = 4;
    let mut time = MaybeUninit::<libc::itimerspec>::zeroed();
    // SAFETY: a siginfo_t of SI_TIMER has the timer's number for the kernel there, as an int, on 64 bits; the kernel writes
    // one itimerspec, for which all zeros is a value.
    let time = unsafe {
        libc::syscall(libc::SYS_timer_gettime, *info.cast::<c_int>().add(NUMBER_AT), time.as_mut_ptr());
        time.assume_init()
    };
    time.it_interval.tv_sec != 0 || time.it_interval.tv_nsec != 0
}

fn action(signal: c_int) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::uninit();
    // SAFETY: nothing is set; `action` is initialised if the call succeeds.
    unsafe { (libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) == 0).then(|| action.assume_init()) }
}

/// Returns the one from before.
fn set_action(signal: c_int, action: &libc::sigaction) -> Option<libc::sigaction> {
    let mut before = MaybeUninit::uninit();
    // SAFETY: an action that the kernel gave, or the same with a function of ours; `before` is initialised on success.
    unsafe { (libc::sigaction(signal, action, before.as_mut_ptr()) == 0).then(|| before.assume_init()) }
}

/// Is the application's alarm clock set (getitimer(2))? It ticks, or was set anew, perhaps by the handler that it has called.
/// A clock that ticks has no time left from the moment that it rings until the kernel delivers the signal.
pub fn alarm_is_set() -> bool {
    let mut clock = MaybeUninit::<libc::itimerval>::zeroed();
    // SAFETY: the kernel writes one itimerval; all zeros is one, too.
    let clock = unsafe {
        libc::syscall(libc::SYS_getitimer, libc::ITIMER_REAL, clock.as_mut_ptr());
        clock.assume_init()
    };
    [clock.it_value, clock.it_interval].iter().any(|time| time.tv_sec != 0 || time.tv_usec != 0)
}

/// Does this thread run a handler on a stack of its own (sigaltstack(2))?
pub fn on_alternate_stack() -> bool {
    let mut stack = MaybeUninit::<libc::stack_t>::zeroed();
    // SAFETY: nothing is set; the kernel writes one stack_t, for which all zeros is a value.
    unsafe {
        libc::sigaltstack(ptr::null(), stack.as_mut_ptr());
        stack.assume_init().ss_flags & libc::SS_ONSTACK != 0
    }
}

#[cfg(test)]
#[path = "handlers_tests.rs"]
mod tests;
