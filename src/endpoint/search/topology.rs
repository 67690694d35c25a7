//! What `mysql.rds_topology` says of a Blue/Green deployment: where green is, and how far the switchover got.
//!
//! A hint, never a decision: it names a candidate, which is verified like any other. Pure; source: Amazon RDS User
//! Guide, "Blue/Green Deployments", and the tables that the AWS drivers read.

use std::{
    fmt,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Columns by name: a server without a Blue/Green deployment may have the table without the last two (error 1054).
pub const QUESTION: &[u8] = b"SELECT endpoint, port, role, status FROM mysql.rds_topology";

/// While there is a deployment.
pub const AVAILABLE_EVERY: Duration = Duration::from_secs(1);
/// During a switchover.
pub const MOVING_EVERY: Duration = Duration::from_millis(100);
/// While there is none to be seen.
pub const UNKNOWN_EVERY: Duration = Duration::from_secs(60);

/// How long an empty table is a moment of a switchover that was under way: while names are swapped the rows are gone for a while.
pub const MOVED_WITHIN: Duration = Duration::from_secs(120);

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

/// What the rows say of the endpoint named `own`; `None` if there is no deployment to be seen.
///
/// There is a row for each endpoint of the deployment: clusters, their readers, instances, in any order. The target that will
/// bear our own name is the one. An application that uses a name of its own (a CNAME) has no such target: then the only target
/// of the most likely kind counts, a cluster before an instance. Of several nothing can be known.
pub fn read(rows: &Rows, own: &str) -> Option<Topology> {
    let targets = rows.iter().filter_map(|row| Topology::of(row));
    let mut ranked: Vec<_> = targets.filter_map(|target| Some((rank(&target.target.0, own)?, target))).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let (best, _) = ranked.first()?;
    let best = *best;
    let mut alike = ranked.into_iter().take_while(|(rank, _)| *rank == best).map(|(_, target)| target);
    let first = alike.next()?;
    (best == Rank::Ours || alike.all(|other| other.target == first.target)).then_some(first)
}

impl Topology {
    /// The row of a target.
    fn of(row: &[Option<Vec<u8>>]) -> Option<Self> {
        let text = |field: &Option<Vec<u8>>| String::from_utf8_lossy(field.as_deref().unwrap_or_default()).into_owned();
        let [endpoint, port, role, status] = row else { return None };
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
    }
}

/// How likely a target is the one of our endpoint, the likeliest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It will bear our own name, or bears it already.
    Ours,
    Cluster,
    Instance,
}

/// `None`: it is never a writer's.
fn rank(target: &str, own: &str) -> Option<Rank> {
    let (label, domain) = target.split_once('.').unwrap_or((target, ""));
    let future = without_green(label);
    if target == own || own.strip_prefix(future).is_some_and(|rest| rest.strip_prefix('.').unwrap_or(rest) == domain) {
        return Some(Rank::Ours);
    }
    let is_reader = domain.starts_with("cluster-ro-") || domain.starts_with("cluster-custom-");
    match () {
        () if is_reader || is_former(label) => None,
        () if domain.starts_with("cluster-") => Some(Rank::Cluster),
        () => Some(Rank::Instance),
    }
}

/// `db-green-1a2b3c` will be `db`.
fn without_green(label: &str) -> &str {
    match label.rsplit_once("-green-") {
        Some((future, mark)) if !mark.is_empty() && mark.bytes().all(|c| c.is_ascii_alphanumeric()) => future,
        _ => label,
    }
}

/// `db-old1` was `db` before a switchover.
fn is_former(label: &str) -> bool {
    label
        .rsplit_once("-old")
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()))
}

/// What is known of the deployment, and where its green is.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    pub topology: Option<Topology>,
    /// The addresses of green, from DNS, from when the table still named it.
    pub addresses: Vec<IpAddr>,
    /// When the table said last that a switchover is under way.
    pub moving_at: Option<Instant>,
}

