//! What an administrator asks of a server, and tells it: as root over its Unix socket, which read_only does not bind.

use super::Server;
use super::flavor::Flavor;
use crate::error::{Error, Result};
use crate::ground::template;
use std::process::Command;

impl Server {
    /// Runs statements as root over the Unix socket, which read_only does not bind. Rows come back tab-separated.
    pub fn sql(&self, statements: &str) -> Result<String> {
        self.ask(statements, &[])
    }

    /// Runs one statement as root in a database; semicolons inside it are its own, as in a stored function.
    pub fn sql_whole(&self, database: &str, statement: &str) -> Result<()> {
        self.ask(statement, &["--delimiter=//", &format!("--database={database}")]).map(drop)
    }

    /// One column, by its name, of the only row of a statement's answer.
    pub(crate) fn column(&self, statement: &str, name: &str) -> Result<String> {
        let answer = self.ask(statement, &["--column-names"])?;
        let (names, row) = answer.split_once('\n').unwrap_or((&answer, ""));
        let found = names.split('\t').zip(row.split('\t')).find(|(column, _)| *column == name);
        found.map(|(_, value)| value.to_owned()).ok_or_else(|| Error::Sql {
            server: self.to_string(),
            statement: statement.to_owned(),
            message: format!("there is no column {name} in {answer:?}"),
        })
    }

    /// The family's own client program, as root over the Unix socket; it reads statements from its standard input.
    pub fn client(&self) -> Result<Command> {
        self.flavor.client(&self.socket())
    }

    fn ask(&self, statements: &str, options: &[&str]) -> Result<String> {
        let failed = |message: String| Error::Sql {
            server: self.to_string(),
            statement: statements.to_owned(),
            message: message.trim().to_owned(),
        };
        let mut client = self.client()?;
        let output = client
            .args(options)
            .arg("--execute")
            .arg(statements)
            .output()
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// What a switchover does: connections stay, writes of everybody without a special right fail with 1290.
    pub fn set_read_only(&self, read_only: bool) -> Result<()> {
        self.sql(&format!("SET GLOBAL read_only = {}", u8::from(read_only))).map(drop)
    }

    /// Read-only for administrators too, where the server knows that.
    pub fn set_super_read_only(&self) -> Result<()> {
        match self.flavor {
            Flavor::MariaDb => self.set_read_only(true),
            Flavor::MySql => self.sql("SET GLOBAL super_read_only = 1").map(drop),
        }
    }

    pub fn is_read_only(&self) -> Result<bool> {
        let answer = self.sql("SELECT @@global.read_only")?;
        Ok(!matches!(answer.as_str(), "0" | "OFF"))
    }

    /// Ends a user's connections; new ones are welcome.
    pub fn drop_connections(&self, user: &str) -> Result<()> {
        let listing = format!("SELECT id FROM information_schema.processlist WHERE user = '{user}'");
        let ids = self.sql(&listing)?;
        // A connection that has ended since is no reason to spare the others.
        let kills: Vec<_> = ids.lines().map(|id| format!("KILL {id}")).collect();
        if kills.is_empty() {
            return Ok(());
        }
        let mut client = self.client()?;
        template::run(client.args(["--force", "--execute", &kills.join(";")])).map(drop).or(Ok(()))
    }

    /// Ends a user's connections and lets it open no new one, until `admit_connections`. Not replicated.
    pub fn refuse_connections(&self, user: &str) -> Result<()> {
        match self.flavor {
            Flavor::MariaDb => self.local(&format!("ALTER USER {user}@'%' ACCOUNT LOCK"))?,
            Flavor::MySql => self.sql("SET GLOBAL offline_mode = 1").map(drop)?,
        }
        self.drop_connections(user)
    }

    /// Ends `refuse_connections`.
    pub fn admit_connections(&self, user: &str) -> Result<()> {
        match self.flavor {
            Flavor::MariaDb => self.local(&format!("ALTER USER {user}@'%' ACCOUNT UNLOCK")),
            Flavor::MySql => self.sql("SET GLOBAL offline_mode = 0").map(drop),
        }
    }

    /// In one moment: writes are rejected, a user's connections end, and it opens no new one until `admit_connections`.
    pub fn seal(&self, user: &str) -> Result<()> {
        match self.flavor {
            Flavor::MariaDb => {
                self.local(&format!("ALTER USER {user}@'%' ACCOUNT LOCK; SET GLOBAL read_only = 1; KILL USER {user}"))
            }
            Flavor::MySql => self.sql("SET GLOBAL read_only = 1; SET GLOBAL offline_mode = 1").map(drop),
        }
    }

    /// Runs statements as root that no replica learns of, whether the server is read-only or not.
    pub fn local(&self, statements: &str) -> Result<()> {
        if self.flavor == Flavor::MySql && self.sql("SELECT @@global.super_read_only")? == "1" {
            // Turning this off leaves read_only on.
            self.sql(&format!(
                "SET GLOBAL super_read_only = 0; SET sql_log_bin = 0; {statements}; SET GLOBAL super_read_only = 1"
            ))?;
            return Ok(());
        }
        self.sql(&format!("SET sql_log_bin = 0; {statements}")).map(drop)
    }

    /// Ends the connection of a user that has been open for longest; new ones are welcome.
    pub fn drop_one_connection(&self, user: &str) -> Result<()> {
        let first = format!("SELECT MIN(id) FROM information_schema.processlist WHERE user = '{user}'");
        let id = self.sql(&first)?;
        // Without any, and if it ended by itself, there is nothing left to do.
        if id.parse::<u64>().is_ok() { self.sql(&format!("KILL {id}")).map(drop).or(Ok(())) } else { Ok(()) }
    }
}
