//! The live prepared statements of a session: what it takes to prepare them once more elsewhere, and what forbids it.
//!
//! Pure. A statement is known by its address.

use std::{collections::BTreeMap, sync::Arc};

use super::reasons::PinReason;
use crate::sql::Statement;

/// Long data that is kept for one statement, in bytes.
const LONG_DATA: usize = 1024 * 1024;

/// What was prepared, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preparation {
    pub text: Vec<u8>,
    pub statement: Statement,
    pub parameters: u32,
    pub fields: u32,
    /// The database that its names were looked up in: one chosen after the connect, or the connect's.
    database: Option<Vec<u8>>,
    /// Which way of reading texts was set up then.
    reading: u32,
}

#[derive(Clone, Debug)]
pub struct Prepared {
    pub preparation: Arc<Preparation>,
    long_data: LongData,
    /// Its rows are fetched from a cursor of the server.
    cursor: bool,
    /// It cannot be prepared elsewhere by our means.
    pub hindrance: Option<PinReason>,
}

/// Pieces of parameters that were sent since the last execution.
#[derive(Clone, Debug, Default)]
struct LongData {
    pieces: Vec<(u32, Vec<u8>)>,
    bytes: usize,
    overflowed: bool,
    /// An execution has used them up on the server.
    consumed: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Statements {
    live: BTreeMap<usize, Prepared>,
    /// How many of them have one open.
    cursors: usize,
    /// Some was ever sent to one of them.
    long_data: bool,
    /// Counts changes of the session that make the server read a text in another way.
    reading: u32,
    /// The last such change.
    reader: Vec<u8>,
}

impl Statements {
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    pub fn get(&self, address: usize) -> Option<&Prepared> {
        self.live.get(&address)
    }

    pub fn get_mut(&mut self, address: usize) -> Option<&mut Prepared> {
        self.live.get_mut(&address)
    }

    pub fn iter(&self) -> impl Iterator<Item = (usize, &Prepared)> {
        self.live.iter().map(|(address, prepared)| (*address, prepared))
    }

    pub fn has_cursors(&self) -> bool {
        self.cursors > 0
    }

    /// The rows of a cursor come from the server that it is open on.
    pub fn open_cursor(&mut self, address: usize) {
        if let Some(prepared) = self.live.get_mut(&address) {
            prepared.cursor = true;
            self.cursors += 1;
        }
    }

    /// Those whose rows are over, or do not matter any more.
    pub fn close_cursors(&mut self, over: impl Fn(usize) -> bool) {
        let open = self.live.iter_mut().filter(|(_, prepared)| prepared.cursor);
        for (_, prepared) in open.filter(|(address, _)| over(**address)) {
            prepared.cursor = false;
            self.cursors -= 1;
        }
    }

    /// Neither rows nor long data of its last execution are left.
    #[inline]
    pub fn finished(&mut self, address: usize) {
        if self.has_cursors() || self.long_data {
            self.forget_what_is_left(address);
        }
    }

    #[cold]
    #[inline(never)]
    fn forget_what_is_left(&mut self, address: usize) {
        if self.has_cursors() {
            self.close_cursors(|open| open == address);
        }
        if self.long_data
            && let Some(prepared) = self.live.get_mut(&address)
        {
            prepared.forget_long_data();
        }
    }

    /// A piece of a parameter was sent.
    pub fn on_long_data(&mut self, address: usize, parameter: u32, data: &[u8]) {
        self.long_data = true;
        if let Some(prepared) = self.live.get_mut(&address) {
            prepared.on_long_data(parameter, data);
        }
    }

    pub fn remove(&mut self, address: usize) {
        self.close_cursors(|open| open == address);
        self.live.remove(&address);
    }

    pub(super) fn insert(
        &mut self,
        address: usize,
        (text, statement): (&[u8], Statement),
        (parameters, fields): (u32, u32),
        database: Option<&[u8]>,
    ) {
        let preparation = Preparation {
            text: text.to_vec(),
            statement,
            parameters,
            fields,
            database: database.map(<[u8]>::to_vec),
            reading: self.reading,
        };
        let preparation = Arc::new(preparation);
        let prepared = Prepared { preparation, long_data: LongData::default(), cursor: false, hindrance: None };
        self.live.insert(address, prepared);
    }

    /// A SET was run. Character set, collation and SQL mode decide what a text means that is prepared afterwards.
    pub(super) fn on_set(&mut self, text: &[u8]) {
        let lower = text.to_ascii_lowercase();
        let names = |word: &str| lower.windows(word.len()).any(|window| window == word.as_bytes());
        if ["mode", "names", "char", "collation"].into_iter().any(names) && self.reader != text {
            self.reading += 1;
            self.reader = text.to_vec();
        }
    }

    pub(super) fn belong_to(&self, database: Option<&[u8]>) -> bool {
        self.live.values().all(|prepared| prepared.preparation.database.as_deref() == database)
    }