impl Deployment {
    /// A switchover is under way.
    pub fn is_moving(&self) -> bool {
        self.topology.as_ref().is_some_and(|topology| topology.moving)
    }

    pub fn was_moving_within(&self, time: Duration, now: Instant) -> bool {
        self.moving_at.is_some_and(|at| now.saturating_duration_since(at) < time)
    }

    /// Green is, or is about to be, the writer.
    pub fn leads_to_green(&self) -> bool {
        self.topology.as_ref().is_some_and(|topology| topology.moving || topology.irrevocable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "db.shop.example";

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
            let topology = read(&table(status), OWN).unwrap();
            assert_eq!(topology.target, ("db-green-1a2b.shop.example".to_owned(), 3307));
            assert_eq!((topology.irrevocable, topology.moving), (irrevocable, moving), "{status}");
        }
    }

    #[test]
    fn an_empty_table_and_strange_rows_name_nobody() {
        assert_eq!(read(&[], OWN), None);
        assert_eq!(read(&[row(["h", "not a port", "BLUE_GREEN_DEPLOYMENT_TARGET", "AVAILABLE"])], OWN), None);
        assert_eq!(read(&[vec![None, None, None, None], vec![None]], OWN), None);
    }

    /// Which target is taken from these, in every order.
    fn taken(own: &str, targets: &[&str]) -> Option<String> {
        let rows: Vec<_> =
            targets.iter().map(|target| row([target, "3306", "BLUE_GREEN_DEPLOYMENT_TARGET", "AVAILABLE"])).collect();
        let mut turned = rows.clone();
        let first = read(&rows, own).map(|topology| topology.target.0);
        for _ in 0..rows.len() {
            turned.rotate_left(1);
            let mut back = turned.clone();
            back.reverse();
            for rows in [&turned, &back] {
                assert_eq!(read(rows, own).map(|topology| topology.target.0), first, "the order decides");
            }
        }
        first
    }

    #[test]
    fn the_target_that_will_bear_our_own_name_is_taken_wherever_it_stands() {
        const AURORA: [&str; 5] = [
            "shop-green-ab12cd.cluster-ro-xyz.eu-west-1.rds.example",
            "shop-1-green-ab12cd.xyz.eu-west-1.rds.example",
            "shop-green-ab12cd.cluster-xyz.eu-west-1.rds.example",
            "shop-2-green-ab12cd.xyz.eu-west-1.rds.example",
            "other-green-ef34ab.cluster-xyz.eu-west-1.rds.example",
        ];
        let of = |own| taken(own, &AURORA);
        assert_eq!(of("shop.cluster-xyz.eu-west-1.rds.example").as_deref(), Some(AURORA[2]));
        assert_eq!(of("shop-1.xyz.eu-west-1.rds.example").as_deref(), Some(AURORA[1]));
        assert_eq!(of("shop-2.xyz.eu-west-1.rds.example").as_deref(), Some(AURORA[3]));
        assert_eq!(of("shop.cluster-ro-xyz.eu-west-1.rds.example").as_deref(), Some(AURORA[0]));
        assert_eq!(of("db.internal"), None, "two clusters, and a name of the application's own");
        assert_eq!(taken("db.internal", &AURORA[..4]).as_deref(), Some(AURORA[2]), "the only cluster");
        assert_eq!(taken("db.internal", &AURORA[..2]).as_deref(), Some(AURORA[1]), "readers are no writer's target");
        assert_eq!(taken("db.internal", &[AURORA[1], AURORA[3]]), None, "one of them is a replica");
    }

    #[test]
    fn once_names_are_swapped_the_target_bears_our_own_name_and_former_servers_are_none() {
        assert_eq!(taken(OWN, &[OWN, "reports.shop.example"]).as_deref(), Some(OWN));
        assert_eq!(taken("db.internal", &["db-old1.xyz.rds.example"]), None);
        assert_eq!(taken("db.internal", &["db-old.xyz.rds.example"]).as_deref(), Some("db-old.xyz.rds.example"));
    }
}
