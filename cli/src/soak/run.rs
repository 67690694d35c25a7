//! One program through one story, on servers of its own.

use std::path::Path;
use std::time::{Duration, Instant};

use pointsman_lab::{
    Audit, Error, History, Lab, Result, RunningWorkload, ScenarioKind, Side, Stall, Statement, StatementKind, Timeline,
    USER, Workload, WorkloadOptions, monotonic_us,
};

use super::draw::Draw;
use super::judgement::{self, Disruption, Witness};
use super::promise;
use super::twin::{Ending, Figures, Watched};

const WARM_UP: Duration = Duration::from_secs(30);
/// How long every worker may need to get through after the story.
const PATIENCE: Duration = Duration::from_secs(15);
/// The same for a bare program, which may never do so.
const BARE_PATIENCE: Duration = Duration::from_secs(5);
const MISDATED: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM shop.orders GROUP BY worker, seq \
    HAVING TIMESTAMPDIFF(SECOND, MIN(placed_at), MAX(placed_at)) > 60) AS apart";
const LOOK: Duration = Duration::from_millis(25);

/// What a run has seen.
pub struct Seen {
    pub history: History,
    pub audit: Audit,
    pub timeline: Timeline,
    /// What the program, and the library in it, said.
    pub stderr: String,
    /// The ends of the servers' logs.
    pub servers: Vec<(&'static str, String)>,
    /// Workers that did not get through afterwards.
    pub silent: u32,
    /// Rows that refer to a parent of another row.
    pub strays: u64,
    /// Transactions whose rows are dated more than a minute apart.
    pub misdated: u64,
    /// Connections that remained on the other server.
    pub left_behind: u32,
    /// How the program ended, if by itself.
    pub died: Option<String>,
    pub watched: Watched,
}

/// Starts two servers, lets it happen, and compares what the program was told with what the writer has. Without a library
/// the program is bare.
pub fn take(draw: &Draw, library: Option<&Path>) -> Result<Seen> {
    let builder = Lab::builder().both(draw.server).green_ahead(draw.green_ahead);
    let lab = if draw.kind == ScenarioKind::Galera { builder.galera() } else { builder }.start()?;
    draw.habits.form.prepare(&lab)?;
    draw.scenario.prepare(&lab)?;
    draw.naming.prepare(&lab)?;
    let reads_only = draw.kind == ScenarioKind::ReaderPool;
    // Should this command itself have been preloaded with something, the bare program must not be.
    let mut options = WorkloadOptions::default().threads(draw.threads).host(draw.kind.endpoint()).env("LD_PRELOAD", "");
    options.preload = library.map(Path::to_owned);
    (options.habits, options.naming) = (draw.habits.clone(), draw.naming);
    options = promise::settings(draw.kind).iter().fold(options, |options, (name, value)| options.env(name, value));
    (options.tls, options.autocommit, options.pause) = (draw.tls, draw.autocommit, draw.pause);
    options.reads_only = reads_only;
    let program = draw.workload.start(&lab, options)?;

    let ready = |program: &RunningWorkload| get_through(program, draw.threads, 0, WARM_UP);
    if ready(&program)? > 0 {
        let (what, detail) = ("the first statement of every worker".into(), format!("\n{}", program.stderr()));
        return Err(Error::Timeout { what, within: WARM_UP, detail });
    }
    std::thread::sleep(draw.lead);
    let timeline = draw.scenario.run(&lab, &mut |_| ())?;

    let over = monotonic_us();
    let patience = if library.is_some() { PATIENCE } else { BARE_PATIENCE };
    let (silent, mut died) = match get_through(&program, draw.threads, over, patience) {
        Ok(silent) => (silent, None),
        Err(Error::WorkloadEnded { status, .. }) => (0, Some(status)),
        Err(error) => return Err(error),
    };
    let writer = draw.kind.writer();
    let watched = Watched { over_us: over, stopped_us: monotonic_us() };
    let left_behind = if promise::leaves_nobody(draw.kind) { connections(&lab, writer.other())? } else { 0 };
    let stderr = program.stderr_path().to_owned();
    // One that hangs would not end by itself.
    let history = match (silent, &died) {
        (0, None) => match program.stop() {
            Err(Error::WorkloadEnded { status, .. }) => {
                died = Some(status);
                History::default()
            }
            history => history?,
        },
        _ => program.kill()?,
    };
    if draw.kind == ScenarioKind::MovedForGood {
        lab.green().wait_caught_up(lab.blue(), WARM_UP)?;
    }
    // Only a reader may be dead by now, and there were no writes then.
    let keeper = if lab.server(writer).is_running() { writer } else { writer.other() };
    let keeper = lab.third().unwrap_or(lab.server(keeper));
    let audit = history.check(keeper)?;
    let strays = draw.habits.form.strays().map_or(Ok(String::new()), |count| keeper.sql(count))?;
    let strays = strays.trim().parse().unwrap_or(0);
    let misdated = keeper.sql(MISDATED)?.trim().parse().unwrap_or(0);
    let servers = [Side::Blue, Side::Green].map(|side| (lab.server(side).name(), lab.server(side).log_tail())).into();
    let stderr = std::fs::read_to_string(stderr).unwrap_or_default();
    Ok(Seen { history, audit, timeline, stderr, servers, silent, strays, misdated, left_behind, died, watched })
}

/// Waits until every worker has a statement of its trade that began after `since` and succeeded; gives how many do not.
fn get_through(program: &RunningWorkload, workers: u32, since: u64, within: Duration) -> Result<u32> {
    let deadline = Instant::now() + within;
    let counts = |statement: &&Statement| {
        statement.start_us >= since && statement.got_through() && statement.kind != StatementKind::Connect
    };
    loop {
        let statements = program.statements();
        let writes = statements.iter().filter(|statement| statement.kind == StatementKind::Insert);
        let writers: std::collections::HashSet<_> = writes.map(|statement| statement.worker).collect();
        let trade = |s: &&Statement| s.kind == StatementKind::Insert || !writers.contains(&s.worker);
        let done: std::collections::HashSet<_> =
            statements.iter().rev().filter(counts).filter(trade).map(|statement| statement.worker).collect();
        let missing = workers.saturating_sub(done.len() as u32);
        if missing == 0 || Instant::now() >= deadline {
            return Ok(missing);
        }
        match program.wait_for(LOOK, "a program getting through", |_| false) {
            Ok(_) | Err(Error::Timeout { .. }) => {}
            Err(error) => return Err(error),
        }
    }
}

fn connections(lab: &Lab, side: Side) -> Result<u32> {
    let count = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{USER}'");
    Ok(lab.server(side).sql(&count)?.parse().unwrap_or(0))
}

impl Seen {
    /// The longest statement beside what the story leaves no way around.
    pub fn stall(&self, draw: &Draw) -> Stall {
        draw.scenario.stall(&self.timeline, &self.audit)
    }