    /// What keeps them where they are. The new connection has one database and one way of reading for all.
    pub(super) fn pinned(&self, database: Option<&[u8]>) -> Option<PinReason> {
        self.live.values().find_map(|prepared| {
            let preparation = &prepared.preparation;
            if prepared.cursor {
                return Some(PinReason::Cursor);
            }
            // MySQL fixes the variable's type with the preparation, MariaDB may change its character set.
            if preparation.statement.user_variables {
                return Some(PinReason::StatementWithVariable);
            }
            if prepared.long_data.overflowed {
                return Some(PinReason::LongDataOverflow);
            }
            if preparation.database.as_deref() != database {
                return Some(PinReason::StatementElsewhere);
            }
            if preparation.reading != self.reading {
                return Some(PinReason::StatementReadOtherwise);
            }
            prepared.hindrance
        })
    }
}

impl Prepared {
    fn on_long_data(&mut self, parameter: u32, data: &[u8]) {
        let long = &mut self.long_data;
        long.bytes += data.len();
        long.overflowed |= long.bytes > LONG_DATA;
        if long.overflowed {
            long.pieces = Vec::new();
        } else {
            long.pieces.push((parameter, data.to_vec()));
        }
    }

    /// Executed for good, or reset.
    fn forget_long_data(&mut self) {
        self.long_data = LongData::default();
    }

    /// An execution is about to use up what was sent. Gives the pieces that have to be sent (again) before it.
    pub fn before_execution(&mut self) -> Vec<(u32, Vec<u8>)> {
        let consumed = std::mem::replace(&mut self.long_data.consumed, true);
        if consumed { self.long_data.pieces.clone() } else { Vec::new() }
    }

    /// The statement was made anew, and has none of its long data yet.
    pub fn on_fresh_server(&mut self) -> Vec<(u32, Vec<u8>)> {
        self.long_data.consumed = false;
        self.long_data.pieces.clone()
    }

    pub fn has_long_data(&self) -> bool {
        !self.long_data.pieces.is_empty() || self.long_data.overflowed
    }

    /// What was sent for a parameter since the last execution.
    pub fn long_data(&self, parameter: u32) -> Option<Vec<u8>> {
        let mut pieces = self.long_data.pieces.iter().filter(|(of, _)| *of == parameter).peekable();
        pieces.peek()?;
        Some(pieces.flat_map(|(_, data)| data.iter().copied()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Dialect, classify};

    fn with_one() -> Statements {
        let mut statements = Statements::default();
        let text = b"INSERT INTO t VALUES (?)";
        statements.insert(1, (text, classify(text, Dialect::default())), (1, 0), Some(b"shop"));
        statements
    }

    #[test]
    fn a_statement_is_at_home_in_the_database_and_the_way_of_reading_that_it_was_prepared_in() {
        let mut statements = with_one();
        assert_eq!(statements.pinned(Some(b"shop")), None);
        assert!(statements.pinned(None).is_some() && statements.pinned(Some(b"other")).is_some());
        statements.on_set(b"SET @a = 1, autocommit = 0");
        assert_eq!(statements.pinned(Some(b"shop")), None);
        statements.on_set(b"SET NAMES latin1");
        assert!(statements.pinned(Some(b"shop")).is_some());
        statements.remove(1);
        assert_eq!(statements.pinned(Some(b"shop")), None);
    }

    #[test]
    fn the_same_set_once_more_changes_nothing() {
        let mut statements = Statements::default();
        statements.on_set(b"SET NAMES utf8mb4");
        let text = b"SELECT 1";
        statements.insert(1, (text, classify(text, Dialect::default())), (0, 1), None);
        statements.on_set(b"SET NAMES utf8mb4");
        assert_eq!(statements.pinned(None), None);
    }

    #[test]
    fn long_data_is_sent_again_once_an_execution_has_used_it_up_and_before_that_on_a_fresh_server_only() {
        let mut statements = with_one();
        let prepared = statements.get_mut(1).unwrap();
        prepared.on_long_data(0, b"ab");
        prepared.on_long_data(0, b"c");
        assert_eq!(prepared.long_data(0), Some(b"abc".to_vec()));
        assert_eq!(prepared.long_data(1), None);
        assert!(prepared.before_execution().is_empty());
        assert_eq!(prepared.before_execution().len(), 2);
        assert_eq!(prepared.on_fresh_server().len(), 2);
        assert!(prepared.before_execution().is_empty());
        prepared.forget_long_data();
        assert!(prepared.before_execution().is_empty() && !prepared.has_long_data());
    }

    #[test]
    fn a_statement_with_a_user_variable_pins_because_its_preparation_was_of_its_moment() {
        let pinned = |text: &[u8]| {
            let mut statements = Statements::default();
            statements.insert(1, (text, classify(text, Dialect::default())), (0, 0), None);
            statements.pinned(None).is_some()
        };
        assert!(pinned(b"SET @a = ?") && pinned(b"SELECT @a := 1") && pinned(b"SELECT 1 INTO @a"));
        assert!(pinned(b"SELECT @a") && !pinned(b"SELECT @@sql_mode, 'a@b'") && !pinned(b"SET time_zone = '+01:00'"));
    }

    #[test]
    fn more_long_data_than_is_kept_and_open_cursors_pin() {
        let mut statements = with_one();
        statements.on_long_data(1, 0, &vec![0; LONG_DATA + 1]);
        assert!(statements.pinned(Some(b"shop")).is_some());
        statements.finished(1);
        statements.open_cursor(1);
        assert!(statements.pinned(Some(b"shop")).is_some() && statements.has_cursors());
        statements.close_cursors(|_| true);
        assert!(statements.pinned(Some(b"shop")).is_none() && !statements.has_cursors());
    }
}
