//! What the command can be asked for. Decides nothing beyond which values are allowed.

use std::error::Error as _;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ErrorKind};
use clap::{Args, Parser, Subcommand, ValueEnum};
use pointsman_lab::{Flavor, ScenarioKind, Workload};

use crate::duration;

/// The exit code of a wrong option.
pub const USAGE: u8 = 2;

/// Keeps every MySQL connection of an unchanged process on the server that its host name means.
#[derive(Debug, Parser)]
#[command(name = "pointsman", version)]
pub struct Options {
    #[command(subcommand)]
    pub ask: Ask,
}

#[derive(Debug, Subcommand)]
pub enum Ask {
    /// Runs a program with the library preloaded.
    ///
    /// The program takes the place of this command: no process remains in between. Exit codes of our own, as of env(1):
    /// 125 the library cannot be found, 126 the program cannot be executed, 127 there is no such program.
    Run(RunAsk),
    /// Says whether the library can reach a program, and why not.
    ///
    /// Nothing is run. Exit codes: 0 it can be reached; 1 it cannot; 2 there is no such program or process, or wrong usage.
    Doctor(DoctorAsk),
    /// Switches real servers over under a real program, first bare, then protected, and compares.
    ///
    /// Exit codes: 0 the protected program saw no error and lost nothing; 1 it did not; 2 wrong usage; 3 this machine
    /// cannot run the drill.
    Drill(DrillAsk),
    /// Lets random things happen to real servers under random programs, protected and bare, again and again.
    ///
    /// Exit codes: 0 every run kept every promise, and no protected program did worse than its bare twin; 1 one did not; 2 wrong usage; 3 this machine cannot run the campaign.
    Soak(SoakAsk),
}

#[derive(Debug, Args)]
pub struct RunAsk {
    /// libpointsman.so; by default beside this command, or in ../lib.
    #[arg(long, value_name = "PATH")]
    pub library: Option<PathBuf>,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct DoctorAsk {
    /// Its path, or its name in PATH. Of a script the interpreter is looked at.
    #[arg(value_name = "PROGRAM", required_unless_present = "pid", conflicts_with = "pid")]
    pub program: Option<OsString>,
    /// A running process instead: whether it has the library, and which calls go past it.
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
}

#[derive(Debug, Args)]
pub struct DrillAsk {
    /// The driver of the program.
    #[arg(long, value_name = "DRIVER", default_value = "mysql2", value_parser = workload())]
    pub workload: Workload,
    /// What happens to the servers.
    #[arg(long, value_name = "STORY", value_enum, default_value = "read-only")]
    pub scenario: Story,
    /// The servers; on MySQL under TLS, with the server's name verified.
    #[arg(long, value_name = "SERVER", default_value = "mariadb", value_parser = server())]
    pub server: Flavor,
    /// Connections of the program.
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
    /// How long no server takes writes [default: 3s; never: 75s, which is longer than the library holds].
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, allow_hyphen_values = true)]
    pub outage: Option<Duration>,
    /// How long after that DNS still names the old server; for stories in which DNS moves.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration::parse, allow_hyphen_values = true)]
    pub dns_lag: Duration,
    /// libpointsman.so; by default beside this command, or in ../lib.
    #[arg(long, value_name = "PATH")]
    pub library: Option<PathBuf>,
    /// Where the picture goes.
    #[arg(long, value_name = "DIR", default_value = "drill-report")]
    pub out: PathBuf,
    /// The report as JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SoakAsk {
    /// How many runs [default: 200, or as many as --minutes allows].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub runs: Option<u64>,
    /// What the campaign's runs are drawn from, in hexadecimal; by default another one each time.
    #[arg(long, value_name = "SEED", value_parser = seed)]
    pub seed: Option<u64>,
    /// No run begins after this many minutes.
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(1..=1440))]
    pub minutes: Option<u64>,
    /// Only the run with this seed, as its line gave it; with its kind of story, if that came from an older list of them.
    #[arg(long, value_name = "SEED", value_parser = seed, conflicts_with_all = ["runs", "seed", "minutes"])]
    pub only_run: Option<u64>,
    /// How many labs run side by side. More than one disturbs the timings where processors are few.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u64).range(1..=16))]
    pub jobs: u64,
    /// Only runs of this kind of story.
    #[arg(long, value_name = "KIND", value_parser = kind())]
    pub scenario: Option<ScenarioKind>,
    /// libpointsman.so; by default beside this command, or in ../lib.
    #[arg(long, value_name = "PATH")]
    pub library: Option<PathBuf>,
    /// Where the files of bad runs go.
    #[arg(long, value_name = "DIR", default_value = "drill-report/soak")]
    pub out: PathBuf,
}

/// The stories that a drill can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Story {
    /// A planned switchover: the old server turns read-only and keeps its connections
    ReadOnly,
    /// A switchover that is cancelled: the old server is writable again
    Rollback,
    /// A switchover that takes longer than the library holds: it lets the errors through, and the exit code is 1
    Never,
}

impl Story {
    pub fn outage(self) -> Duration {
        Duration::from_secs(if self == Self::Never { 75 } else { 3 })
    }
}

fn seed(text: &str) -> Result<u64, String> {
    u64::from_str_radix(text, 16).map_err(|_| "not a seed; allowed are 1 to 16 hexadecimal digits".to_owned())
}

fn kind() -> impl TypedValueParser<Value = ScenarioKind> {
    PossibleValuesParser::new(ScenarioKind::ALL.map(ScenarioKind::name)).map(|name| {
        let found = ScenarioKind::ALL.into_iter().find(|kind| kind.name() == name);
        found.expect("the parser allows names of kinds only")
    })
}

fn workload() -> impl TypedValueParser<Value = Workload> {
    PossibleValuesParser::new(Workload::ALL.map(Workload::name)).map(|name| {
        let found = Workload::ALL.into_iter().find(|workload| workload.name() == name);
        found.expect("the parser allows names of workloads only")
    })
}

fn server() -> impl TypedValueParser<Value = Flavor> {
    PossibleValuesParser::new(["mariadb", "mysql"]).map(|name| match name.as_str() {
        "mysql" => Flavor::MySql,
        _ => Flavor::MariaDb,
    })
}

/// Prints a parse error, a wrong value in one line of its own, and gives the exit code. Help is such an error too.
pub fn explain(error: &clap::Error) -> ExitCode {
    let context = |kind| error.get(kind).map(ToString::to_string);
    if let (ErrorKind::ValueValidation, Some(option), Some(value), Some(reason)) =
        (error.kind(), context(ContextKind::InvalidArg), context(ContextKind::InvalidValue), error.source())
    {
        let option = option.split(' ').next().unwrap_or_default();
        eprintln!("pointsman: {option} {value}: {reason}");
        return ExitCode::from(USAGE);
    }
    let _ = error.print();
    ExitCode::from(error.exit_code().try_into().unwrap_or(USAGE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_options_are_sound() {
        Options::command().debug_assert();
    }
}
