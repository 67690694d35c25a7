//! What stands in the way of a move, as `docs/session.md` has it: told from a history and from what the bare twin was
//! answered, without a look at the library.
//!
//! Where the manual is stricter than it need be, so is this: a reason is one that may be given, not one that must be.

use std::collections::BTreeMap;

use super::{
    grammar::{Mark, SLOTS, Step},
    phrases::{TABLE_LOCK, TEMPORARY, USER_LOCK},
};

pub type Reason = &'static str;

pub const OPEN: Reason = "an open transaction";
pub const PREVIOUS: Reason = "the step before";
const PINNED: Reason = "a pin";
const UNCLEAR: Reason = "nobody knows what is open";
const ELSEWHERE: Reason = "a prepared statement of another database or character set";
const VARIABLE: Reason = "a prepared statement with a user variable";
const NEXT: Reason = "a SET TRANSACTION that may have been used";

/// The session before one of its steps.
#[derive(Debug, Default)]
pub struct Session {
    pinned: bool,
    /// How often it was taken.
    held: BTreeMap<Reason, u32>,
    /// The temporary table may be one of another database, or have another name.
    strays: bool,
    /// Counts databases chosen, and ways of reading texts.
    place: u32,
    reading: u32,
    /// A way of reading was taken from the database.
    reads_as_database: bool,
    /// Prepared statements: the text, and where.
    slots: [Option<(String, u32, u32)>; SLOTS],
    named: Option<(String, u32)>,
    next: Next,
    open: bool,
    /// The open transaction has something in it that is not replayed.
    spoilt: bool,
    unclear: bool,
    /// Without autocommit, a statement failed that may have begun one with nothing in it.
    in_vain: bool,
    /// It is not as every transaction of the session, and a BEGIN in it may go on with that.
    special: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Default,
    Set,
    Unclear,
}

impl Session {
    /// Behind these steps of the bare twin.
    pub fn after(steps: &[Step], told: &[String]) -> Session {
        let mut session = Session::default();
        for (step, answer) in steps.iter().zip(told) {
            session.live(step, answer);
        }
        session
    }

    /// Why the connection may be lost if it would have to move now.
    pub fn obstacle(&self) -> Option<Reason> {
        let stray = |slot: &(String, u32, u32)| slot.1 != self.place || slot.2 != self.reading;
        let named_elsewhere = self.named.as_ref().is_some_and(|named| named.1 != self.place);
        match () {
            _ if self.pinned => Some(PINNED),
            _ if !self.held.is_empty() => self.held.keys().next().copied(),
            _ if self.unclear => Some(UNCLEAR),
            _ if self.next == Next::Unclear => Some(NEXT),
            _ if self.slots.iter().flatten().any(|slot| slot.0.contains("@a")) => Some(VARIABLE),
            _ if named_elsewhere || self.slots.iter().flatten().any(stray) => Some(ELSEWHERE),
            _ => None,
        }
    }

    pub fn open(&self) -> bool {
        self.open
    }

    /// The server may be in a transaction that only a failed statement has begun: nobody was told, and nothing is in it.
    pub fn began_in_vain(&self) -> bool {
        self.in_vain
    }

    /// A transaction is open, and with `step` in it, it is not replayed.
    pub fn spoilt_with(&self, step: &Step) -> bool {
        self.open && (self.spoilt || spoils(step))
    }

    /// What the step runs.
    fn text(&self, step: &Step) -> String {
        let slot = |rest: &str| rest.split(' ').next().and_then(|slot| slot.parse::<usize>().ok());
        let text = match step.verb {
            "execute" => slot(&step.rest).and_then(|slot| self.slots.get(slot)?.as_ref()).map(|slot| &slot.0),
            "query" if step.rest.starts_with("EXECUTE") => self.named.as_ref().map(|named| &named.0),
            "query" => Some(&step.rest),
            _ => None,
        };
        text.cloned().unwrap_or_else(|| step.verb.to_uppercase())
    }

