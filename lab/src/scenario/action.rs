//! The things a scenario can do to a lab.

use super::topology::TopologyStatus;
use crate::{DnsMood, ENDPOINT, EventKind, Lab, Result, Side};
use std::time::Duration;

const CATCH_UP: Duration = Duration::from_secs(30);

/// One thing done to a lab.
#[derive(Debug, Clone)]
pub enum Action {
    /// Writes are rejected from now on; connections stay.
    ReadOnly(Side),
    /// Writes are accepted from now on.
    Writable(Side),
    /// The side waits until it has everything that the other committed.
    CatchUp(Side),
    /// The side no longer follows the other.
    StopReplication(Side),
    /// The endpoint's name means this side from now on.
    PointDns { side: Side, ttl: u32 },
    /// How DNS treats every question from now on.
    DnsMood(DnsMood),
    /// Ends the application's connections to the side.
    DropConnections(Side),
    /// Ends the application's connections to the side and lets it open no new one.
    Refuse(Side),
    /// Ends `Refuse`.
    Admit(Side),
    /// The deployment's status in `mysql.rds_topology` of both sides.
    Topology(TopologyStatus),
    /// SIGKILL.
    Crash(Side),
    /// An orderly shutdown.
    Stop(Side),
    /// Starts a stopped or crashed side on its data.
    Start(Side),
    /// As `Start`, but it comes up read-only.
    StartReadOnly(Side),
    /// SIGSTOP: connections stay open, and nothing answers.
    Freeze(Side),
    /// Ends `Freeze`.
    Thaw(Side),
    /// SQL as root, for what has no word here.
    Sql { side: Side, statements: String },
    /// Does nothing, and says so.
    Note(String),
}

impl Action {
    pub(super) fn perform(&self, lab: &Lab) -> Result<()> {
        match self {
            Self::ReadOnly(side) => lab.server(*side).set_read_only(true),
            Self::Writable(side) => lab.server(*side).set_read_only(false),
            Self::CatchUp(side) => lab.server(*side).wait_caught_up(lab.server(side.other()), CATCH_UP),
            Self::StopReplication(side) => lab.server(*side).stop_replication(),
            Self::PointDns { side, ttl } => lab.dns().set(ENDPOINT, &[lab.server(*side).ip()], *ttl),
            Self::DnsMood(mood) => {
                lab.dns().set_mood(*mood);
                Ok(())
            }
            Self::DropConnections(side) => lab.server(*side).drop_connections(crate::lab::USER),
            Self::Refuse(side) => lab.server(*side).refuse_connections(crate::lab::USER),
            Self::Admit(side) => lab.server(*side).admit_connections(crate::lab::USER),
            Self::Topology(status) => status.publish(lab),
            Self::Crash(side) => {
                lab.server(*side).kill9();
                Ok(())
            }
            Self::Stop(side) => lab.server(*side).stop(),
            Self::Start(side) | Self::StartReadOnly(side) => {
                let server = lab.server(*side);
                server.set_starts_read_only(matches!(self, Self::StartReadOnly(_)));
                server.start()
            }
            Self::Freeze(side) => {
                lab.server(*side).freeze();
                Ok(())
            }
            Self::Thaw(side) => {
                lab.server(*side).thaw();
                Ok(())
            }
            Self::Sql { side, statements } => lab.server(*side).sql(statements).map(drop),
            Self::Note(_) => Ok(()),
        }
    }

    pub(super) fn describe(&self, lab: &Lab) -> String {
        match self {
            Self::ReadOnly(side) => format!("{side} is read-only; its connections stay"),
            Self::Writable(side) => format!("{side} is writable"),
            Self::CatchUp(side) => format!("{side} has everything that {} committed", side.other()),
            Self::StopReplication(side) => format!("{side} no longer follows {}", side.other()),
            Self::PointDns { side, ttl } => {
                format!("DNS: {ENDPOINT} is {side}, {}, TTL {ttl} s", lab.server(*side).ip())
            }
            Self::DnsMood(mood) => format!("DNS: {mood:?}"),
            Self::DropConnections(side) => format!("{side} ended the application's connections"),
            Self::Refuse(side) => {
                format!("{side} ended the application's connections and refuses new ones")
            }
            Self::Admit(side) => format!("{side} lets the application connect"),
            Self::Topology(status) => format!("mysql.rds_topology: {status}"),
            Self::Crash(side) => format!("{side} was killed"),
            Self::Stop(side) => format!("{side} shut down"),
            Self::Start(side) => format!("{side} runs again"),
            Self::StartReadOnly(side) => format!("{side} runs again, read-only"),
            Self::Freeze(side) => format!("{side} is frozen: open connections, no answers"),
            Self::Thaw(side) => format!("{side} answers again"),
            Self::Sql { side, statements } => format!("{side}: {statements}"),
            Self::Note(text) => text.clone(),
        }
    }

    pub(super) fn kind(&self) -> EventKind {
        match self {
            Self::ReadOnly(_) | Self::Crash(_) | Self::Stop(_) | Self::Freeze(_) => EventKind::WriterGone,
            Self::Writable(_) | Self::Thaw(_) | Self::Start(_) => EventKind::WriterBack,
            Self::PointDns { .. } | Self::DnsMood(_) => EventKind::Dns,
            Self::CatchUp(_)
            | Self::StopReplication(_)
            | Self::DropConnections(_)
            | Self::Refuse(_)
            | Self::Admit(_)
            | Self::Topology(_)
            | Self::StartReadOnly(_)
            | Self::Sql { .. }
            | Self::Note(_) => EventKind::Note,
        }
    }
}
