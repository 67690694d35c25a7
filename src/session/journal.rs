//! The journal: the steps that make a fresh session look like this one, in their order.
//!
//! Pure. A later step takes the place of an earlier one where no statement between them could have noticed the earlier one. Bounded:
//! past its bound the session is pinned, because a journal with holes rebuilds something else.

use crate::sql::{Value, Variable, sole_assignment};

/// Steps that are kept at most.
const STEPS: usize = 1024;
/// Bytes of text that are kept at most.
const BYTES: usize = 64 * 1024;

/// What is done to a fresh session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A SET, or several of them in one text; a PREPARE.
    Text(Vec<u8>),
    /// USE, `mysql_select_db`
    Database(Vec<u8>),
    /// `mysql_set_character_set`, which tells the library, too.
    CharacterSet(Vec<u8>),
    /// `mysql_set_server_option`, its number.
    ServerOption(i32),
}

#[derive(Clone, Debug, Default)]
pub struct Journal {
    entries: Vec<Entry>,
    bytes: usize,
    refusal: Option<Refusal>,
}

/// Why the session cannot be rebuilt from the journal any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Overflow,
    /// A statement whose effect depends on the database that was current first: a login leads to the last one.
    FirstDatabase,
}

#[derive(Clone, Debug)]
struct Entry {
    step: Step,
    form: Form,
    writes: Parts,
    reads: Parts,
}

/// What can take the place of what.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// One variable, as a whole.
    Variable(Variable),
    Database,
    CharacterSet,
    ServerOption,
    /// Only the very same text, if it looks at nothing.
    Literals,
    /// SQL's PREPARE: it goes when its name does.
    Prepare,
    None,
}

/// Parts of a session on which the effect of other statements depends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parts(u8);

impl Parts {
    const MODE: Parts = Parts(1);
    const CHARSET: Parts = Parts(2);
    const DATABASE: Parts = Parts(4);
    const OPTION: Parts = Parts(8);
    const ANY: Parts = Parts(0xff);
    /// What only those look at that look at anything.
    const OTHER: Parts = Parts(16);

    fn and(self, other: Parts) -> Parts {
        Parts(self.0 | other.0)
    }

    fn when(self, condition: bool) -> Parts {
        if condition { self } else { Parts(0) }
    }

    fn touches(self, other: Parts) -> bool {
        self.0 & other.0 != 0
    }
}

/// Variables that a SET overwrites as a whole, that no other variable goes with, and that decide nothing about the
/// meaning of other SETs (but for `sql_mode`, see [`Parts::MODE`]). Not so `optimizer_switch`, the character sets, …
#[rustfmt::skip]
static WHOLE: &[&str] = &[
    "auto_increment_increment", "auto_increment_offset", "autocommit", "default_week_format",
    "div_precision_increment", "foreign_key_checks", "group_concat_max_len", "innodb_lock_wait_timeout",
    "interactive_timeout", "join_buffer_size", "lc_messages", "lc_time_names", "lock_wait_timeout",
    "max_execution_time", "max_heap_table_size", "max_statement_time", "net_read_timeout", "net_write_timeout",
    "read_buffer_size", "sort_buffer_size", "sql_auto_is_null", "sql_big_selects", "sql_mode", "sql_notes",
    "sql_safe_updates", "sql_select_limit", "sql_warnings", "time_zone", "tmp_table_size", "unique_checks",
    "wait_timeout",
];

impl Journal {
    /// Appends a step. Once it was refused, all are, for ever after.
    pub fn push(&mut self, step: Step) -> Result<(), Refusal> {
        self.keep(Entry::of(step))
    }

    /// Appends a PREPARE, which stays between what was set before it and what is set after it.
    pub fn push_prepare(&mut self, text: &[u8]) -> Result<(), Refusal> {
        let step = Step::Text(text.to_vec());
        self.keep(Entry { step, form: Form::Prepare, writes: Parts::ANY, reads: Parts::ANY })
    }

