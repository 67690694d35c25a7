//! GTID replication from one server to another, in the dialect of each family.

use super::Server;
use super::flavor::Flavor;
use crate::error::{Error, Result};
use crate::process::wait;
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
                 SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=3600; START REPLICA"
            ),
        })
        .map(drop)
    }

    /// A demoted writer follows its successor, which has everything that it has itself committed.
    pub fn follow_successor(&self, successor: &Server) -> Result<()> {
        if self.flavor() == Flavor::MariaDb {
            // What it committed as a writer counts as replicated; `replicate_from` then goes on from there.
            self.sql("SET GLOBAL gtid_slave_pos = @@global.gtid_binlog_pos")?;
        }
        self.replicate_from(successor)?;
        self.set_super_read_only()
    }

    /// Stops following, and forgets what was followed.
    pub fn stop_replication(&self) -> Result<()> {
        self.sql(match self.flavor() {
            Flavor::MariaDb => "STOP SLAVE; RESET SLAVE ALL",
            Flavor::MySql => "STOP REPLICA; RESET REPLICA ALL",
        })
        .map(drop)
    }

    /// From now on `source` acknowledges a commit only when it is here too, in the relay log (semi-synchronous).
    pub fn acknowledge_for(&self, source: &Server, within: Duration) -> Result<()> {
        // Never falls back to asynchronous while a scenario lasts.
        const MS: u32 = 600_000;
        let clients = match self.flavor() {
            Flavor::MariaDb => {
                source.sql(&format!(
                    "SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC', rpl_semi_sync_master_timeout = {MS}, \
                     rpl_semi_sync_master_enabled = 1"
                ))?;
                self.sql("SET GLOBAL rpl_semi_sync_slave_enabled = 1; STOP SLAVE IO_THREAD; START SLAVE IO_THREAD")?;
                "Rpl_semi_sync_master_clients"
            }
            Flavor::MySql => {
                source.local("INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'")?;
                self.local("INSTALL PLUGIN rpl_semi_sync_replica SONAME 'semisync_replica.so'")?;
                source.sql(&format!(
                    "SET GLOBAL rpl_semi_sync_source_timeout = {MS}; SET GLOBAL rpl_semi_sync_source_enabled = 1"
                ))?;
                self.sql(
                    "SET GLOBAL rpl_semi_sync_replica_enabled = 1; STOP REPLICA IO_THREAD; START REPLICA IO_THREAD",
                )?;
                "Rpl_semi_sync_source_clients"
            }
        };
        let status = format!("SHOW GLOBAL STATUS LIKE '{clients}'");
        wait::until(&format!("{self} acknowledging for {source}"), within, String::new, || {
            Ok(source.sql(&status)?.ends_with("\t1").then_some(()))
        })
    }

    /// Stops receiving, and waits until everything that was received is here.
    pub fn apply_received(&self, within: Duration) -> Result<()> {
        let seconds = within.as_secs_f64();
        let (stop, status, column, wait) = match self.flavor() {
            Flavor::MariaDb => ("STOP SLAVE IO_THREAD", "SHOW SLAVE STATUS", "Gtid_IO_Pos", "MASTER_GTID_WAIT"),
            Flavor::MySql => {
                ("STOP REPLICA IO_THREAD", "SHOW REPLICA STATUS", "Retrieved_Gtid_Set", "WAIT_FOR_EXECUTED_GTID_SET")
            }
        };
        self.sql(stop)?;
        let received = self.column(status, column)?;
        if self.sql(&format!("SELECT {wait}('{received}', {seconds})"))? == "0" {
            return Ok(());
        }
        let what = format!("{self} applying {received}, which it received");
        Err(Error::Timeout { what, within, detail: format!(": {}", self.sql(status)?) })
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
