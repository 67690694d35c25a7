//! Statements that SQL itself has prepared: `PREPARE name FROM 'text'`.
//!
//! Pure. Their own texts restore them, in the journal's order; what is kept here says what their EXECUTE does.

use std::collections::BTreeMap;

use super::journal::Journal;

#[derive(Clone, Debug)]
struct Named {
    /// The whole PREPARE, as it stands in the journal.
    prepare: Vec<u8>,
    /// What it prepares, if the literal was plain enough to be read.
    text: Option<Vec<u8>>,
    database: Option<Vec<u8>>,
}

#[derive(Clone, Debug, Default)]
pub struct NamedStatements(BTreeMap<Vec<u8>, Named>);

impl NamedStatements {
    /// False if the journal has no room for it.
    pub fn prepared(
        &mut self,
        (name, text): (&[u8], Option<&[u8]>),
        prepare: &[u8],
        database: Option<&[u8]>,
        journal: &mut Journal,
    ) -> bool {
        self.deallocated(name, journal);
        let [text, database] = [text, database].map(|bytes| bytes.map(<[u8]>::to_vec));
        self.0.insert(name.to_ascii_lowercase(), Named { prepare: prepare.to_vec(), text, database });
        journal.push_prepare(prepare).is_ok()
    }

    /// DEALLOCATE, or a PREPARE that failed: the name stands for nothing any more.
    pub fn deallocated(&mut self, name: &[u8], journal: &mut Journal) {
        if let Some(known) = self.0.remove(&name.to_ascii_lowercase())
            && !self.0.values().any(|other| other.prepare == known.prepare)
        {
            journal.remove(&known.prepare);
        }
    }

    pub fn text(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.get(&name.to_ascii_lowercase())?.text.as_deref()
    }

    /// Was it prepared in this database?
    pub fn is_at_home(&self, name: &[u8], database: Option<&[u8]>) -> bool {
        let known = self.0.get(&name.to_ascii_lowercase());
        known.is_some_and(|known| known.database.as_deref() == database)
    }

    /// A login leads to the database that the library was told last, and not to that of the connect.
    pub fn can_be_restored_in(&self, database: Option<&[u8]>) -> bool {
        database.is_none() || self.0.values().all(|named| named.database.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::journal::Step, *};

    fn texts(journal: &Journal) -> Vec<&[u8]> {
        journal
            .steps()
            .map(|step| match step {
                Step::Text(text) => text.as_slice(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn the_journal_has_every_name_once_in_its_order_and_none_that_was_deallocated() {
        let (mut named, mut journal) = (NamedStatements::default(), Journal::default());
        journal.push(Step::Text(b"SET NAMES utf8mb4".to_vec())).unwrap();
        assert!(named.prepared((b"a", Some(b"SELECT 1")), b"PREPARE a FROM 'SELECT 1'", None, &mut journal));
        assert!(named.prepared((b"b", None), b"PREPARE b FROM 'it''s'", None, &mut journal));
        assert!(named.prepared((b"A", Some(b"SELECT 2")), b"PREPARE A FROM 'SELECT 2'", None, &mut journal));
        let all = [&b"SET NAMES utf8mb4"[..], b"PREPARE b FROM 'it''s'", b"PREPARE A FROM 'SELECT 2'"];
        assert_eq!(texts(&journal), all);
        assert_eq!((named.text(b"a"), named.text(b"b"), named.text(b"c")), (Some(&b"SELECT 2"[..]), None, None));
        assert!(
            named.is_at_home(b"A", None) && !named.is_at_home(b"a", Some(b"shop")) && !named.is_at_home(b"c", None)
        );
        named.deallocated(b"a", &mut journal);
        named.deallocated(b"B", &mut journal);
        assert_eq!(texts(&journal), all[..1]);
    }

    #[test]
    fn those_of_the_connects_database_cannot_be_had_again_from_another() {
        let (mut named, mut journal) = (NamedStatements::default(), Journal::default());
        named.prepared((b"a", None), b"PREPARE a FROM 'SELECT 1'", Some(b"shop"), &mut journal);
        assert!(named.can_be_restored_in(Some(b"shop")) && named.can_be_restored_in(Some(b"other")));
        named.prepared((b"b", None), b"PREPARE b FROM 'SELECT 1'", None, &mut journal);
        assert!(named.can_be_restored_in(None) && !named.can_be_restored_in(Some(b"shop")));
        named.deallocated(b"b", &mut journal);
        assert!(named.can_be_restored_in(Some(b"shop")));
    }
}