    fn keep(&mut self, entry: Entry) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        if entry.form == Form::Database && self.depends_on_first_database() {
            return Err(self.refuse(Refusal::FirstDatabase));
        }
        self.append(entry);
        if self.entries.len() > STEPS || self.bytes > BYTES {
            return Err(self.refuse(Refusal::Overflow));
        }
        Ok(())
    }

    fn append(&mut self, entry: Entry) {
        if let Some(at) = self.entries.iter().rposition(|earlier| entry.replaces(earlier)) {
            let gone = self.entries[at].writes;
            let noticed = self.entries[at + 1..].iter().chain([&entry]).any(|later| later.reads.touches(gone));
            if !noticed {
                self.bytes -= self.entries.remove(at).step.length();
            }
        }
        self.bytes += entry.step.length();
        self.entries.push(entry);
    }

    /// The PREPARE of a statement that is gone. What stood on both sides of it may take each other's place now.
    pub fn remove(&mut self, prepare: &[u8]) {
        let is_it = |entry: &Entry| entry.form == Form::Prepare && entry.step == Step::Text(prepare.to_vec());
        let Some(at) = self.entries.iter().position(is_it) else { return };
        let behind = self.entries.split_off(at);
        self.bytes -= behind.iter().map(|entry| entry.step.length()).sum::<usize>();
        behind.into_iter().skip(1).for_each(|entry| self.append(entry));
    }

    fn refuse(&mut self, refusal: Refusal) -> Refusal {
        *self = Journal { refusal: Some(refusal), ..Journal::default() };
        refusal
    }

    /// A login leads to the database that the library was told last.
    fn depends_on_first_database(&self) -> bool {
        let before = self.entries.iter().take_while(|entry| entry.form != Form::Database);
        // A PREPARE pins for as long as it lives (see `NamedStatements`).
        let mut before = before.filter(|entry| entry.form != Form::Prepare && entry.reads.touches(Parts::DATABASE));
        before.any(|entry| matches!(&entry.step, Step::Text(text) if reads_the_databases_collation(text)))
    }

    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.entries.iter().map(|entry| &entry.step)
    }

    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }
}

/// SET CHARACTER SET, `@@collation_database`, `@@character_set_database`
fn reads_the_databases_collation(text: &[u8]) -> bool {
    mentions(text, "char") || mentions(text, "_database")
}

impl Step {
    fn length(&self) -> usize {
        match self {
            Step::Text(bytes) | Step::Database(bytes) | Step::CharacterSet(bytes) => bytes.len(),
            Step::ServerOption(_) => 0,
        }
    }
}

impl Entry {
    fn of(step: Step) -> Entry {
        let (form, writes, reads) = match &step {
            Step::Text(text) => of_text(text),
            Step::Database(name) => (Form::Database, Parts::DATABASE, Parts::CHARSET.when(!name.is_ascii())),
            Step::CharacterSet(_) => (Form::CharacterSet, Parts::CHARSET, Parts::default()),
            Step::ServerOption(_) => (Form::ServerOption, Parts::OPTION, Parts::default()),
        };
        Entry { step, form, writes: writes.and(Parts::OTHER), reads }
    }

    /// Overwrites all that the earlier one wrote.
    fn replaces(&self, earlier: &Entry) -> bool {
        match self.form {
            Form::None | Form::Prepare => false,
            Form::Literals => self.step == earlier.step,
            _ => self.form == earlier.form,
        }
    }
}

