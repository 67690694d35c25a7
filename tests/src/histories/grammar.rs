//! What a session can live through: statements and calls, drawn by dice, and what `docs/session.md` says of each.
//!
//! `{db}` stands for the session's own database, `{db}o` for another one of its own; `{id}` for the first id in them.

use pointsman_lab::{Dice, Flavor};

use super::phrases;
use crate::programs::dialogue::Driver;

/// What it does to the session, and so to a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing.
    Plain,
    /// Nothing that stands in the way; but a transaction with it in it is not replayed.
    Fragile,
    /// From now on the session holds what cannot be rebuilt, until it is reset. Also if it fails.
    Pins,
    /// The same until what is named here is let go.
    Holds(&'static str),
    LetsGo(&'static str),
    /// However often it was taken.
    LetsGoAll(&'static str),
    /// It asks for what earlier statements left on this very connection.
    AsksPrevious,
    /// It holds for the next transaction.
    SetsNext,
    /// The session begins anew.
    Resets,
}

/// One call of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// A command of `programs/c/twins.c`.
    pub verb: &'static str,
    pub rest: String,
    pub mark: Mark,
}

impl Step {
    pub fn query(text: impl Into<String>, mark: Mark) -> Self {
        Step::call("query", text, mark)
    }

    pub fn call(verb: &'static str, rest: impl Into<String>, mark: Mark) -> Self {
        Step { verb, rest: rest.into(), mark }
    }

    /// The database does not have the same tables afterwards.
    pub fn changes_tables(&self) -> bool {
        self.rest.starts_with("CREATE TABLE") || self.rest.starts_with("ALTER TABLE")
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}  -- {:?}", self.verb, self.rest, self.mark)
    }
}

/// A text that can be prepared: with values for its parameters, `#` for a number.
#[derive(Clone, Copy, Debug)]
pub struct Phrase {
    pub text: &'static str,
    pub values: &'static str,
    pub mark: Mark,
}

/// How the server under test says it.
#[derive(Clone, Copy, Debug)]
pub struct Grammar {
    pub flavor: Flavor,
    pub driver: Driver,
    /// For switchovers: LOCK TABLES would keep a server from being made read-only, and ids that were generated for what is
    /// rolled back are used up on one server only.
    pub switches: bool,
}

/// One history while it is drawn.
struct Draft<'a> {
    grammar: Grammar,
    dice: &'a mut Dice,
    /// Calm sessions leave much to carry over, wild ones do everything.
    wild: bool,
    /// It asks for LAST_INSERT_ID().
    asks_ids: bool,
    /// What is prepared: by calls, and by SQL under the name `p`.
    slots: [Option<Phrase>; SLOTS],
    named: Option<Phrase>,
    steps: Vec<Step>,
}

/// Prepared statements that a session plays with.
pub const SLOTS: usize = 3;

impl Grammar {
    /// What the application does, and in the end all that can be seen of its session. Any of it may fail: for the bare
    /// twin it fails as well. Gives the number of the application's own steps.
    pub fn history(&self, dice: &mut Dice) -> (Vec<Step>, usize) {
        let (wild, asks_ids) = (dice.number(0..=2) == 0, dice.number(0..=1) == 0);
        let (slots, steps) = ([None; SLOTS], Vec::new());
        let mut draft = Draft { grammar: *self, dice, wild, asks_ids, slots, named: None, steps };
        // What FOUND_ROWS() and its like are before is left to chance.
        draft.query("SELECT * FROM t", Mark::Plain);
        let length = draft.dice.number(3..=24);
        for _ in 0..length {
            draft.step();
        }
        let own = draft.steps.len();
        draft.observations();
        (draft.steps, own)
    }
}

