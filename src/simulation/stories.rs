//! What goes wrong, drawn from a seed; and the proof that the application sees what it may see and nothing else.

use std::{cell::RefCell, panic::catch_unwind, rc::Rc, time::Duration};

use pointsman_dice::Dice;

use super::{
    program::Program,
    world::{BLUE, Event, GREEN, Inner, begin, is_visited_by, is_visited_no_more, world},
};

/// `SIMULATED` says how many, `SIMULATED_FIRST` from which seed on; `SIMULATED_SEED` tells one story again. The same stories are told
/// each time, since a unit test that fails has to fail again; `make soak` tells others.
const STORIES: u64 = 100_000;

/// The first row of the other program, which acts while the first one waits.
const OTHERS: u32 = 1_000;

type Events = Vec<(Duration, Event)>;

/// Draws one story; gives the times from its beginning on.
fn story(dice: &mut Dice) -> Events {
    let mut events = Events::new();
    let begins = dice.time(5..=400);
    let outage = dice.time(1..=4_000);
    let dns = dice.time(0..=5_000);
    match dice.below(10) {
        // Blue is read-only for a moment, or several times.
        0 => {
            let mut at = begins;
            for _ in 0..=dice.below(4) {
                let long = dice.time(1..=400);
                events.push((at, Event::ReadOnly(BLUE, true)));
                events.push((at + long, Event::ReadOnly(BLUE, false)));
                at += long + dice.time(1..=300);
            }
        }
        // A switchover, with the name before, in or behind the outage; connections are cut, or not.
        kind @ (1..=3) => {
            events.push((begins, Event::ReadOnly(BLUE, true)));
            if kind == 2 {
                events.push((begins + dice.time(0..=100), Event::CutsConnections(BLUE)));
            }
            events.push((begins + outage, Event::Leads(GREEN)));
            events.push((begins + outage, Event::ReadOnly(GREEN, false)));
            events.push((begins + dns.max(outage / 2), Event::Named(GREEN)));
            if kind == 3 {
                // The new writer refuses for moments.
                let at = begins + outage + dice.time(50..=2_000);
                events.push((at, Event::ReadOnly(GREEN, true)));
                events.push((at + dice.time(20..=300), Event::ReadOnly(GREEN, false)));
            }
        }
        // It is rolled back.
        4 => {
            events.push((begins, Event::ReadOnly(BLUE, true)));
            if dice.one_in(2) {
                events.push((begins + dice.time(0..=50), Event::CutsConnections(BLUE)));
            }
            events.push((begins + outage, Event::ReadOnly(BLUE, false)));
        }
        // Blue dies, and green is promoted and named. Blue may come back, writable, before or after that.
        5 => {
            events.push((begins, Event::Dies(BLUE)));
            events.push((begins + outage, Event::Leads(GREEN)));
            events.push((begins + outage, Event::ReadOnly(GREEN, false)));
            events.push((begins + outage + dns, Event::Named(GREEN)));
            if dice.one_in(2) {
                events.push((begins + outage + dns + dice.time(0..=4_000), Event::Starts(BLUE)));
            }
        }
        // Blue dies and comes back.
        6 => {
            events.push((begins, Event::Dies(BLUE)));
            events.push((begins + outage, Event::Starts(BLUE)));
        }
        // Blue falls silent; green is promoted and named.
        7 => {
            events.push((begins, Event::Silent(BLUE, true)));
            events.push((begins, Event::ReadOnly(BLUE, true)));
            events.push((begins + outage, Event::Leads(GREEN)));
            events.push((begins + outage, Event::ReadOnly(GREEN, false)));
            events.push((begins + outage + dns, Event::Named(GREEN)));
        }
        // Green takes writes before it is the writer, and blue has troubles of its own. The name may have meant green for a moment.
        kind => {
            events.push((Duration::from_millis(1), Event::ReadOnly(GREEN, false)));
            if kind == 9 {
                events.push((Duration::from_millis(2), Event::Named(GREEN)));
                events.push((begins, Event::Named(BLUE)));
            }
            let begins = if kind == 9 { begins + dice.time(0..=1_500) } else { begins };
            let trouble = match dice.below(3) {
                0 => Event::CutsConnections(BLUE),
                1 => Event::Dies(BLUE),
                _ => Event::ReadOnly(BLUE, true),
            };
            let ends =
                if matches!(trouble, Event::Dies(_)) { Event::Starts(BLUE) } else { Event::ReadOnly(BLUE, false) };
            events.push((begins, trouble));
            events.push((begins + outage, ends));
        }
    }
    if dice.one_in(20) {
        events.push((begins + dice.time(0..=1_000), Event::Forks));
    }
    events
}

