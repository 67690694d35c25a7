//! Servers that are slow to greet or slow to log in, without any switchover. One connection is ended; the others are well, and
//! a program without the library would not notice anything on them.

use std::{
    thread,
    time::{Duration, Instant},
};

use pointsman_lab::{ENDPOINT, Flavor, Lab, USER};
use pointsman_tests::{
    pair,
    puppet::Puppet,
    run::Preload,
    slow::{Late, Slow},
    wait_for,
};

const HEALTHY: [&str; 3] = ["b", "c", "d"];
/// Far below the 30 s and 60 s that a hold takes, far above what a busy machine takes for one statement.
const AT_ONCE: Duration = Duration::from_secs(4);

/// What one program went through.
#[derive(Debug)]
struct Seen {
    /// The longest statement on a connection that was well.
    longest: Duration,
    /// Until the application could work again where its connection was ended.
    back: Duration,
    /// What the application was told there first.
    told: String,
    /// Greetings that were received and not answered.
    unanswered: u32,
    given_up: u32,
    log: String,
}

/// Busy connections; the first is ended at a moment at which greetings or logins take their time.
fn lives_through(lab: &Lab, preload: Preload, late: Late, pause: Duration) -> Seen {
    let slow = Slow::in_front_of(lab, lab.blue().address());
    lab.dns().set(ENDPOINT, &[slow.ip()], 1).unwrap();
    let mut program = Puppet::start_as(lab, preload, &[]);
    for name in ["a"].iter().chain(&HEALTHY) {
        program.connect(name);
        assert_eq!(program.query(name, "SELECT 1"), "ok ((1,),)");
    }
    let id = program.query("a", "SELECT CONNECTION_ID()");
    slow.is_late(Some((late, pause)));
    lab.blue().sql(&format!("KILL {}", id.trim_matches(|c: char| !c.is_ascii_digit()))).unwrap();
    wait_for("the connection to end", || {
        !lab.blue()
            .sql("SELECT id FROM information_schema.processlist")
            .unwrap()
            .contains(id.trim_matches(|c: char| !c.is_ascii_digit()))
    });

    let began = Instant::now();
    let mut longest = Duration::ZERO;
    let (mut told, mut back, mut asked) = (None, None, "query");
    program.begin("a", "query", "SELECT 1");
    while back.is_none() || began.elapsed() < Duration::from_secs(8) {
        for name in HEALTHY {
            let asked = Instant::now();
            assert_eq!(program.query(name, "SELECT 1"), "ok ((1,),)", "{}", program.stderr());
            longest = longest.max(asked.elapsed());
        }
        if back.is_none()
            && let Some(answer) = program.answer_if_there("a")
        {
            let first = told.get_or_insert_with(|| answer.clone());
            match answer.starts_with("ok") {
                true => back = Some(began.elapsed()),
                // What a pool does.
                false => {
                    asked = "connect";
                    assert!(first.starts_with("error 20"), "{first}");
                    program.begin("a", asked, "-");
                }
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    let _ = asked;
    Seen {
        longest,
        back: back.unwrap(),
        told: told.unwrap(),
        unanswered: slow.unanswered(),
        given_up: slow.given_up(),
        log: program.stderr(),
    }
}

fn no_worse_than_bare(late: Late, pause: Duration) {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let bare = lives_through(&lab, Preload::Bare, late, pause);
    let ours = lives_through(&lab, Preload::Preloaded, late, pause);
    println!("bare {bare:?}\nprotected {ours:?}");
    assert!(bare.longest < AT_ONCE, "the machine is too busy to tell: {bare:?}");
    assert!(ours.longest < AT_ONCE, "{ours:?}");
    assert!(ours.told.starts_with("ok"), "a connection that was ended while idle is replaced unseen: {ours:?}");
    assert!(ours.back < bare.back + pause + AT_ONCE, "{ours:?}");
    assert_eq!(ours.given_up, 0, "{ours:?}");
    assert!(ours.unanswered <= 4, "each counts against max_connect_errors: {ours:?}");
    assert!(!ours.log.contains("given up"), "{}", ours.log);
}

#[test]
fn greetings_that_take_five_seconds_cost_a_healthy_connection_nothing() {
    no_worse_than_bare(Late::Greeting, Duration::from_secs(5));
}

#[test]
fn greetings_that_take_longer_than_two_seconds_cost_a_healthy_connection_nothing() {
    no_worse_than_bare(Late::Greeting, Duration::from_millis(2500));
}

#[test]
fn logins_that_take_five_seconds_cost_a_healthy_connection_nothing() {
    no_worse_than_bare(Late::Login, Duration::from_secs(5));
}

#[test]
fn logins_that_take_longer_than_two_seconds_cost_a_healthy_connection_nothing() {
    no_worse_than_bare(Late::Login, Duration::from_millis(2500));
}

/// Nobody hears from the server then: every connection of the process is new.
#[test]
fn connections_that_are_all_ended_at_once_are_back_once_the_greetings_are_there() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let slow = Slow::in_front_of(&lab, lab.blue().address());
    lab.dns().set(ENDPOINT, &[slow.ip()], 1).unwrap();
    let mut program = Puppet::start(&lab, &[]);
    HEALTHY.iter().for_each(|name| program.connect(name));
    slow.is_late(Some((Late::Greeting, Duration::from_secs(4))));
    lab.blue().drop_connections(USER).unwrap();
    let began = Instant::now();
    HEALTHY.iter().for_each(|name| program.begin(name, "query", "SELECT 1"));
    for name in HEALTHY {
        assert_eq!(program.answer(name), "ok ((1,),)", "{}", program.stderr());
    }
    println!("all were back after {:?}, {} greetings unanswered", began.elapsed(), slow.unanswered());
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}: {}", began.elapsed(), program.stderr());
    assert!(slow.unanswered() <= 4, "{}", slow.unanswered());
}

/// The application's patience is its own: a connect that takes longer than any limit of ours succeeds.
#[test]
fn a_connect_of_the_application_takes_as_long_as_it_takes() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let slow = Slow::in_front_of(&lab, lab.blue().address());
    lab.dns().set(ENDPOINT, &[slow.ip()], 1).unwrap();
    let mut program = Puppet::start(&lab, &[]);
    program.connect("a");
    for late in [Late::Greeting, Late::Login] {
        slow.is_late(Some((late, Duration::from_secs(9))));
        program.connect("b");
    }
    assert_eq!(slow.given_up(), 0);
}

