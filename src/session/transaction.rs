//! The log of one open transaction: its statements and what the server replied, so that it can be run again
//! elsewhere and every reply be compared.
//!
//! Pure.

use std::{
    hash::{DefaultHasher, Hasher},
    time::Instant,
};

use super::{
    execution::{Act, Ran},
    reasons::SpoilReason,
};
use crate::sql::takes_a_chosen_id;

/// Text and values that are kept at most, in bytes.
const BYTES: usize = 1024 * 1024;

/// What the application was told, in a form that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Done {
        affected: u64,
        insert_id: u64,
    },
    /// A result set, as the application stored it. `insert_id`: what it says of a generated column (INSERT … RETURNING),
    /// 0 if it says nothing.
    Rows {
        digest: Digest,
        insert_id: u64,
    },
    /// The application was given this error.
    Failed(u32),
    /// A result set that has not been stored yet.
    Pending,
}

impl Reply {
    pub fn has_rows(&self) -> bool {
        matches!(self, Reply::Rows { .. } | Reply::Pending)
    }

    /// 0 if there is none.
    pub fn insert_id(&self) -> u64 {
        match *self {
            Reply::Done { insert_id, .. } | Reply::Rows { insert_id, .. } => insert_id,
            Reply::Failed(_) | Reply::Pending => 0,
        }
    }

    /// The statement made several rows, each with an id of its own, of which the application was told the first one's at
    /// most.
    fn has_several_ids(&self) -> bool {
        let rows = match self {
            Reply::Done { affected, .. } => *affected,
            Reply::Rows { digest, .. } => digest.rows,
            Reply::Failed(_) | Reply::Pending => 0,
        };
        self.insert_id() != 0 && rows > 1
    }
}

/// Number and content of rows, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    rows: u64,
    hash: u64,
}

/// Builds a [`Digest`] row by row.
#[derive(Default)]
pub struct Digesting {
    rows: u64,
    hasher: DefaultHasher,
}

impl Digesting {
    pub fn row(&mut self, fields: &[Option<&[u8]>]) {
        self.rows += 1;
        for field in fields {
            match field {
                None => self.hasher.write_u8(0),
                Some(bytes) => {
                    self.hasher.write_u8(1);
                    self.hasher.write_usize(bytes.len());
                    self.hasher.write(bytes);
                }
            }
        }
    }

    pub fn finish(self) -> Digest {
        Digest { rows: self.rows, hash: self.hasher.finish() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub act: Act,
    pub reply: Reply,
    /// When it was run, by a clock that runs evenly: how long ago NOW() and its kin said what they said.
    pub moment: Option<Instant>,
}

impl Entry {
    /// The id that the application was told, if the same statement can be made to generate it once more. It may have been
    /// an explicit one, of which a reply tells as well.
    pub fn id_to_choose(&self) -> Option<u64> {
        let id = self.reply.insert_id();
        (id != 0 && takes_a_chosen_id(self.act.text())).then_some(id)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    entries: Vec<Entry>,
    bytes: usize,
    /// Something happened that cannot be run again: the first such thing.
    spoilt: Option<SpoilReason>,
    /// A statement in it may have changed rows, whatever its reply was: DELETE … RETURNING replies with rows.
    writes: bool,
    /// SET TRANSACTIONs that it began with.
    settings: usize,
    /// SAVEPOINTs that it began with.
    savepoints: usize,
}

impl Log {
    /// A SET TRANSACTION that held for it.
    pub fn begins_with(&mut self, text: &[u8], moment: Option<Instant>) {
        self.push(text, Reply::Done { affected: 0, insert_id: 0 }, moment);
        self.settings += 1;
    }

    /// A SAVEPOINT that was set before its first statement.
    pub fn begins_with_savepoint(&mut self, text: &[u8], moment: Option<Instant>) {
        self.push(text, Reply::Done { affected: 0, insert_id: 0 }, moment);
        self.savepoints += 1;
    }

    /// It may have begun with a SET TRANSACTION or not.
    pub fn begins_unclear(&mut self) {
        self.spoil(SpoilReason::UnclearSetTransaction);
        self.settings += 1;
    }

    /// It has one statement at most, besides what it began with.
    pub fn has_one_statement(&self) -> bool {
        self.entries.len() <= 1 + self.settings + self.savepoints
    }

    pub fn has_settings(&self) -> bool {
        self.settings > 0
    }

    pub fn push<'a>(&mut self, ran: impl Into<Ran<'a>>, reply: Reply, moment: Option<Instant>) {
        if matches!(self.entries.last(), Some(Entry { reply: Reply::Pending, .. })) {
            self.spoil(SpoilReason::UnstoredResult);
        }
        if self.spoilt.is_some() {
            return;
        }
        let Some(act) = ran.into().kept() else {
            return self.spoil(SpoilReason::UnkeptValues);
        };
        self.bytes += act.size();
        if self.bytes > BYTES {
            self.spoil(SpoilReason::TooLong);
        } else {
            self.entries.push(Entry { act, reply, moment });
        }
    }

    /// The pending result set of the last statement was stored.
    pub fn stored(&mut self, digest: Digest, insert_id: u64) {
        if let Some(entry) = self.entries.last_mut()
            && entry.reply == Reply::Pending
        {
            entry.reply = Reply::Rows { digest, insert_id };
        }
    }

    pub fn spoil(&mut self, why: SpoilReason) {
        if self.spoilt.is_none() {
            self.spoilt = Some(why);
            self.entries = Vec::new();
        }
    }

    pub fn claims_ids(&self) -> bool {
        self.entries.iter().any(|entry| entry.reply.insert_id() != 0)
    }

    /// Ids in it follow from `auto_increment_increment` and `auto_increment_offset`.
    pub fn has_several_ids_at_once(&self) -> bool {
        self.entries.iter().any(|entry| entry.reply.has_several_ids())
    }

    /// The application waits for the rows of a statement that may have generated an id.
    pub fn awaits_generated_rows(&self) -> bool {
        matches!(self.entries.last(), Some(Entry { reply: Reply::Pending, act, .. }) if takes_a_chosen_id(act.text()))
    }

    pub fn on_write(&mut self) {
        self.writes = true;
    }

    /// Nothing in it has changed a row, or may have.
    pub fn has_only_read(&self) -> bool {
        self.spoilt().is_none() && !self.writes
    }

    /// It began as every transaction of its session does.
    pub fn is_plain(&self) -> bool {
        let begins_with = |text: &[u8], word: &str| {
            text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word.as_bytes()))
        };
        match self.entries.first().map(|entry| &entry.act) {
            Some(act) => {
                let text = act.text();
                let plain = text.trim_ascii().len() <= "START TRANSACTION".len();
                plain
                    || ["INSERT", "UPDATE", "DELETE", "REPLACE", "SELECT", "BEGIN"]
                        .iter()
                        .any(|word| begins_with(text, word))
            }
            None => false,
        }
    }

