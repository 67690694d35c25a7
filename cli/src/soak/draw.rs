//! What one run does: everything follows from its seed, so the seed repeats it.

use std::fmt;
use std::time::Duration;

use pointsman_lab::{Dice, Flavor, Form, Habits, Naming, Scenario, ScenarioKind, Workload};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    pub seed: u64,
    pub kind: ScenarioKind,
    pub scenario: Scenario,
    pub workload: Workload,
    pub server: Flavor,
    pub tls: bool,
    pub autocommit: bool,
    pub threads: u32,
    /// Between two statements of a worker.
    pub pause: Duration,
    /// How long everything is well before the story begins.
    pub lead: Duration,
    pub habits: Habits,
    pub naming: Naming,
    /// By how much green's clock is ahead.
    pub green_ahead: Duration,
}

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self::of(seed, None)
    }

    /// The same with this kind of story: what an older list of stories drew from the seed.
    pub fn of(seed: u64, kind: Option<ScenarioKind>) -> Self {
        let mut dice = Dice::new(seed);
        let drawn = dice.pick(&ScenarioKind::ALL);
        let kind = kind.unwrap_or(drawn);
        let mut draw = Self {
            seed,
            kind,
            scenario: Scenario::random(dice.roll(), kind),
            workload: dice.pick(&Workload::ALL),
            server: dice.pick(&[Flavor::MariaDb, Flavor::MySql]),
            tls: dice.pick(&[false, true]),
            autocommit: dice.pick(&[false, true]),
            threads: dice.number(1..=6) as u32,
            pause: dice.time(1..=10),
            lead: dice.time(100..=500),
            habits: Habits::default(),
            naming: Naming::Plain,
            green_ahead: Duration::ZERO,
        };
        draw.take_habits(&mut dice);
        draw
    }

    /// What the application is in the habit of doing, as far as its driver's program knows how.
    fn take_habits(&mut self, dice: &mut Dice) {
        let habits = &mut self.habits;
        habits.evicts = dice.pick(&[true, true, false]);
        let readers = dice.pick(&[0, 0, 1, 2]);
        if self.workload != Workload::Dbd && self.threads > readers {
            habits.readers = readers;
        }
        let (rows, after) = (dice.number(2..=20) as u32, dice.number(0..=2));
        let in_transactions = dice.pick(&[false, true]);
        if self.workload.is_transactional() && in_transactions && self.kind != ScenarioKind::ReaderPool {
            habits.rows = rows;
            (habits.swallows, habits.retries) = (after == 1, after == 2);
        }
        let form = dice.pick(&[Form::Chain, Form::Sequence, Form::Function, Form::View]);
        let formed = dice.pick(&[true, false, false]);
        // Where both servers take writes, both would draw the same numbers of a sequence.
        let divided = matches!(self.kind, ScenarioKind::TwoWriters | ScenarioKind::MovedForGood);
        let suits = form != Form::Sequence || self.server == Flavor::MariaDb && !divided;
        if formed && suits && self.workload.is_transactional() && self.kind != ScenarioKind::ReaderPool {
            habits.form = form;
        }
        self.suit_the_story(dice);
    }

    /// What a story is about has to be there: long transactions, readers, a table without transactions.
    fn suit_the_story(&mut self, dice: &mut Dice) {
        let transactional = dice.pick(&Workload::TRANSACTIONAL);
        let (rows, after) = (dice.number(20..=200) as u32, dice.number(0..=2));
        let (is_quiet, quiet) = (dice.pick(&[false, true]), dice.time(300..=2000));
        let late = Naming::Late(dice.time(500..=4000));
        let naming = dice.pick(&[late, late, Naming::TcpOnly]);
        let environment = dice.pick(&[Naming::LocalDomain, Naming::HostAliases, Naming::Hosts]);
        let habits = &mut self.habits;
        match self.kind {
            ScenarioKind::Blips | ScenarioKind::BlipsAfterHandover => {
                (self.workload, self.threads) = (transactional, self.threads.min(3));
                (habits.rows, habits.readers) = (rows, 0);
                (habits.swallows, habits.retries) = (after == 1, after == 2);
            }
            ScenarioKind::LongReadOnly => {
                if self.workload == Workload::Dbd {
                    self.workload = transactional;
                }
                (self.threads, habits.readers) = (self.threads.max(2), habits.readers.max(1));
                self.threads = self.threads.max(habits.readers + 1);
            }
            // A process that is quiet meets the servers as they are in the end.
            ScenarioKind::Zombie if is_quiet => self.pause = quiet,
            ScenarioKind::Shutdown => {
                self.workload = transactional;
                (self.threads, self.autocommit) = (self.threads.min(3), true);
                *habits = Habits { form: Form::Bulk, evicts: habits.evicts, ..Habits::default() };
            }
            ScenarioKind::Increments => {
                self.workload = transactional;
                habits.form = Form::Family;
            }
            ScenarioKind::Password | ScenarioKind::PasswordSwitchover => {
                if self.workload == Workload::ActiveRecord {
                    self.workload = transactional;
                }
                habits.reads_password = true;
            }
            ScenarioKind::SlowDns => self.naming = naming,
            ScenarioKind::OtherNames => {
                // The root with Debian sid has no /etc/hosts to put another one over.
                let suits = environment != Naming::Hosts || self.workload != Workload::LibMySqlClient;
                self.naming = if suits { environment } else { Naming::LocalDomain };
                // The certificate is for no name without a domain.
                self.tls &= self.naming == Naming::Hosts;
            }
            // Its nodes are MariaDB's, and have no certificate of their own.
            ScenarioKind::Galera => {
                (self.server, self.tls) = (Flavor::MariaDb, false);
                habits.form = Form::Plain;
            }
            ScenarioKind::Clocks => {
                (self.workload, self.green_ahead) = (transactional, Duration::from_secs(3600));
                habits.rows = rows;
            }
            _ => {}
        }
    }
}

impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, kind, scenario, workload, server, threads, pause, .. } = self;
        let tls = if self.tls { ", TLS" } else { "" };
        // The only driver that can be told.
        let autocommit = if self.autocommit && *workload == Workload::MySqlDb { ", autocommit" } else { "" };
        let (name, pause) = (&scenario.name, pause.as_millis());
        write!(
            f,
            "{seed:016x}  {kind}: {name}; {workload} on {server}{tls}{autocommit}, {threads} × every {pause} ms"
        )?;
        if self.naming != Naming::Plain {
            write!(f, ", names by {}", self.naming)?;
        }
        if !self.green_ahead.is_zero() {
            write!(f, ", green's clock {} s ahead", self.green_ahead.as_secs())?;
        }
        tell_habits(&self.habits, f)
    }
}

fn tell_habits(habits: &Habits, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if habits.rows > 1 {
        write!(f, ", {} rows in a transaction", habits.rows)?;
    }
    if habits.form != Form::Plain {
        write!(f, ", form {}", habits.form.name())?;
    }
    if habits.readers > 0 {
        write!(f, ", {} only read", habits.readers)?;
    }
    let words = [(habits.evicts, "evicts"), (habits.swallows, "swallows errors"), (habits.retries, "retries")];
    words.into_iter().filter(|(on, _)| *on).try_for_each(|(_, word)| write!(f, ", {word}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_run() {
        for seed in 0..50 {
            assert_eq!(Draw::new(seed), Draw::new(seed));
        }
        assert_ne!(Draw::new(1), Draw::new(2));
    }

    #[test]
    fn a_seed_draws_the_same_whether_its_kind_is_drawn_or_given() {
        for seed in 0..50 {
            let drawn = Draw::new(seed);
            assert_eq!(Draw::of(seed, Some(drawn.kind)), drawn);
        }
    }

    #[test]
    fn every_kind_of_story_is_drawn() {
        let kinds: std::collections::BTreeSet<_> = (0..400).map(|seed| Draw::new(seed).kind).collect();
        assert_eq!(kinds.len(), ScenarioKind::ALL.len());
    }
}