    /// What its twin's are compared with.
    pub fn figures(&self, draw: &Draw) -> Figures {
        let phantoms = judgement::phantoms(&self.witness(draw));
        let ending = Ending { phantoms, strays: self.strays, misdated: self.misdated, died: self.died.is_some() };
        Figures::of(&self.history.statements, &self.audit, self.watched, ending)
    }

    pub fn witness<'a>(&'a self, draw: &Draw) -> Witness<'a> {
        // A story's events are its steps, in their order.
        let at = |index: usize| {
            self.timeline.started_us + self.timeline.events.get(index).map_or(0, |event| event.at.as_micros() as u64)
        };
        let steps = draw.scenario.steps.iter().enumerate();
        let disruptions = steps.filter_map(|(index, step)| {
            let from_us = if index == 0 { self.timeline.started_us } else { at(index - 1) };
            step.what.loss().map(|loss| Disruption { from_us, until_us: at(index), loss })
        });
        Witness {
            kind: draw.kind,
            statements: &self.history.statements,
            audit: &self.audit,
            disruptions: disruptions.collect(),
            silent: self.silent,
            left_behind: self.left_behind,
            died: self.died.as_deref(),
            spotless: promise::is_spotless(draw.kind, &draw.habits),
            commits_reads: draw.workload == Workload::MySqlDb && !draw.autocommit,
        }
    }
}
