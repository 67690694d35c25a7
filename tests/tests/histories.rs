//! Random histories of a session, lived through twice: on a connection that stays and on one that is moved. Whatever can
//! be seen of them is the same, or the moved one gets an error that `docs/session.md` names, and nothing else happens.
//!
//! `HISTORIES` says how many, `HISTORIES_SEED` repeats them, `HISTORY_SEED` repeats a single one (in the tests that its
//! line names).

use std::fmt::Write;

use pointsman_lab::{Dice, Flavor, Handover, Side};
use pointsman_tests::{
    comparison::{End, Ends},
    dialogue::Driver,
    grammar::{Grammar, Step},
    pair,
    scale::{amount, seed},
    single,
    twins::{Life, Twins},
};

/// Connections that one switchover moves.
const AT_ONCE: usize = 24;
/// Tries at making a failing history shorter that each take a switchover.
const SHORTER: usize = 40;
/// Failures that are told at most.
const FAILURES: usize = 3;
/// They share the histories.
const TESTS: u64 = 12;
/// So many histories say nothing of how many are carried over.
const FEW: u64 = 40;

/// A history and the step before which its connection is moved.
#[derive(Clone)]
struct Case {
    seed: u64,
    steps: Vec<Step>,
    at: usize,
}

impl Case {
    fn new(grammar: &Grammar, seed: u64) -> Case {
        let mut dice = Dice::new(seed);
        let (steps, own) = grammar.history(&mut dice);
        let at = dice.number(1..=own.max(1) as u64) as usize;
        Case { seed, steps, at }
    }

    fn life(&self) -> Life<'_> {
        (&self.steps, self.at)
    }

    /// Without some of its steps; not without the first, and only if anything is left behind the move.
    fn without(&self, gone: std::ops::Range<usize>) -> Option<Case> {
        let mut shorter = self.clone();
        shorter.at -= gone.clone().filter(|step| *step < self.at).count();
        shorter.steps.drain(gone);
        (shorter.at < shorter.steps.len()).then_some(shorter)
    }

    fn told(&self) -> String {
        let mut text = String::new();
        for (number, step) in self.steps.iter().enumerate() {
            let moved = if number == self.at { "    (moved here)\n" } else { "" };
            writeln!(text, "{moved}{number:5}  {step}").unwrap();
        }
        text
    }
}

/// What goes wrong, without where: a shorter history is to go wrong in the same way.
fn kind(why: &str) -> (String, Option<String>) {
    let answered = why.lines().find_map(|line| line.trim().strip_prefix("moved: "));
    let answered = answered.map(|answer| answer.split(' ').take(2).collect::<String>());
    (why.split(':').next().unwrap_or_default().to_owned(), answered.filter(|answer| answer.starts_with("[error")))
}

/// As few steps as will do to go wrong, tried in ever smaller pieces.
fn shrunk(case: &Case, why: String, tries: usize, mut live: impl FnMut(&Case) -> Option<String>) -> (Case, String) {
    let (mut least, mut why, mut left) = (case.clone(), why, tries);
    let wanted = kind(&why);
    let mut piece = least.steps.len().div_ceil(2);
    while piece > 0 {
        let mut end = least.steps.len();
        while end > 1 && left > 0 {
            let begin = end.saturating_sub(piece).max(1);
            if let Some(shorter) = least.without(begin..end) {
                left -= 1;
                if let Some(reason) = live(&shorter).filter(|reason| kind(reason) == wanted) {
                    (least, why) = (shorter, reason);
                }
            }
            end = begin;
        }
        piece = if piece == 1 { 0 } else { piece.div_ceil(2) };
    }
    (least, why)
}

/// What came of many histories.
#[derive(Default)]
struct Account {
    ends: Ends,
    failures: Vec<String>,
}

impl Account {
    /// `shorter`: the least of the history that goes wrong, and why.
    fn enter(&mut self, case: &Case, end: Result<End, String>, shorter: impl FnOnce(String) -> (Case, String)) {
        match end {
            Ok(end) => *self.ends.entry(end).or_default() += 1,
            Err(why) => {
                let (least, least_why) = shorter(why.clone());
                let story = format!("HISTORY_SEED={:x}\n{why}\n\nas short as it will go: {least_why}", case.seed);
                self.failures.push(format!("{story}\n{}", least.told()));
            }
        }
    }

    fn is_full(&self) -> bool {
        self.failures.len() == FAILURES
    }

    fn close(self, what: &str, (flavor, driver): (Flavor, Driver)) {
        let (all, ends): (u64, _) = (self.ends.values().sum(), self.ends);
        println!("{all} histories, {what}, {driver:?} on {flavor}: {ends:?}");
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
        // The test would prove little if few were carried over.
        let carried: u64 = [End::Alike, End::AlikeInTransaction].iter().filter_map(|end| ends.get(end)).sum();
        assert!(all < FEW || carried * 10 > all, "{carried} of {all}");
    }
}

/// The seeds of one test's share of the histories, other ones in each, or the one that is asked for.
fn seeds(test: u64) -> Vec<u64> {
    if std::env::var_os("HISTORY_SEED").is_some() {
        return vec![seed("HISTORY_SEED")];
    }
    let mut dice = Dice::new(seed("HISTORIES_SEED") ^ test);
    let histories = amount("HISTORIES", 480);
    (0..histories.div_ceil(TESTS)).map(|_| dice.roll()).collect()
}

