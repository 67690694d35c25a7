//! What the library is asked to keep, story by story: how it is configured, and which errors are no fault of it.

use pointsman_lab::{Form, Habits, ScenarioKind};

pub const LOST_CONNECTION: [u32; 2] = [2006, 2013];
const READ_ONLY: [u32; 1] = [1290];

/// Settings for a story that would last too long with the defaults: as environment variables.
pub fn settings(kind: ScenarioKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        // Longer than anybody waits has to fit into a few seconds.
        ScenarioKind::Never => &[("POINTSMAN_HOLD_MAX", "1s")],
        // Reads that wait for the writer would show beside the twin's.
        ScenarioKind::LongReadOnly => &[("POINTSMAN_HOLD_MAX", "5s")],
        ScenarioKind::MovedForGood | ScenarioKind::OtherNames => &[("POINTSMAN_SETTLE", "1s")],
        _ => &[],
    }
}

/// Errors that the application may see at any time and any number of times. A write in flight when its connection was
/// lost is another matter: `judgement` allows that one wherever the story takes connections away.
pub fn originals(kind: ScenarioKind) -> &'static [u32] {
    match kind {
        // Past the hold limit the original error is the answer.
        ScenarioKind::Never => &READ_ONLY,
        _ => &[],
    }
}

/// Whether the application has to see no error but what is named here. Else it is only asked that it does no worse than
/// its bare twin: in stories that the library cannot hide, and with sessions that it cannot rebuild.
pub fn is_spotless(kind: ScenarioKind, habits: &Habits) -> bool {
    let hidden = match kind {
        ScenarioKind::Blips
        | ScenarioKind::BlipsAfterHandover
        | ScenarioKind::LongReadOnly
        | ScenarioKind::Zombie
        | ScenarioKind::TwoWriters
        | ScenarioKind::Shutdown
        | ScenarioKind::Increments
        | ScenarioKind::Balancer
        | ScenarioKind::SlowServer
        | ScenarioKind::Password
        | ScenarioKind::PasswordSwitchover
        | ScenarioKind::SlowDns
        | ScenarioKind::OtherNames
        | ScenarioKind::Clocks
        | ScenarioKind::Galera => false,
        ScenarioKind::ReadOnly
        | ScenarioKind::Rollback
        | ScenarioKind::Never
        | ScenarioKind::BlueGreen
        | ScenarioKind::BlueGreenRollback
        | ScenarioKind::Failover
        | ScenarioKind::Crash
        | ScenarioKind::CrashPromoted
        | ScenarioKind::BlackHole
        | ScenarioKind::Partition
        | ScenarioKind::DnsFlap
        | ScenarioKind::LateDns
        | ScenarioKind::DnsOut
        | ScenarioKind::MovedForGood
        | ScenarioKind::EarlyGreen
        | ScenarioKind::ReaderPool => true,
    };
    hidden && habits.form == Form::Plain && !habits.swallows
}

/// Two servers take writes, and one lags behind the other: who moved first may miss what the others write.
pub fn allows_stale_reads(kind: ScenarioKind) -> bool {
    kind == ScenarioKind::MovedForGood
}

/// Whether no connection may remain on the server that is not the writer in the end, although it takes writes.
pub fn leaves_nobody(kind: ScenarioKind) -> bool {
    kind == ScenarioKind::MovedForGood
}
