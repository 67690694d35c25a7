//! What an application is in the habit of doing: after an error, in a transaction, with a password.

use super::Workload;
use crate::error::{Error, Result};
use crate::lab::{DATABASE, Lab, PASSWORD};
use crate::server::flavor::Flavor;
use std::process::Command;

/// Habits beyond those of a driver's beginner. None of them is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Habits {
    /// A connection that reported an error is closed, and the next statement connects anew, as pools do.
    pub evicts: bool,
    /// Each write is a transaction of this many rows, if more than one. Only for `Workload::TRANSACTIONAL`.
    pub rows: u32,
    /// A statement that fails in a transaction is forgotten, and the transaction goes on to its COMMIT.
    pub swallows: bool,
    /// After 1213 and 1205 the transaction is run again, as frameworks do.
    pub retries: bool,
    /// How a row is written. Only for `Workload::TRANSACTIONAL`.
    pub form: Form,
    /// So many workers only read what another worker has written.
    pub readers: u32,
    /// The password is read from the lab's file at each connect. Not for `Workload::ActiveRecord`.
    pub reads_password: bool,
}

/// The statements that write one row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// One INSERT.
    #[default]
    Plain,
    /// An INSERT into a table of parents, then one that refers to it with LAST_INSERT_ID().
    Chain,
    /// The same with NEXTVAL() and LASTVAL() of a sequence: MariaDB only.
    Sequence,
    /// Three parents in one INSERT, then a row that refers to the third by the id that the application reckons from
    /// LAST_INSERT_ID() and the auto_increment_increment that it asked for before.
    Family,
    /// SELECT of a stored function that inserts.
    Function,
    /// SELECT from a view whose function inserts.
    View,
    /// One INSERT … SELECT of many rows into a table without transactions (MyISAM; Aria on MariaDB).
    Bulk,
}

impl Habits {
    pub(super) fn apply(&self, lab: &Lab, command: &mut Command) -> Result<()> {
        let mut given = |name: &str, on: bool| {
            if on {
                command.env(name, "1");
            }
        };
        given("LAB_EVICT", self.evicts);
        given("LAB_SWALLOW", self.swallows);
        given("LAB_RETRY", self.retries);
        command.env("LAB_ROWS", self.rows.max(1).to_string());
        command.env("LAB_FORM", self.form.name());
        command.env("LAB_READERS", self.readers.to_string());
        if self.reads_password {
            lab.write_password(PASSWORD)?;
            command.env("LAB_PASSWORD_FILE", lab.password_path());
        }
        Ok(())
    }
}

impl Form {
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Chain => "chain",
            Self::Sequence => "sequence",
            Self::Family => "family",
            Self::Function => "function",
            Self::View => "view",
            Self::Bulk => "bulk",
        }
    }

    /// Makes the tables, views and functions that the form needs, on blue. Before the application starts.
    pub fn prepare(self, lab: &Lab) -> Result<()> {
        let flavor = lab.blue().flavor();
        if self == Self::Sequence && flavor != Flavor::MariaDb {
            return Err(Error::Unsuited { what: "sequences", flavor });
        }
        let blue = lab.blue();
        self.statements(flavor).iter().try_for_each(|statement| blue.sql_whole(DATABASE, statement))
    }

    fn statements(self, flavor: Flavor) -> Vec<&'static str> {
        const PARENTS: &str =
            "CREATE TABLE parents (id BIGINT AUTO_INCREMENT PRIMARY KEY, worker INT NOT NULL, seq INT NOT NULL)";
        const REFERENCE: &str = "ALTER TABLE orders ADD COLUMN parent BIGINT";
        const PLACE: &str = "CREATE FUNCTION place(w INT, s INT, p VARCHAR(20)) RETURNS INT DETERMINISTIC \
            MODIFIES SQL DATA BEGIN INSERT INTO orders (worker, seq, note) VALUES (w, s, p); RETURN 1; END";
        const PLACE_IT: &str = "CREATE FUNCTION place_it() RETURNS INT DETERMINISTIC MODIFIES SQL DATA \
            RETURN place(@w, @s, @p)";
        match self {
            Self::Plain => vec![],
            Self::Chain | Self::Family => vec![PARENTS, REFERENCE],
            Self::Sequence => vec!["CREATE SEQUENCE ids", PARENTS, REFERENCE],
            Self::Function => vec![PLACE],
            Self::View => vec![PLACE, PLACE_IT, "CREATE VIEW placing AS SELECT place_it() AS placed"],
            Self::Bulk => {
                let engine = match flavor {
                    Flavor::MariaDb => "ALTER TABLE orders ENGINE = Aria TRANSACTIONAL = 0",
                    Flavor::MySql => "ALTER TABLE orders ENGINE = MyISAM",
                };
                let mut statements =
                    vec![engine, "CREATE TABLE numbers (n INT PRIMARY KEY)", "INSERT INTO numbers VALUES (1)"];
                // Doubled fourteen times: 16,384 numbers.
                statements.extend(
                    ["INSERT INTO numbers SELECT n + (SELECT COUNT(*) FROM numbers AS former) FROM numbers"; 14],
                );
                statements
            }
        }
    }

    /// A query that counts rows with a parent that is none of theirs, for forms with parents.
    pub fn strays(self) -> Option<&'static str> {
        matches!(self, Self::Chain | Self::Sequence | Self::Family).then_some(
            "SELECT COUNT(*) FROM shop.orders o LEFT JOIN shop.parents p ON p.id = o.parent \
             WHERE p.id IS NULL OR p.worker <> o.worker OR p.seq <> o.seq",
        )
    }
}

impl Workload {
    /// Those that know transactions of several rows, and every form.
    pub const TRANSACTIONAL: [Self; 3] = [Self::MySqlDb, Self::LibMariaDb, Self::LibMySqlClient];

    pub fn is_transactional(self) -> bool {
        Self::TRANSACTIONAL.contains(&self)
    }
}