/// An address that takes connections and says nothing on them, ever: what is connected in that time is lost. Returns how long
/// after its end the slowest of three connections worked again.
fn back_after_a_mute_address(lab: &Lab, preload: Preload) -> Duration {
    const FOR_EVER: Duration = Duration::from_secs(120);
    const MUTE: Duration = Duration::from_secs(4);
    let slow = Slow::in_front_of(lab, lab.blue().address());
    lab.dns().set(ENDPOINT, &[slow.ip()], 1).unwrap();
    let mut program = Puppet::start_as(lab, preload, &[("PUPPET_CONNECT_TIMEOUT", "2")]);
    HEALTHY.iter().for_each(|name| program.connect(name));
    slow.is_late(Some((Late::Greeting, FOR_EVER)));
    lab.blue().drop_connections(USER).unwrap();
    let mut began = Instant::now();
    let mut missing = HEALTHY.to_vec();
    missing.iter().for_each(|name| program.begin(name, "query", "SELECT 1"));
    let mut mute = true;
    while !missing.is_empty() {
        if mute && began.elapsed() >= MUTE {
            slow.is_late(None);
            (mute, began) = (false, Instant::now());
        }
        missing.retain(|name| match program.answer_if_there(name) {
            Some(answer) if answer.starts_with("ok") => false,
            Some(answer) => {
                assert!(answer.starts_with("error 20"), "{answer}");
                program.begin(name, "connect", "-");
                true
            }
            None => true,
        });
        assert!(began.elapsed() < FOR_EVER / 2, "{}", program.stderr());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!mute, "it was not mute");
    began.elapsed()
}

#[test]
fn an_address_that_was_mute_is_found_well_again_about_when_a_bare_program_finds_it() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let bare = back_after_a_mute_address(&lab, Preload::Bare);
    let ours = back_after_a_mute_address(&lab, Preload::Preloaded);
    println!("bare after {bare:?}, protected after {ours:?}");
    assert!(ours < bare + AT_ONCE, "{bare:?}, {ours:?}");
}