fn of_text(text: &[u8]) -> (Form, Parts, Parts) {
    if let Some(assignment) = sole_assignment(text) {
        let value = assignment.value;
        match &assignment.variable {
            // A text becomes a value of the character set and collation that are current.
            Variable::User(_) => {
                let reads = Parts::CHARSET.when(value == Value::Text);
                return (Form::Variable(assignment.variable), Parts::default(), reads);
            }
            // A number that is out of range is cut, or refused: that is the mode's choice.
            Variable::System(name) if WHOLE.iter().any(|known| known.as_bytes() == name) => {
                let writes = Parts::MODE.when(name == b"sql_mode");
                let reads = Parts::MODE.when(value == Value::Number && !is_flag(text, name));
                return (Form::Variable(assignment.variable), writes, reads);
            }
            Variable::System(_) => {}
        }
    }
    let charset = mentions(text, "names") || mentions(text, "char") || mentions(text, "collation");
    let writes = Parts::MODE.when(mentions(text, "sql_mode")).and(Parts::CHARSET.when(charset));
    if text.iter().any(|byte| matches!(byte, b'@' | b'(' | b'`')) {
        // It may look at anything. (One `@@` on the left of `=` would be fine; that is not worth a parser.)
        return (Form::None, Parts::ANY, Parts::ANY);
    }
    let several = Parts::OPTION.and(Parts::DATABASE).when(text.contains(&b';'));
    // SET NAMES, SET ROLE, …: no value that a mode could read otherwise.
    let moded = text.iter().any(|byte| matches!(byte, b'=' | b'"' | b'\\'));
    let reads = Parts::MODE.when(moded).and(Parts::CHARSET.when(!text.is_ascii())).and(several);
    (Form::Literals, writes.and(several), reads.and(Parts::DATABASE.when(charset)))
}

/// `SET autocommit = 0`: in range in every mode.
fn is_flag(text: &[u8], name: &[u8]) -> bool {
    const FLAGS: [&str; 8] = [
        "autocommit",
        "foreign_key_checks",
        "sql_auto_is_null",
        "sql_big_selects",
        "sql_notes",
        "sql_safe_updates",
        "sql_warnings",
        "unique_checks",
    ];
    let value = text.trim_ascii_end().strip_suffix(b";").unwrap_or(text).trim_ascii_end();
    let bit = matches!(value, [.., before, b'0' | b'1'] if !before.is_ascii_alphanumeric() && *before != b'.');
    bit && FLAGS.iter().any(|flag| flag.as_bytes() == name)
}

