//! `mysql.rds_topology`, the table in which a managed Blue/Green deployment says how far its switchover is.

use crate::error::Result;
use crate::lab::{ENDPOINT, Lab, READERS, Side, USER};
use crate::server::Server;
use std::fmt;

/// The green server's own name before the switchover.
const GREEN_NAME: &str = "db-green-1a2b3c.lab.test";
/// The blue server's name after the switchover.
const OLD_NAME: &str = "db-old1.lab.test";
/// The target of the deployment's readers, which no server of the lab serves.
const GREEN_READERS: &str = "db-ro-green-1a2b3c.lab.test";

/// How far the switchover is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopologyStatus {
    Available,
    Initiated,
    InProgress,
    InPostProcessing,
    Completed,
    /// The table stays, its rows are gone.
    Gone,
}

impl TopologyStatus {
    /// Writes the table on both servers, each for itself, and gives the servers their names.
    pub(super) fn publish(self, lab: &Lab) -> Result<()> {
        let (blue, green) = (lab.blue(), lab.green());
        match self {
            Self::Available => lab.dns().set(GREEN_NAME, &[lab.named_address(Side::Green)], 5)?,
            Self::Completed => lab.dns().set(OLD_NAME, &[lab.named_address(Side::Blue)], 5)?,
            _ => {}
        }
        [blue, green].into_iter().try_for_each(|server| server.local(&self.statements(server)))
    }

    fn statements(self, server: &Server) -> String {
        let (port, status) = (server.address().port(), self);
        let table = format!(
            "CREATE TABLE IF NOT EXISTS mysql.rds_topology (id VARCHAR(64), endpoint VARCHAR(255), port INT, \
             role VARCHAR(64), status VARCHAR(64), version VARCHAR(16)); \
             GRANT SELECT ON mysql.rds_topology TO {USER}@'%'; DELETE FROM mysql.rds_topology"
        );
        if self == Self::Gone {
            return table;
        }
        let done = matches!(self, Self::Completed);
        let (source, target) = if done { (OLD_NAME, ENDPOINT) } else { (ENDPOINT, GREEN_NAME) };
        // A deployment has a pair of rows for each of its endpoints, in no order. The readers' pair lags behind.
        format!(
            "{table}; INSERT INTO mysql.rds_topology VALUES \
             ('1', '{GREEN_READERS}', {port}, 'BLUE_GREEN_DEPLOYMENT_TARGET', 'AVAILABLE', '1.0'), \
             ('2', '{target}', {port}, 'BLUE_GREEN_DEPLOYMENT_TARGET', '{status}', '1.0'), \
             ('3', '{READERS}', {port}, 'BLUE_GREEN_DEPLOYMENT_SOURCE', 'AVAILABLE', '1.0'), \
             ('4', '{source}', {port}, 'BLUE_GREEN_DEPLOYMENT_SOURCE', '{status}', '1.0')"
        )
    }
}

impl fmt::Display for TopologyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Available => "AVAILABLE",
            Self::Initiated => "SWITCHOVER_INITIATED",
            Self::InProgress => "SWITCHOVER_IN_PROGRESS",
            Self::InPostProcessing => "SWITCHOVER_IN_POST_PROCESSING",
            Self::Completed => "SWITCHOVER_COMPLETED",
            Self::Gone => "(no rows)",
        })
    }
}
