//! What `mysql.rds_topology` says of a Blue/Green deployment: where green is, and how far the switchover got.
//!
//! A hint, never a decision: it names a candidate, which is verified like any other. Pure; source: Amazon RDS User
//! Guide, "Blue/Green Deployments", and the tables that the AWS drivers read.

use std::{fmt, net::IpAddr, time::Duration};

/// Columns by name: a server without a Blue/Green deployment may have the table without the last two (error 1054).
pub const QUESTION: &[u8] = b"SELECT endpoint, port, role, status FROM mysql.rds_topology";

/// While there is a deployment.
pub const AVAILABLE_EVERY: Duration = Duration::from_secs(1);
/// During a switchover.
pub const MOVING_EVERY: Duration = Duration::from_millis(100);
/// While there is none to be seen.
pub const UNKNOWN_EVERY: Duration = Duration::from_secs(60);

/// Every row, every field.
pub type Rows = [Vec<Option<Vec<u8>>>];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// The host name and port of green.
    pub target: (String, u16),
    /// Before this AWS may still cancel, and a green that its owner made writable is not the writer.
    pub irrevocable: bool,
    /// A switchover is under way.
    pub moving: bool,
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match (self.irrevocable, self.moving) {
            (true, _) => "the switchover cannot be cancelled any more",
            (_, true) => "a switchover is under way",
            _ => "no switchover",
        };
        write!(f, "green is {}:{}, {stage}", self.target.0, self.target.1)
    }
}

/// `None` if there is no deployment to be seen.
pub fn read(rows: &Rows) -> Option<Topology> {
    let text = |field: &Option<Vec<u8>>| String::from_utf8_lossy(field.as_deref().unwrap_or_default()).into_owned();
    rows.iter().find_map(|row| {
        let [endpoint, port, role, status] = row.as_slice() else { return None };
        if text(role) != "BLUE_GREEN_DEPLOYMENT_TARGET" {
            return None;
        }
        let host = text(endpoint).trim_end_matches('.').to_ascii_lowercase();
        let status = text(status);
        Some(Topology {
            target: (host, text(port).parse().ok()?),
            irrevocable: matches!(status.as_str(), "SWITCHOVER_IN_POST_PROCESSING" | "SWITCHOVER_COMPLETED"),
            moving: matches!(status.as_str(), "SWITCHOVER_INITIATED" | "SWITCHOVER_IN_PROGRESS"),
        })
    })
}

/// What is known of the deployment, and where its green is.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    pub topology: Option<Topology>,
    /// The addresses of green, from DNS, from when the table still named it.
    pub addresses: Vec<IpAddr>,
}

impl Deployment {
    /// A switchover is under way.
    pub fn is_moving(&self) -> bool {
        self.topology.as_ref().is_some_and(|topology| topology.moving)
    }

    /// Green is, or is about to be, the writer.
    pub fn leads_to_green(&self) -> bool {
        self.topology.as_ref().is_some_and(|topology| topology.moving || topology.irrevocable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: [&str; 4]) -> Vec<Option<Vec<u8>>> {
        fields.iter().map(|field| Some(field.as_bytes().to_vec())).collect()
    }

    fn table(status: &str) -> Vec<Vec<Option<Vec<u8>>>> {
        vec![
            row(["db.shop.example", "3306", "BLUE_GREEN_DEPLOYMENT_SOURCE", status]),
            row(["DB-green-1a2b.shop.example.", "3307", "BLUE_GREEN_DEPLOYMENT_TARGET", status]),
        ]
    }

    #[test]
    fn green_may_be_the_writer_only_once_the_switchover_is_irrevocable() {
        for (status, irrevocable, moving) in [
            ("AVAILABLE", false, false),
            ("SWITCHOVER_INITIATED", false, true),
            ("SWITCHOVER_IN_PROGRESS", false, true),
            ("SWITCHOVER_IN_POST_PROCESSING", true, false),
            ("SWITCHOVER_COMPLETED", true, false),
            ("SOMETHING_NEW", false, false),
        ] {
            let topology = read(&table(status)).unwrap();
            assert_eq!(topology.target, ("db-green-1a2b.shop.example".to_owned(), 3307));
            assert_eq!((topology.irrevocable, topology.moving), (irrevocable, moving), "{status}");
        }
    }

    #[test]
    fn an_empty_table_and_strange_rows_name_nobody() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[row(["h", "not a port", "BLUE_GREEN_DEPLOYMENT_TARGET", "AVAILABLE"])]), None);
        assert_eq!(read(&[vec![None, None, None, None], vec![None]]), None);
    }
}
