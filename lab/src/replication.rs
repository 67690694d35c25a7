//! GTID replication from one server to another, in the dialect of each family.

use crate::{Error, Flavor, Result, Server};
use std::time::Duration;

const USER: &str = "repl";
const PASSWORD: &str = "repl-password";

impl Server {
    /// SQL that makes the account a replica logs in with.
    pub(crate) fn replication_account(&self) -> String {
        let rights = match self.flavor() {
            Flavor::MariaDb => "REPLICATION SLAVE",
            // The second right lets it stay connected in offline mode, when a switchover turns applications away.
            Flavor::MySql => "REPLICATION SLAVE, CONNECTION_ADMIN",
        };
        format!("CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}'; GRANT {rights} ON *.* TO {USER}@'%';")
    }

    /// Follows `source` from its first transaction on.
    pub fn replicate_from(&self, source: &Server) -> Result<()> {
        let (host, port) = (source.ip(), source.address().port());
        self.sql(&match self.flavor() {
            Flavor::MariaDb => format!(
                "CHANGE MASTER TO MASTER_HOST='{host}', MASTER_PORT={port}, MASTER_USER='{USER}', \
                 MASTER_PASSWORD='{PASSWORD}', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1; START SLAVE"
            ),
            Flavor::MySql => format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST='{host}', SOURCE_PORT={port}, SOURCE_USER='{USER}', \
                 SOURCE_PASSWORD='{PASSWORD}', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, \
                 SOURCE_CONNECT_RETRY=1; START REPLICA"
            ),
        })
        .map(drop)
    }

    /// Stops following, and forgets what was followed.
    pub fn stop_replication(&self) -> Result<()> {
        self.sql(match self.flavor() {
            Flavor::MariaDb => "STOP SLAVE; RESET SLAVE ALL",
            Flavor::MySql => "STOP REPLICA; RESET REPLICA ALL",
        })
        .map(drop)
    }

    /// Waits until everything that `source` has committed by now is here.
    pub fn wait_caught_up(&self, source: &Server, within: Duration) -> Result<()> {
        let seconds = within.as_secs_f64();
        let (position, wait) = match self.flavor() {
            Flavor::MariaDb => {
                let position = source.sql("SELECT @@global.gtid_binlog_pos")?;
                (position.clone(), format!("SELECT MASTER_GTID_WAIT('{position}', {seconds})"))
            }
            Flavor::MySql => {
                let position = source.sql("SELECT REPLACE(@@global.gtid_executed, '\\n', '')")?;
                (position.clone(), format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{position}', {seconds})"))
            }
        };
        if self.sql(&wait)? == "0" {
            return Ok(());
        }
        let status = match self.flavor() {
            Flavor::MariaDb => "SHOW SLAVE STATUS",
            Flavor::MySql => "SHOW REPLICA STATUS",
        };
        Err(Error::Timeout {
            what: format!("{self} reaching {position} of {source}"),
            within,
            detail: format!(": {}", self.sql(status)?),
        })
    }
}
