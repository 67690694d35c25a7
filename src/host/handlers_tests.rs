//! Proofs of `handlers`, with handlers of this test process.

use std::{
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::host::files::succeeds_in_child;

/// One test at a time has handlers.
static TURN: Mutex<()> = Mutex::new(());

static RUN: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: c_int) {
    RUN.fetch_add(1, Relaxed);
}

extern "C" fn count_informed(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel's.
    if unsafe { (*info).si_signo } == signal {
        RUN.fetch_add(1, Relaxed);
    }
}

/// As the application installs a handler; returns what was there.
fn install(signal: c_int, handler: usize, flags: c_int) -> libc::sigaction {
    let mut new = action(signal).unwrap();
    new.sa_sigaction = handler;
    new.sa_flags = flags;
    set_action(signal, &new).unwrap()
}

fn raise(signal: c_int) {
    // SAFETY: to this thread itself.
    unsafe { libc::pthread_kill(libc::pthread_self(), signal) };
}

/// Other tests of this process hold threads, too: the handler is in its place when none is held.
fn is_in_its_place(signal: c_int, handler: usize, flags: c_int) -> bool {
    let until = Instant::now() + Duration::from_secs(60);
    while installed(signal) != (handler, flags) && Instant::now() < until {
        thread::sleep(Duration::from_millis(1));
    }
    installed(signal) == (handler, flags)
}

fn installed(signal: c_int) -> (usize, c_int) {
    let action = action(signal).unwrap();
    (action.sa_sigaction, action.sa_flags & (libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK))
}

#[test]
fn timers_that_tick_ask_for_nothing() {
    let (ticks, rings_once) = (|| true, || false);
    for signal in [libc::SIGTERM, libc::SIGINT] {
        assert_eq!(wish(signal, libc::SI_USER, ticks), Some(Wish::End));
    }
    for signal in [libc::SIGHUP, libc::SIGQUIT] {
        assert_eq!(wish(signal, libc::SI_USER, ticks), Some(Wish::Look));
    }
    assert_eq!(wish(libc::SIGALRM, libc::SI_KERNEL, ticks), Some(Wish::Alarm));
    assert_eq!(wish(libc::SIGALRM, libc::SI_TIMER, ticks), None);
    assert_eq!(wish(libc::SIGALRM, libc::SI_TIMER, rings_once), Some(Wish::Alarm));
    for code in [libc::SI_TKILL, libc::SI_TIMER, libc::SI_USER] {
        assert_eq!(wish(libc::SIGVTALRM, code, ticks), Some(Wish::Return));
    }
    assert_eq!(wish(libc::SIGVTALRM, libc::SI_KERNEL, ticks), None);
}

#[test]
fn a_held_thread_is_told_of_its_handlers_which_run_once_and_are_in_their_place_afterwards() {
    let _turn = TURN.lock();
    let informed = count_informed as *const () as usize;
    let handlers = [
        (libc::SIGHUP, count as *const () as usize, libc::SA_RESTART),
        (libc::SIGVTALRM, informed, libc::SA_SIGINFO | libc::SA_ONSTACK),
    ];
    for (signal, handler, flags) in handlers {
        install(signal, handler, flags);
        for _ in 0..2 {
            let (watch, before) = (Watch::begin().unwrap(), RUN.load(Relaxed));
            let told = watch.handled();
            raise(signal);
            let now = watch.handled();
            assert_eq!(RUN.load(Relaxed), before + 1);
            assert_eq!((now.ends + now.returns) - (told.ends + told.returns), 1);
            drop(watch);
            assert!(is_in_its_place(signal, handler, flags));
        }
        install(signal, libc::SIG_DFL, 0);
    }
}

#[test]
fn a_handler_that_is_installed_during_a_hold_stays_and_is_told_of_in_the_next_one() {
    let _turn = TURN.lock();
    let informed = count_informed as *const () as usize;
    install(libc::SIGQUIT, count as *const () as usize, 0);
    let watch = Watch::begin().unwrap();
    let from_before = install(libc::SIGQUIT, informed, libc::SA_SIGINFO);
    assert_eq!(from_before.sa_sigaction, function(0));
    drop(watch);
    assert!(is_in_its_place(libc::SIGQUIT, informed, libc::SA_SIGINFO));
    let watch = Watch::begin().unwrap();
    assert_eq!(installed(libc::SIGQUIT).0, function(1));
    let (told, before) = (watch.handled().ends, RUN.load(Relaxed));
    raise(libc::SIGQUIT);
    assert_eq!((watch.handled().ends, RUN.load(Relaxed)), (told + 1, before + 1));
    drop(watch);
    // The application may put back what it found, or call it.
    set_action(libc::SIGQUIT, &from_before);
    raise(libc::SIGQUIT);
    assert_eq!(RUN.load(Relaxed), before + 2);
    install(libc::SIGQUIT, libc::SIG_DFL, 0);
}

#[test]
fn a_handler_that_is_installed_between_a_look_and_a_change_is_not_replaced() {
    let _turn = TURN.lock();
    let handlers = [count as *const () as usize, libc::SIG_IGN];
    let place = Place::of(libc::SIGWINCH);
    for newer in handlers {
        install(libc::SIGWINCH, count_informed as *const () as usize, libc::SA_SIGINFO);
        let seen = action(libc::SIGWINCH).unwrap();
        install(libc::SIGWINCH, newer, 0);
        place.replace(&seen, &seen);
        assert_eq!(installed(libc::SIGWINCH).0, newer);
    }
    install(libc::SIGWINCH, libc::SIG_DFL, 0);
}

#[test]
fn more_handlers_of_a_signal_than_can_be_known_are_left_alone() {
    let place = Place::of(libc::SIGWINCH);
    let is_known = |handler| place.handlers.iter().any(|known| known.is_for(handler, false));
    assert!((100..104).all(is_known) && (100..104).all(is_known) && !is_known(104));
}

#[test]
fn another_threads_handler_concerns_this_one_if_the_program_shall_end_and_a_hold_inside_a_hold_is_the_same() {
    let _turn = TURN.lock();
    // In a process of its own: here, the held threads of other tests would believe that the program shall end.
    assert!(succeeds_in_child(|| {
        forget_all();
        // The only thread of a forked process is its main thread, which more signals concern.
        thread::spawn(concerns_this_thread_too).join().is_ok()
    }));
}

fn concerns_this_thread_too() {
    install(libc::SIGHUP, count as *const () as usize, 0);
    install(libc::SIGINT, count as *const () as usize, 0);
    let (watch, inner) = (Watch::begin().unwrap(), Watch::begin().unwrap());
    let told = watch.handled();
    thread::scope(|scope| {
        scope.spawn(|| {
            let theirs = Watch::begin().unwrap();
            let told = theirs.handled();
            raise(libc::SIGHUP);
            raise(libc::SIGINT);
            assert_eq!(theirs.handled().ends, told.ends + 2);
        });
    });
    assert_eq!(watch.handled().ends, told.ends + 1);
    drop(inner);
    assert_eq!(installed(libc::SIGINT).0, function(0), "this thread is held still");
    forget_this_thread();
    assert!(is_in_its_place(libc::SIGINT, count as *const () as usize, 0), "a jump has left the hold");
    drop(watch);
    for signal in [libc::SIGINT, libc::SIGHUP] {
        install(signal, libc::SIG_DFL, 0);
    }
}