    /// Why it may not be replayed, if so.
    pub fn spoilt(&self) -> Option<SpoilReason> {
        match self.entries.last() {
            Some(Entry { reply: Reply::Pending, .. }) => Some(SpoilReason::UnstoredResult),
            _ => self.spoilt,
        }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::super::execution::{Content, Value};
    use super::*;

    const NOW: Option<Instant> = None;
    const DONE: Reply = Reply::Done { affected: 1, insert_id: 7 };

    fn digest(rows: &[&[Option<&[u8]>]]) -> Digest {
        let mut digesting = Digesting::default();
        rows.iter().for_each(|row| digesting.row(row));
        digesting.finish()
    }

    #[test]
    fn digests_tell_null_from_empty_and_know_where_fields_end() {
        let all = [
            digest(&[]),
            digest(&[&[None]]),
            digest(&[&[Some(b"")]]),
            digest(&[&[Some(b"ab"), Some(b"c")]]),
            digest(&[&[Some(b"a"), Some(b"bc")]]),
            digest(&[&[Some(b"a")], &[Some(b"bc")]]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert_eq!(all.iter().filter(|other| *other == one).count(), 1, "{at}");
        }
        assert_eq!(digest(&[&[Some(b"a")]]), digest(&[&[Some(b"a")]]));
    }

    #[test]
    fn a_stored_result_can_be_compared_and_an_unstored_one_spoils_the_log() {
        let mut log = Log::default();
        log.push(b"SELECT 1", Reply::Pending, NOW);
        assert!(log.spoilt().is_some());
        log.stored(digest(&[&[Some(b"1")]]), 0);
        assert_eq!(log.spoilt(), None);
        log.push(b"SELECT 2", Reply::Pending, NOW);
        log.push(b"INSERT", DONE, NOW);
        assert!(log.spoilt().is_some());
    }

    #[test]
    fn a_transaction_beyond_its_bound_is_not_replayed_in_part() {
        let mut log = Log::default();
        log.push(b"INSERT a", DONE, NOW);
        log.push(&vec![b'x'; BYTES], DONE, NOW);
        assert!(log.spoilt().is_some() && log.entries().is_empty());
    }

    #[test]
    fn an_execution_is_kept_with_its_values_and_without_them_it_spoils_the_log() {
        let text = b"INSERT INTO t VALUES (?)";
        let content = Content::Bytes(vec![b'x'; BYTES / 2]);
        let values = [Value { kind: 254, unsigned: false, content }];
        let mut log = Log::default();
        log.push(Ran::Execution { text, values: Some(&values) }, DONE, NOW);
        assert_eq!(log.spoilt(), None);
        log.push(Ran::Execution { text, values: Some(&values) }, DONE, NOW);
        assert!(log.spoilt().is_some(), "values count towards the bound");
        let mut log = Log::default();
        log.push(Ran::Execution { text, values: None }, DONE, NOW);
        assert!(log.spoilt().is_some());
    }
}