/// Lives through the story of that seed; what it was, and what must not have happened.
fn live(seed: u64) -> (Vec<String>, Vec<String>) {
    let endpoint = begin(seed);
    let mut program = Program::new(&endpoint, 1);
    let other = Rc::new(RefCell::new(Program::new(&endpoint, OTHERS)));
    // The writer is known, and the watcher has named it.
    endpoint.on_answer(vec![super::world::address(BLUE).ip()]);
    program.step(u64::MAX);
    other.borrow_mut().step(u64::MAX);
    let losses = {
        let mut world = world().look();
        let now = world.time;
        let events = story(&mut world.dice);
        world.events.extend(events.into_iter().map(|(at, event)| (now + at, event)));
        // Without DNS, a dead writer that comes back is taken for the writer, since no answer says otherwise.
        let comes_back = world.events.iter().any(|(_, event)| matches!(event, Event::Starts(BLUE)));
        if world.dice.one_in(6) && !comes_back {
            let from = now + world.dice.time(0..=2_000);
            world.dns_out = (from, from + world.dice.time(100..=8_000));
            let told = format!("no DNS from {:?} to {:?}", world.dns_out.0, world.dns_out.1);
            world.say(told);
        }
        // While the name means a second server that takes writes, no connection is lost: that would be a story of two writers.
        let flaps = world.events.iter().any(|(_, event)| matches!(event, Event::Named(BLUE)));
        if world.dice.one_in(2) && !flaps { 12 } else { u64::MAX }
    };
    let visitor = Rc::clone(&other);
    is_visited_by(Box::new(move || {
        // It may be that one which waits.
        if let Ok(mut other) = visitor.try_borrow_mut() {
            other.step(losses);
        }
    }));
    for _ in 0..12 {
        if endpoint.was_forked() {
            break;
        }
        program.step(losses);
        if { world().look().dice.one_in(3) } && !endpoint.was_forked() {
            other.borrow_mut().step(losses);
        }
        let thinks = { world().look().dice.time(0..=300) };
        world().pass(thinks);
    }
    world().pass(Duration::from_secs(20));
    is_visited_no_more();
    if !endpoint.was_forked() {
        program.check();
        other.borrow().check();
    }
    // Their connections are of this story.
    drop((program, other));
    let Inner { violations, said, .. } = &mut *world().look();
    (std::mem::take(said), std::mem::take(violations))
}

/// Lives through it; a panic is something that must not have happened, too.
fn live_or_panic(seed: u64) -> (Vec<String>, Vec<String>) {
    catch_unwind(|| live(seed)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
        is_visited_no_more();
        (std::mem::take(&mut world().look().said), vec![format!("a panic: {words}")])
    })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn in_random_stories_nothing_is_lost_or_doubled_and_no_error_is_told_that_the_verdict_does_not_know() {
    if let Some(seed) = number("SIMULATED_SEED") {
        let (said, violations) = live_or_panic(seed);
        panic!("seed {seed}: {violations:#?}\n{}", said.join("\n"));
    }
    let stories = number("SIMULATED").unwrap_or(STORIES);
    let first = number("SIMULATED_FIRST").unwrap_or(1);
    println!("SIMULATED_FIRST={first} SIMULATED={stories}");
    let threads = 2;
    let bad: Vec<_> = std::thread::scope(|scope| {
        let lives = |part: u64| {
            move || {
                crate::control::log::mute_this_thread();
                (0..stories / threads)
                    .map(|at| first + at * threads + part)
                    .find(|seed| !live_or_panic(*seed).1.is_empty())
            }
        };
        let parts: Vec<_> = (0..threads).map(|part| scope.spawn(lives(part))).collect();
        parts.into_iter().filter_map(|part| part.join().expect("a story without a panic")).collect()
    });
    if let Some(seed) = bad.first() {
        let (said, violations) = live_or_panic(*seed);
        panic!("SIMULATED_SEED={seed}: {violations:#?}\n{}", said.join("\n"));
    }
}
