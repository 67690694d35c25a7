//! Why a session has to stay where it is, and why a transaction may not be replayed: one name for each reason, for the log and for
//! docs/session.md.
//!
//! Pure.

use std::fmt;

/// Makes an enum whose values are displayed as these texts.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident: $($(#[$value_doc:meta])* $value:ident = $text:literal,)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$value_doc])* $value,)+
        }

        #[cfg(test)]
        impl $name {
            pub const ALL: &[Self] = &[$(Self::$value,)+];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$value => $text,)+
                })
            }
        }
    };
}

reasons! {
    /// What a session holds that no other server has. The text follows "the session is pinned by".
    PinReason:
    TemporaryTable = "a temporary table",
    UserLock = "a lock taken with GET_LOCK",
    TableLock = "LOCK TABLES",
    GlobalLock = "a global lock",
    Xa = "an XA transaction",
    Handler = "an open HANDLER",
    UserVariable = "a user variable set from data",
    PreparedSql = "an SQL PREPARE",
    PreparedSqlElsewhere = "an SQL PREPARE in the database of the connect, which is not the current one any more",
    Call = "a CALL or a stored function, which may have changed it",
    JournalOverflow = "more SET statements than are kept (1024, or 64 KiB)",
    FirstDatabase = "a collation that its first database gave it",
    Unclear = "a statement whose effect on the session is not clear",
    UnclearTransaction = "a transaction of which nobody knows whether it is open",
    TooManySavepoints = "savepoints before the first statement of its transaction, more than are kept",
    UnclearSetTransaction = "a SET TRANSACTION of which nobody knows whether it was used",
    /// The statement that failed asks for it, and on another server it is not there.
    PreviousOutcome = "what the statement before this one left",
    Cursor = "an open cursor",
    StatementWithVariable = "a prepared statement with a user variable",
    LongDataOverflow = "more long data than is kept",
    StatementElsewhere = "a prepared statement of another database",
    StatementReadOtherwise = "a prepared statement made before the character set or SQL mode was changed",
    NamedParameters = "a prepared statement with named parameters",
    Callbacks = "a prepared statement with callbacks",
    /// The structure of this client library's statements is not known.
    UnmovableStatement = "a prepared statement",
}

reasons! {
    /// Why the log of a transaction may not be run again elsewhere.
    SpoilReason:
    UnclearSetTransaction = "a SET TRANSACTION that it may have used or not",
    UnstoredResult = "a result set that was not stored",
    UnkeptValues = "a prepared statement whose parameters could not be kept",
    TooLong = "its statements exceed 1 MiB",
    BeginInsideAnotherKind = "a BEGIN inside a transaction of another kind",
    Varies = "a function whose value changes",
    RowLocks = "a lock on rows that it read, which another may have had since",
    Snapshot = "a snapshot, which no other server has",
    PreviousOutcome = "a statement that depends on the one before it",
    NotAtomic = "a CALL or several statements in one text",
    BeganUnseen = "a transaction that began unseen",
    FailedByChance = "a statement that failed in a way that need not happen again",
    SessionChanged = "a change of the session inside the transaction",
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first column of the table under that heading of docs/session.md.
    fn listed(heading: &str) -> Vec<&'static str> {
        let page = include_str!("../../docs/session.md");
        let section = page.split("\n## ").find(|section| section.starts_with(heading)).expect("the section");
        let rows = section.lines().filter_map(|line| line.strip_prefix("| ")).skip(1);
        rows.filter_map(|row| row.split(" | ").next()).collect()
    }

    #[test]
    fn docs_session_lists_each_reason_in_the_words_of_the_log() {
        let pins: Vec<_> = PinReason::ALL.iter().map(PinReason::to_string).collect();
        assert_eq!(listed("What the log calls a pin"), pins);
        let spoilers: Vec<_> = SpoilReason::ALL.iter().map(SpoilReason::to_string).collect();
        assert_eq!(listed("Which transactions are not replayed"), spoilers);
    }
}