/// Of the four combinations.
fn number(flavor: Flavor, driver: Driver) -> u64 {
    2 * u64::from(flavor == Flavor::MySql) + u64::from(driver == Driver::LibMySqlClient)
}

/// A third of all, on four combinations.
fn killed(flavor: Flavor, driver: Driver) {
    let Some(lab) = single(flavor) else { return };
    let Some(mut twins) = Twins::start(&lab, driver) else { return };
    let grammar = Grammar { flavor, driver, switches: false };
    let mut account = Account::default();
    for seed in seeds(number(flavor, driver)) {
        let case = Case::new(&grammar, seed);
        let end = twins.with_a_kill(&lab, case.life());
        account.enter(&case, end, |why| {
            shrunk(&case, why, usize::MAX, |shorter| twins.with_a_kill(&lab, shorter.life()).err())
        });
        if account.is_full() {
            break;
        }
    }
    account.close("killed while idle", (flavor, driver));
}

/// Another third: connections stay, or are cut.
fn switched(flavor: Flavor, driver: Driver) {
    let Some(lab) = pair(flavor) else { return };
    let Some(mut twins) = Twins::start(&lab, driver) else { return };
    let grammar = Grammar { flavor, driver, switches: true };
    let seeds = seeds(4 + number(flavor, driver));
    let [some, others] = match seeds.len() {
        1 => [&seeds[..], &seeds],
        all => <[_; 2]>::from(seeds.split_at(all / 2)),
    };
    let mut writer = Side::Blue;
    for (handover, seeds) in [(Handover::ReadOnly, some), (Handover::CutLater, others)] {
        let mut account = Account::default();
        let mut live = |cases: &[Case]| {
            let lives: Vec<_> = cases.iter().map(Case::life).collect();
            let ends = twins.with_a_switchover(&lab, handover, writer, &lives);
            writer = writer.other();
            ends
        };
        for seeds in seeds.chunks(AT_ONCE) {
            let cases: Vec<_> = seeds.iter().map(|seed| Case::new(&grammar, *seed)).collect();
            for (case, end) in cases.iter().zip(live(&cases)) {
                if !account.is_full() {
                    account.enter(case, end, |why| {
                        shrunk(case, why, SHORTER, |shorter| live(std::slice::from_ref(shorter)).remove(0).err())
                    });
                }
            }
            if account.is_full() {
                break;
            }
        }
        account.close(&format!("{handover:?}"), (flavor, driver));
    }
}

/// The last third: nobody moves, and writes are refused for a moment.
fn refused(flavor: Flavor, driver: Driver) {
    let Some(lab) = single(flavor) else { return };
    let Some(mut twins) = Twins::start(&lab, driver) else { return };
    let grammar = Grammar { flavor, driver, switches: true };
    let mut account = Account::default();
    for seed in seeds(8 + number(flavor, driver)) {
        let case = Case::new(&grammar, seed);
        let end = twins.with_a_blip(&lab, case.life());
        account.enter(&case, end, |why| {
            shrunk(&case, why, SHORTER, |shorter| twins.with_a_blip(&lab, shorter.life()).err())
        });
        if account.is_full() {
            break;
        }
    }
    account.close("refused for a moment", (flavor, driver));
}

/// Nobody can tell the moved connection from the one that stays, on each library and each server.
macro_rules! on_all {
    ($($name:ident: $how:ident($flavor:ident, $driver:ident);)*) => {$(
        #[test]
        fn $name() {
            $how(Flavor::$flavor, Driver::$driver);
        }
    )*};
}

on_all! {
    nobody_can_tell_that_libmariadb_was_killed_while_idle_on_mariadb: killed(MariaDb, LibMariaDb);
    nobody_can_tell_that_libmariadb_was_killed_while_idle_on_mysql: killed(MySql, LibMariaDb);
    nobody_can_tell_that_libmysqlclient_was_killed_while_idle_on_mariadb: killed(MariaDb, LibMySqlClient);
    nobody_can_tell_that_libmysqlclient_was_killed_while_idle_on_mysql: killed(MySql, LibMySqlClient);
    nobody_can_tell_that_libmariadb_was_refused_for_a_moment_on_mariadb: refused(MariaDb, LibMariaDb);
    nobody_can_tell_that_libmariadb_was_refused_for_a_moment_on_mysql: refused(MySql, LibMariaDb);
    nobody_can_tell_that_libmysqlclient_was_refused_for_a_moment_on_mariadb: refused(MariaDb, LibMySqlClient);
    nobody_can_tell_that_libmysqlclient_was_refused_for_a_moment_on_mysql: refused(MySql, LibMySqlClient);
    nobody_can_tell_that_libmariadb_followed_the_writer_on_mariadb: switched(MariaDb, LibMariaDb);
    nobody_can_tell_that_libmariadb_followed_the_writer_on_mysql: switched(MySql, LibMariaDb);
    nobody_can_tell_that_libmysqlclient_followed_the_writer_on_mariadb: switched(MariaDb, LibMySqlClient);
    nobody_can_tell_that_libmysqlclient_followed_the_writer_on_mysql: switched(MySql, LibMySqlClient);
}