    fn live(&mut self, step: &Step, answer: &str) {
        let text = self.text(step);
        let failed = answer.contains("[error ");
        // Of several statements, some may have succeeded.
        let nothing_done = failed && !step.rest.contains("; ");
        let unknown = step.rest.starts_with("EXECUTE") && self.named.is_none();
        self.pinned |= step.mark == Mark::Pins || unknown;
        if !nothing_done {
            self.hold(step.mark);
            self.place_and_read(step, &text);
        }
        self.prepare(step, failed);
        match step.verb {
            // These tell nothing of a transaction.
            "prepare" | "unprepare" => {}
            "select_db" | "ping" => self.spoilt |= self.open && spoils(step),
            _ if answer.starts_with("[none]") => {}
            _ => self.transaction(step, &text, answer, failed),
        }
        if step.mark == Mark::Resets && !failed {
            *self = Session { place: self.place + 1, reading: self.reading + 1, ..Session::default() };
        }
    }

    fn hold(&mut self, mark: Mark) {
        match mark {
            Mark::Holds(what) => {
                let times = self.held.entry(what).or_default();
                *times = if what == USER_LOCK { *times + 1 } else { 1 };
            }
            Mark::LetsGo(TEMPORARY) if self.strays => {}
            Mark::LetsGo(what) => {
                if let Some(times) = self.held.get_mut(what) {
                    *times -= 1;
                }
                self.held.retain(|_, times| *times > 0);
            }
            Mark::LetsGoAll(what) => {
                self.held.remove(what);
            }
            _ => {}
        }
    }

    fn place_and_read(&mut self, step: &Step, text: &str) {
        let lower = text.to_lowercase();
        let reads = ["mode", "names", "char", "collation"].iter().any(|word| lower.contains(word));
        if lower.starts_with("use ") || lower.contains("; use ") || step.verb == "select_db" {
            self.place += 1;
            self.strays |= self.held.contains_key(TEMPORARY);
            self.pinned |= self.reads_as_database;
        }
        if step.verb == "set_names" || reads && lower.starts_with("set ") {
            self.reading += 1;
            self.reads_as_database |= lower.contains("char");
        }
        self.strays |= lower.starts_with("alter table");
    }

    fn prepare(&mut self, step: &Step, failed: bool) {
        let (place, reading) = (self.place, self.reading);
        let slot = |rest: &str| rest.split(' ').next().and_then(|slot| slot.parse::<usize>().ok()).unwrap_or(0);
        match step.verb {
            "prepare" => {
                let text = step.rest.split_once(' ').map_or("", |(_, text)| text);
                self.slots[slot(&step.rest)] = (!failed).then(|| (text.to_owned(), place, reading));
            }
            "unprepare" => self.slots[slot(&step.rest)] = None,
            "query" if step.rest.starts_with("PREPARE") => {
                let text = step.rest.split_once('\'').map_or("", |(_, text)| text).trim_end_matches('\'');
                self.named = (!failed).then(|| (text.to_owned(), place));
            }
            "query" if step.rest.contains("PREPARE p") && !failed => self.named = None,
            _ => {}
        }
    }

    fn transaction(&mut self, step: &Step, text: &str, answer: &str, failed: bool) {
        let starts = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
        let begins = starts(&["BEGIN", "START"]) && !text.contains(';');
        let partial = starts(&["ROLLBACK TO", "RELEASE", "SAVEPOINT"]);
        let ends = starts(&["COMMIT", "ROLLBACK"]) && !partial;
        let was_open = self.open;
        self.open = answer.ends_with("in-transaction");
        if failed {
            if was_open {
                self.unclear |= step.mark != Mark::Plain;
                self.spoilt |= step.mark != Mark::Plain;
            } else if self.next != Next::Default {
                self.next = Next::Unclear;
            }
            // An error says nothing of a transaction.
            let may_have_begun = text.contains("; ") && (text.contains("BEGIN") || !answer.contains(" autocommit"));
            self.spoilt |= may_have_begun;
            self.open |= was_open || may_have_begun;
            self.in_vain |= !self.open && !answer.contains(" autocommit");
            return;
        }
        // A SET puts nothing into it.
        self.in_vain &= self.open && text.starts_with("SET ");
        if begins {
            self.held.remove(TABLE_LOCK);
        }
        if begins || ends || !self.open {
            self.unclear = false;
        }
        if begins || !was_open {
            let inherits = begins && was_open && (self.special || self.spoilt);
            self.spoilt = self.next == Next::Unclear || inherits;
            self.special = self.next != Next::Default || text.contains("READ ONLY") || text.contains("SNAPSHOT");
        }
        self.spoilt |= self.open && spoils(step);
        self.next = match (step.mark, self.next) {
            (Mark::SetsNext, Next::Default | Next::Set) => Next::Set,
            (Mark::SetsNext, _) => Next::Unclear,
            _ if self.open || ends => Next::Default,
            (_, Next::Default) => Next::Default,
            (Mark::Fragile, next) if text.to_lowercase().starts_with("set ") || text.starts_with("USE") => next,
            _ => Next::Unclear,
        };
    }
}