/// Somewhere in the text, in any case.
pub(super) fn mentions(text: &[u8], word: &str) -> bool {
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(text: &str) -> Step {
        match text.split_once(' ') {
            Some(("USE", name)) => Step::Database(name.into()),
            Some(("CHARSET", name)) => Step::CharacterSet(name.into()),
            _ => Step::Text(text.into()),
        }
    }

    fn texts(journal: &Journal) -> Vec<String> {
        let texts = journal.steps().map(|step| match step {
            Step::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Step::Database(name) => format!("USE {}", String::from_utf8_lossy(name)),
            Step::CharacterSet(name) => format!("CHARSET {}", String::from_utf8_lossy(name)),
            Step::ServerOption(option) => format!("OPTION {option}"),
        });
        texts.collect()
    }

    #[track_caller]
    fn becomes(before: &[&str], after: &[&str]) {
        let mut journal = Journal::default();
        before.iter().for_each(|text| journal.push(step(text)).unwrap());
        assert_eq!(texts(&journal), after);
    }

    #[track_caller]
    fn stays(before: &[&str]) {
        becomes(before, before);
    }

    #[test]
    fn steps_come_back_in_their_order() {
        stays(&["SET NAMES utf8mb4", "USE shop", "SET @a = 1", "SET time_zone = '+00:00'", "CHARSET latin1"]);
    }

    #[test]
    fn a_later_value_of_the_same_variable_takes_the_earlier_ones_place() {
        becomes(&["SET @a = 1", "SET time_zone = 'UTC'", "SET @A = 'x'"], &["SET time_zone = 'UTC'", "SET @A = 'x'"]);
        becomes(&["SET autocommit=0", "SET SESSION autocommit = ON"], &["SET SESSION autocommit = ON"]);
        becomes(&["USE a", "SET @a = 1", "USE b"], &["SET @a = 1", "USE b"]);
        becomes(
            &["SET sql_mode = ''", "SET foreign_key_checks = 0", "SET sql_mode = 'ANSI'"],
            &["SET foreign_key_checks = 0", "SET sql_mode = 'ANSI'"],
        );
        becomes(
            &["SET NAMES utf8", "SET wait_timeout = 5", "SET NAMES utf8"],
            &["SET wait_timeout = 5", "SET NAMES utf8"],
        );
    }

    #[test]
    fn what_may_have_been_looked_at_stays() {
        stays(&["SET @a = 1", "SET @b = @a", "SET @a = 2"]);
        stays(&["SET sql_mode = ''", "SET wait_timeout = 99999999999", "SET sql_mode = 'ANSI'"]);
        stays(&["SET sql_mode = 'ANSI_QUOTES'", "SET @a = \"x\"", "SET sql_mode = ''"]);
        stays(&["SET NAMES latin1", "SET @a = 'x'", "SET NAMES latin1"]);
        stays(&["CHARSET latin1", "SET @a = 'x'", "CHARSET utf8mb4"]);
        stays(&["SET time_zone = 'UTC'", "SET @now = @@time_zone", "SET time_zone = '+01:00'"]);
    }

    #[test]
    fn what_adds_to_a_value_or_goes_with_another_replaces_nothing() {
        stays(&["SET optimizer_switch = 'a=off'", "SET optimizer_switch = 'b=off'"]);
        stays(&["SET character_set_client = 'utf8'", "SET character_set_client = 'latin1'"]);
        stays(&["SET NAMES utf8", "SET NAMES latin1"]);
    }

    #[test]
    fn toggling_for_ever_does_not_grow_the_journal_and_the_last_word_wins() {
        let mut journal = Journal::default();
        for _ in 0..10_000 {
            for text in ["SET NAMES utf8", "SET sql_mode = 'A'", "SET foreign_key_checks = 0", "SET sql_mode = 'B'"] {
                journal.push(step(text)).unwrap();
            }
        }
        assert_eq!(texts(&journal).last().unwrap(), "SET sql_mode = 'B'");
        assert!(journal.steps().count() < 8, "{:?}", texts(&journal));
    }

    #[test]
    fn a_set_is_not_moved_to_the_other_side_of_a_prepare_until_that_is_gone() {
        let (mode, prepare) = ("SET sql_mode = 'ANSI_QUOTES'", "PREPARE s FROM 'SELECT \"a\"'");
        let mut journal = Journal::default();
        journal.push(step(mode)).unwrap();
        journal.push_prepare(prepare.as_bytes()).unwrap();
        for text in ["SET @a = 1", "SET sql_mode = ''", "SET @a = 2"] {
            journal.push(step(text)).unwrap();
        }
        assert_eq!(texts(&journal), [mode, prepare, "SET sql_mode = ''", "SET @a = 2"]);
        journal.remove(prepare.as_bytes());
        assert_eq!(texts(&journal), ["SET sql_mode = ''", "SET @a = 2"]);
        assert_eq!(journal.bytes, "SET sql_mode = ''SET @a = 2".len());
    }

    #[test]
    fn a_prepare_again_and_again_does_not_grow_the_journal() {
        let mut journal = Journal::default();
        for n in 0..2000 {
            journal.push_prepare(b"PREPARE s FROM 'SELECT ?'").unwrap();
            journal.push(step(&format!("SET @a = {n}"))).unwrap();
            journal.remove(b"PREPARE s FROM 'SELECT ?'");
        }
        assert_eq!(texts(&journal), ["SET @a = 1999"]);
    }

    #[test]
    fn past_its_bound_it_says_so_and_never_offers_half_of_the_truth() {
        let mut journal = Journal::default();
        let kept = (0..2000).filter(|n| journal.push(step(&format!("SET @v{n} = {n}"))).is_ok()).count();
        assert_eq!(kept, STEPS);
        assert!(journal.refusal() == Some(Refusal::Overflow) && journal.steps().next().is_none());
        assert!(journal.push(step("SET NAMES utf8mb4")).is_err());
        let mut journal = Journal::default();
        assert!(journal.push(step(&format!("SET @a = '{}'", "x".repeat(BYTES)))).is_err());
    }

    #[test]
    fn a_collation_taken_from_the_first_database_cannot_be_had_again_from_another() {
        let mut journal = Journal::default();
        journal.push(step("SET CHARACTER SET latin1")).unwrap();
        assert_eq!(journal.push(step("USE other")), Err(Refusal::FirstDatabase));
        stays(&["USE first", "SET CHARACTER SET latin1", "USE other"]);
    }
}