impl Draft<'_> {
    fn query(&mut self, text: impl Into<String>, mark: Mark) {
        self.steps.push(Step::query(text, mark));
    }

    fn call(&mut self, verb: &'static str, rest: impl Into<String>, mark: Mark) {
        self.steps.push(Step::call(verb, rest, mark));
    }

    /// One of the list, with the same number wherever it says `#`.
    fn pick(&mut self, list: &[&str], most: u64) -> String {
        let number = self.dice.number(1..=most).to_string();
        self.dice.pick(list).replace('#', &number)
    }

    fn marked(&mut self, list: &[(&str, Mark)], most: u64) {
        let number = self.dice.number(1..=most).to_string();
        let (text, mark) = self.dice.pick(list);
        self.query(text.replace('#', &number), mark);
    }

    fn step(&mut self) {
        match self.dice.number(0..=if self.wild { 16 } else { 11 }) {
            0..=1 => self.setting(),
            2 => {
                let text = self.pick(phrases::USER_VARIABLES, 99);
                self.query(text, Mark::Fragile);
            }
            3 => self.marked(phrases::READS, 9),
            4..=5 => self.write(),
            6 => self.boundary(),
            7 => match self.dice.number(0..=3) {
                0 => self.marked(phrases::FAILING, 9),
                1 => self.isolation(),
                2 => self.place(),
                _ => self.marked(phrases::SEVERAL, 9),
            },
            8 => match self.dice.number(0..=3) {
                0 => self.previous(),
                1 => self.autocommit(),
                _ => self.marked(phrases::READS, 9),
            },
            9 => self.named(),
            10..=11 => self.prepared(),
            12 => self.marked(phrases::HELD, 90),
            13 => self.marked(phrases::USER_LOCKS, 9),
            14 if !self.grammar.switches => self.marked(phrases::TABLE_LOCKS, 9),
            15 => self.previous(),
            _ => self.seldom(),
        }
    }

    fn setting(&mut self) {
        if self.dice.number(0..=9) == 0 {
            let name = self.dice.pick(&["latin1", "utf8mb4", "utf8mb3"]);
            return self.call("set_names", name, Mark::Fragile);
        }
        let text = self.pick(phrases::SETTINGS, 9);
        let mark = if ["timestamp", "auto_is_null"].iter().any(|word| text.to_ascii_lowercase().contains(word)) {
            Mark::Pins
        } else {
            Mark::Fragile
        };
        self.query(text, mark);
    }

    fn write(&mut self) {
        let explicit = self.grammar.switches || self.dice.number(0..=3) == 0;
        if self.grammar.flavor == Flavor::MariaDb && self.dice.number(0..=3) == 0 {
            let text = self.pick(if explicit { phrases::RETURNING_WITH_IDS } else { phrases::RETURNING }, 30);
            return self.query(text, Mark::Fragile);
        }
        let text = self.pick(if explicit { phrases::WRITES_WITH_IDS } else { phrases::WRITES }, 30);
        self.query(text, Mark::Plain);
    }

    fn boundary(&mut self) {
        match self.dice.number(0..=9) {
            0 => self.call("commit", "", Mark::Plain),
            1 => self.call("rollback", "", Mark::Plain),
            _ => self.marked(phrases::BOUNDARIES, 9),
        }
    }

    /// Of the session, or of the next transaction.
    fn isolation(&mut self) {
        let level = self.dice.pick(&["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "READ UNCOMMITTED"]);
        let variable = match self.grammar.flavor {
            Flavor::MariaDb => "tx_isolation",
            Flavor::MySql => "transaction_isolation",
        };
        let value = level.replace(' ', "-");
        let (text, mark) = match self.dice.number(0..=5) {
            0 => (format!("SET TRANSACTION ISOLATION LEVEL {level}"), Mark::SetsNext),
            1 => (format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}"), Mark::Fragile),
            2 => (format!("SET SESSION {variable} = '{value}'"), Mark::Fragile),
            3 => (format!("SET @@{variable} = '{value}'"), Mark::SetsNext),
            4 => ("SET TRANSACTION READ ONLY".to_owned(), Mark::SetsNext),
            _ => {
                let access = self.dice.pick(&["ONLY", "WRITE"]);
                (format!("SET SESSION TRANSACTION READ {access}"), Mark::Fragile)
            }
        };
        self.query(text, mark);
        if mark == Mark::SetsNext && self.dice.number(0..=1) == 0 {
            let begin = self.dice.pick(&["BEGIN", "START TRANSACTION"]);
            self.query(begin, Mark::Plain);
        }
    }

    fn place(&mut self) {
        match self.dice.number(0..=3) {
            0 => self.query("USE {db}o", Mark::Fragile),
            1 => self.call("select_db", "{db}o", Mark::Fragile),
            2 => self.query("USE `{db}`", Mark::Fragile),
            _ => self.call("select_db", "{db}", Mark::Fragile),
        }
    }

    fn autocommit(&mut self) {
        match self.dice.number(0..=3) {
            0 => self.query("SET autocommit = 0", Mark::Fragile),
            1 => self.query("SET autocommit = 1", Mark::Fragile),
            2 => self.call("autocommit", "0", Mark::Fragile),
            _ => self.call("autocommit", "1", Mark::Fragile),
        }
    }

    /// Something that asks what a statement left, mostly with that statement before it.
    fn previous(&mut self) {
        let sequences = self.grammar.flavor == Flavor::MariaDb && !self.grammar.switches;
        let pairs = match (self.asks_ids, sequences && self.dice.number(0..=2) == 0) {
            (_, true) => phrases::ASKS_SEQUENCES,
            (true, _) => phrases::ASKS_IDS,
            (false, _) => phrases::ASKS,
        };
        let number = self.dice.number(1..=300).to_string();
        let (first, then) = self.dice.pick(pairs);
        if self.dice.number(0..=2) != 0 && !(self.grammar.switches && first.contains("INTO t (v")) {
            self.query(first.replace('#', &number), Mark::Plain);
        }
        let generates = then.starts_with("INSERT");
        if !(generates && self.grammar.switches) {
            self.query(then, Mark::AsksPrevious);
        }
    }

    /// SQL's own prepared statements.
    fn named(&mut self) {
        match self.dice.number(0..=5) {
            0..=1 => {
                let phrase = self.dice.pick(phrases::NAMED);
                self.named = Some(phrase);
                self.query(format!("PREPARE p FROM '{}'", phrase.text), Mark::Fragile);
            }
            2 => {
                self.named = None;
                let drop = self.dice.pick(&["DEALLOCATE PREPARE p", "DROP PREPARE p"]);
                self.query(drop, Mark::Fragile);
            }
            _ => match self.named {
                Some(phrase) => self.query(format!("EXECUTE p{}", phrase.values), phrase.mark),
                None if self.wild => self.query("EXECUTE p", Mark::Pins),
                None => {}
            },
        }
    }

    /// The prepared statements of the C API.
    fn prepared(&mut self) {
        let slot = self.dice.number(0..=SLOTS as u64 - 1) as usize;
        match (self.slots[slot], self.dice.number(0..=9)) {
            (Some(_), 0) => {
                self.slots[slot] = None;
                self.call("unprepare", slot.to_string(), Mark::Plain);
            }
            (Some(phrase), 1..=8) => {
                let number = self.dice.number(1..=90).to_string();
                let values = phrase.values.replace('#', &number);
                self.call("execute", format!("{slot}{values}"), phrase.mark);
            }
            _ => {
                let list = if self.grammar.switches { phrases::PREPARED_WITH_IDS } else { phrases::PREPARED };
                let phrase = self.dice.pick(list);
                self.slots[slot] = Some(phrase);
                let mark = if phrase.text.starts_with("SET @") { Mark::Pins } else { Mark::Plain };
                self.call("prepare", format!("{slot} {}", phrase.text), mark);
            }
        }
    }

    fn seldom(&mut self) {
        // What a session of this library has after a reset is left to chance on this server (docs/session.md).
        let strangers = self.grammar.driver == Driver::LibMySqlClient && self.grammar.flavor == Flavor::MariaDb;
        match self.dice.number(0..=4) {
            0 if !strangers => {
                self.slots = [None; SLOTS];
                self.named = None;
                self.call("reset", "", Mark::Resets);
                self.query("SELECT * FROM t", Mark::Plain);
            }
            1 if !self.grammar.switches => self.query("CREATE TABLE IF NOT EXISTS made (x INT)", Mark::Fragile),
            2 if !self.grammar.switches => self.query("ALTER TABLE u COMMENT = 'touched'", Mark::Fragile),
            _ => self.call("ping", "", Mark::Plain),
        }
    }

    /// What a move can lose comes first where looking at it changes nothing.
    fn observations(&mut self) {
        let (isolation, read_only) = match self.grammar.flavor {
            Flavor::MariaDb => ("@@tx_isolation", "@@tx_read_only"),
            Flavor::MySql => ("@@transaction_isolation", "@@transaction_read_only"),
        };
        for text in phrases::OBSERVED {
            let text = text.replace("{isolation}", isolation).replace("{read_only}", read_only);
            let mark = if text.contains("@@") { Mark::Fragile } else { Mark::Plain };
            self.query(text, mark);
        }
        if let Some(phrase) = self.named {
            self.query(format!("EXECUTE p{}", phrase.values), phrase.mark);
        }
        for slot in 0..SLOTS {
            if let Some(phrase) = self.slots[slot] {
                self.call("execute", format!("{slot}{}", phrase.values.replace('#', "95")), phrase.mark);
            }
        }
        self.query("HANDLER h READ FIRST", Mark::Fragile);
        self.query("INSERT INTO {db}.u (v) VALUES ('the end')", Mark::Plain);
        self.query("SELECT * FROM {db}.t ORDER BY id", Mark::Plain);
        if self.asks_ids {
            self.query("SELECT LAST_INSERT_ID()", Mark::AsksPrevious);
        }
    }
}