fn spoils(step: &Step) -> bool {
    step.mark != Mark::Plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(steps: &[(&str, Mark, &str)]) -> Session {
        let told: Vec<_> = steps.iter().map(|(_, _, answer)| (*answer).to_owned()).collect();
        let steps: Vec<_> = steps.iter().map(|(text, mark, _)| Step::query(*text, *mark)).collect();
        Session::after(&steps, &told)
    }

    #[test]
    fn what_is_held_stands_in_the_way_until_it_is_let_go() {
        let lock = ("SELECT GET_LOCK('a', 0)", Mark::Holds(USER_LOCK), "[rows 1 0] utf8mb4 autocommit");
        let release = ("SELECT RELEASE_LOCK('a')", Mark::LetsGo(USER_LOCK), "[rows 1 0] utf8mb4 autocommit");
        assert_eq!(after(&[lock, lock, release]).obstacle(), Some(USER_LOCK));
        assert_eq!(after(&[lock, lock, release, release]).obstacle(), None);
    }

    #[test]
    fn a_transaction_is_open_until_the_server_says_that_it_is_not() {
        let begin = ("BEGIN", Mark::Plain, "[ok 0 0 0 -] utf8mb4 autocommit in-transaction");
        let failed = ("SELEC 1", Mark::Plain, "[error 1064 42000 …] utf8mb4 autocommit");
        let commit = ("COMMIT", Mark::Plain, "[ok 0 0 0 -] utf8mb4 autocommit");
        assert!(after(&[begin, failed]).open() && !after(&[begin, failed, commit]).open());
    }

    #[test]
    fn a_call_that_tells_nothing_of_a_transaction_leaves_it_open() {
        let begin = Step::query("BEGIN", Mark::Plain);
        let told = ["[ok 0 0 0 -] utf8mb4 autocommit in-transaction", "[ok] utf8mb4 autocommit"].map(str::to_owned);
        for (verb, mark, spoils) in [("ping", Mark::Plain, false), ("select_db", Mark::Fragile, true)] {
            let session = Session::after(&[begin.clone(), Step::call(verb, "", mark)], &told);
            assert_eq!((session.open(), session.spoilt_with(&begin)), (true, spoils), "{verb}");
        }
    }

    #[test]
    fn without_autocommit_an_error_may_have_begun_a_transaction_until_the_server_says_more() {
        let failed = ("INSERT INTO t VALUES (1)", Mark::Plain, "[error 1062 23000 …] utf8mb4");
        let done = ("DO 1", Mark::Plain, "[ok 0 0 0 -] utf8mb4");
        assert!(
            after(&[failed]).began_in_vain() && !after(&[failed]).open() && !after(&[failed, done]).began_in_vain()
        );
        let set = ("SET sql_mode = ''", Mark::Fragile, "[ok 0 0 0 -] utf8mb4 in-transaction");
        assert!(after(&[failed, set]).began_in_vain() && !after(&[failed, set, done]).began_in_vain());
        let in_autocommit = ("INSERT INTO t VALUES (1)", Mark::Plain, "[error 1062 23000 …] utf8mb4 autocommit");
        assert!(!after(&[in_autocommit]).began_in_vain());
    }
}
