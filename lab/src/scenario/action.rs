//! The things a scenario can do to a lab.

use super::timeline::EventKind;
use super::topology::TopologyStatus;
use crate::dns::DnsMood;
use crate::error::Result;
use crate::lab::{ENDPOINT, Lab, READERS, Side};
use crate::server::Silence;
use crate::server::flavor::Flavor;
use crate::server::front::Delays;
use std::time::Duration;

const CATCH_UP: Duration = Duration::from_secs(30);

/// How an action takes the application's connections away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// They end, and the application is told.
    Ended,
    /// They stay open, and nobody answers.
    Silenced,
}

/// One thing done to a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Writes are rejected from now on; connections stay.
    ReadOnly(Side),
    /// Writes are accepted from now on.
    Writable(Side),
    /// The side waits until it has everything that the other committed.
    CatchUp(Side),
    /// The side waits for all that it was sent, its source being gone.
    ApplyReceived(Side),
    /// The other side acknowledges a commit only when this side has it too.
    SemiSync(Side),
    /// Generated ids are odd on blue and even on green, so that both can take writes.
    SplitIds,
    /// The side no longer follows the other.
    StopReplication(Side),
    /// The side, a writer until now, follows the other from now on.
    Follow(Side),
    /// The endpoint's name means this side from now on.
    PointDns { side: Side, ttl: u32 },
    /// The readers' name means these sides from now on.
    PointReaders(Vec<Side>),
    /// How DNS treats every question from now on.
    DnsMood(DnsMood),
    /// Ends the application's connections to the side.
    DropConnections(Side),
    /// Ends the application's connections to the side and lets it open no new one.
    Refuse(Side),
    /// `ReadOnly` and `Refuse` in one moment.
    Seal(Side),
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
    /// Nothing arrives at the side or leaves it, and nobody is told. `Freeze`, where packets cannot be dropped.
    CutOff(Side),
    /// Ends `CutOff`.
    Rejoin(Side),
    /// The endpoint's name means one address in front of the servers, and new sessions there lead to this side.
    Balance(Side),
    /// Sessions that came by that address end.
    CutBalanced,
    /// Sessions that come by that address from now on are greeted and logged in late.
    Delay(Delays),
    /// Ends one connection of the application to the side.
    DropOne(Side),
    /// The application's account has this password from now on, and new logins of the application use it.
    Password(&'static str),
    /// A few wrong logins lock the application's account.
    LockAfterWrongLogins,
    /// SQL as root, for what has no word here.
    Sql { side: Side, statements: String },
    /// Does nothing, and says so.
    Note(String),
}

impl Action {
    /// Whether connections of the application are lost by it, and how.
    pub fn loss(&self) -> Option<Loss> {
        match self {
            Self::CutBalanced
            | Self::DropOne(_)
            | Self::DropConnections(_)
            | Self::Refuse(_)
            | Self::Seal(_)
            | Self::Crash(_)
            | Self::Stop(_) => Some(Loss::Ended),
            Self::Freeze(_) | Self::CutOff(_) => Some(Loss::Silenced),
            _ => None,
        }
    }

    pub(super) fn perform(&self, lab: &Lab) -> Result<()> {
        match self {
            Self::ReadOnly(side) => lab.server(*side).set_read_only(true),
            Self::Writable(side) => lab.server(*side).set_read_only(false),
            Self::CatchUp(side) => lab.server(*side).wait_caught_up(lab.server(side.other()), CATCH_UP),
            Self::ApplyReceived(side) => lab.server(*side).apply_received(CATCH_UP),
            Self::SemiSync(side) => lab.server(*side).acknowledge_for(lab.server(side.other()), CATCH_UP),
            Self::SplitIds => [lab.blue(), lab.green()].into_iter().zip(1..).try_for_each(|(server, offset)| {
                let set = "SET GLOBAL auto_increment_increment = 2, auto_increment_offset";
                server.sql(&format!("{set} = {offset}")).map(drop)
            }),
            Self::StopReplication(side) => lab.server(*side).stop_replication(),
            Self::Follow(side) => lab.server(*side).follow_successor(lab.server(side.other())),
            Self::PointDns { side, ttl } => lab.dns().set(ENDPOINT, &[lab.named_address(*side)], *ttl),
            Self::PointReaders(sides) => {
                let addresses: Vec<_> = sides.iter().map(|side| lab.named_address(*side)).collect();
                lab.dns().set(READERS, &addresses, super::TTL)
            }
            Self::DnsMood(mood) => {
                lab.dns().set_mood(*mood);
                Ok(())
            }
            Self::DropConnections(side) => lab.server(*side).drop_connections(crate::lab::USER),
            Self::Refuse(side) => lab.server(*side).refuse_connections(crate::lab::USER),
            Self::Seal(side) => lab.server(*side).seal(crate::lab::USER),
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
            Self::CutOff(side) => {
                lab.server(*side).cut_off();
                Ok(())
            }
            Self::Rejoin(side) => {
                lab.server(*side).rejoin();
                Ok(())
            }
            Self::Balance(side) => {
                let balancer = lab.balancer()?;
                balancer.lead_to(lab.server(*side).address());
                lab.dns().set(ENDPOINT, &[balancer.ip()], super::TTL)
            }
            Self::CutBalanced => {
                lab.balancer()?.cut();
                Ok(())
            }
            Self::Delay(delays) => {
                lab.balancer()?.delay(*delays);
                Ok(())
            }
            Self::DropOne(side) => lab.server(*side).drop_one_connection(crate::lab::USER),
            Self::Password(password) => {
                let user = crate::lab::USER;
                lab.blue().sql(&format!("ALTER USER {user}@'%' IDENTIFIED BY '{password}'"))?;
                lab.write_password(password)
            }
            Self::LockAfterWrongLogins => lock_after_wrong_logins(lab),
            Self::Sql { side, statements } => lab.server(*side).sql(statements).map(drop),
            Self::Note(_) => Ok(()),
        }
    }

    pub(super) fn describe(&self, lab: &Lab) -> String {
        match self {
            Self::ReadOnly(side) => format!("{side} is read-only; its connections stay"),
            Self::Writable(side) => format!("{side} is writable"),
            Self::CatchUp(side) => format!("{side} has everything that {} committed", side.other()),
            Self::ApplyReceived(side) => format!("{side} has everything that it was sent"),
            Self::SemiSync(side) => format!("{} acknowledges nothing that {side} does not have", side.other()),
            Self::SplitIds => "generated ids are odd on blue, even on green".into(),
            Self::StopReplication(side) => format!("{side} no longer follows {}", side.other()),
            Self::Follow(side) => format!("{side} follows {}", side.other()),
            Self::PointDns { side, ttl } => {
                format!("DNS: {ENDPOINT} is {side}, {}, TTL {ttl} s", lab.named_address(*side))
            }
            Self::PointReaders(sides) => {
                let sides: Vec<_> = sides.iter().map(Side::to_string).collect();
                format!("DNS: {READERS} is {}", sides.join(" and "))
            }
            Self::DnsMood(mood) => format!("DNS: {mood:?}"),
            Self::DropConnections(side) => format!("{side} ended the application's connections"),
            Self::Refuse(side) => {
                format!("{side} ended the application's connections and refuses new ones")
            }
            Self::Seal(side) => {
                format!("{side} is read-only, ended the application's connections and refuses new ones")
            }
            Self::Admit(side) => format!("{side} lets the application connect"),
            Self::Topology(status) => format!("mysql.rds_topology: {status}"),
            Self::Crash(side) => format!("{side} was killed"),
            Self::Stop(side) => format!("{side} shut down"),
            Self::Start(side) => format!("{side} runs again"),
            Self::StartReadOnly(side) => format!("{side} runs again, read-only"),
            Self::Freeze(side) => format!("{side} is frozen: open connections, no answers"),
            Self::Thaw(side) => format!("{side} answers again"),
            // Asked again: it is cut off already, and this only says how.
            Self::CutOff(side) => match lab.server(*side).cut_off() {
                Silence::Dropped => format!("{side} is cut off: its packets are dropped both ways (nftables)"),
                Silence::Stopped(why) => format!("{side} is frozen (SIGSTOP): its packets cannot be dropped ({why})"),
            },
            Self::Rejoin(side) => format!("{side} is reachable again"),
            Self::Balance(side) => format!("{ENDPOINT} is a balancer; new sessions lead to {side}"),
            Self::CutBalanced => "the balancer ended its sessions".into(),
            Self::Delay(Delays { greeting, login }) => {
                format!("greetings are {} ms late, logins {} ms", greeting.as_millis(), login.as_millis())
            }
            Self::DropOne(side) => format!("{side} ended one connection of the application"),
            Self::Password(_) => "the application's account has a new password, and new logins use it".into(),
            Self::LockAfterWrongLogins => "a few wrong logins lock the application's account".into(),
            Self::Sql { side, statements } => format!("{side}: {statements}"),
            Self::Note(text) => text.clone(),
        }
    }

    pub(super) fn kind(&self) -> EventKind {
        match self {
            Self::ReadOnly(_) | Self::Seal(_) | Self::Crash(_) | Self::Stop(_) | Self::Freeze(_) | Self::CutOff(_) => {
                EventKind::WriterGone
            }
            Self::Writable(_) | Self::Thaw(_) | Self::Rejoin(_) | Self::Start(_) => EventKind::WriterBack,
            Self::Balance(_) | Self::PointDns { .. } | Self::PointReaders(_) | Self::DnsMood(_) => EventKind::Dns,
            Self::CatchUp(_)
            | Self::ApplyReceived(_)
            | Self::SemiSync(_)
            | Self::SplitIds
            | Self::StopReplication(_)
            | Self::Follow(_)
            | Self::DropConnections(_)
            | Self::Refuse(_)
            | Self::Admit(_)
            | Self::Topology(_)
            | Self::StartReadOnly(_)
            | Self::CutBalanced
            | Self::Delay(_)
            | Self::DropOne(_)
            | Self::Password(_)
            | Self::LockAfterWrongLogins
            | Self::Sql { .. }
            | Self::Note(_) => EventKind::Note,
        }
    }
}

/// MySQL locks the account for a day, MariaDB until an administrator unlocks it.
fn lock_after_wrong_logins(lab: &Lab) -> Result<()> {
    let user = crate::lab::USER;
    match lab.blue().flavor() {
        Flavor::MySql => {
            let lock = format!("ALTER USER {user}@'%' FAILED_LOGIN_ATTEMPTS 5 PASSWORD_LOCK_TIME 1");
            lab.blue().sql(&lock).map(drop)
        }
        Flavor::MariaDb => {
            let servers = [lab.blue(), lab.green()];
            servers.into_iter().try_for_each(|server| server.sql("SET GLOBAL max_password_errors = 10").map(drop))
        }
    }
}
