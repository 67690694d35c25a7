//! One program through one switchover, on servers of its own.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use pointsman_lab::{
    Audit, Error, Event, History, Lab, Result, RunningWorkload, Stats, Timeline, WorkloadOptions, interrupt,
    monotonic_us,
};

use super::plan::Plan;
use super::progress::Teller;

/// The picture begins this long before the scenario.
pub const BEFORE: Duration = Duration::from_secs(1);
/// How long a bare program is watched afterwards: it will only fail. Nor does the other ride end sooner.
const AFTER: Duration = Duration::from_secs(3);
/// A program that is held, or that ran into the library's circuit breaker, has this long to write again.
const RECOVERY: Duration = Duration::from_secs(45);
const WARM_UP: Duration = Duration::from_secs(30);
/// Writes of each worker that show that it works.
const ENOUGH: u64 = 10;
const LOOK: Duration = Duration::from_millis(200);

/// What a ride has seen.
pub struct Ride {
    pub history: History,
    pub audit: Audit,
    pub timeline: Timeline,
    /// What the program, and the library in it, said.
    pub stderr: String,
}

/// A running program, looked at until something is true of it.
struct Watch<'a> {
    program: RunningWorkload,
    events: Receiver<Event>,
    teller: Teller<'a>,
}

impl Ride {
    /// Starts two servers and takes the program through the switchover.
    pub fn take(plan: &Plan, preload: Option<&Path>, teller: Teller<'_>) -> Result<Self> {
        teller.phase(&format!("starting two {} servers", plan.server));
        let ride = Lab::builder().both(plan.server).start().and_then(|lab| Self::on(&lab, plan, preload, teller));
        // What fails because Ctrl-C ended the servers is no error to report.
        interrupt::end_if_it_came();
        ride
    }

    /// Starts the program, lets it happen, and compares what the program was told with what the writer has.
    fn on(lab: &Lab, plan: &Plan, preload: Option<&Path>, teller: Teller<'_>) -> Result<Self> {
        // Should this command itself have been preloaded with something, the bare program must not be.
        let mut options = WorkloadOptions::default().threads(plan.threads).env("LD_PRELOAD", "");
        options.tls = plan.tls();
        options.preload = preload.map(Path::to_owned);
        let (tell, events) = channel();
        let mut watch = Watch { program: plan.workload.start(lab, options)?, events, teller };

        let writes = ENOUGH * u64::from(plan.threads);
        let started = Instant::now();
        watch.until("the program starts", |stats| stats.acknowledged >= writes || started.elapsed() > WARM_UP)?;
        watch.program.wait_for(Duration::ZERO, "the first writes", |stats| stats.acknowledged >= writes)?;
        let warm = Instant::now();
        watch.until("before the switchover", |_| warm.elapsed() > BEFORE)?;

        let scenario = plan.scenario().start(lab, move |event| drop(tell.send(event.clone())));
        watch.until("switchover", |_| scenario.is_finished())?;
        let timeline = scenario.join()?;

        let (over, seen) = (Instant::now(), watch.program.stats().acknowledged);
        let patience = if preload.is_some() { RECOVERY } else { AFTER };
        watch.until("after the switchover", |stats| {
            let enough = stats.acknowledged >= seen + writes;
            over.elapsed() > patience || (enough && over.elapsed() > AFTER)
        })?;

        watch.teller.phase("comparing");
        let stderr = watch.program.stderr_path().to_owned();
        let history = watch.program.stop()?;
        let audit = history.check(lab.server(plan.writer()))?;
        let stderr = std::fs::read_to_string(stderr).unwrap_or_default();
        watch.teller.done(&audit);
        Ok(Self { history, audit, timeline, stderr })
    }
}

impl Watch<'_> {
    /// Tells what happens until `condition` holds; fails when the program ends by itself.
    fn until(&mut self, phase: &str, condition: impl Fn(&Stats) -> bool) -> Result<()> {
        self.teller.phase(phase);
        loop {
            for event in self.events.try_iter() {
                self.teller.event(&event);
            }
            let stats = self.program.stats();
            if condition(&stats) {
                return Ok(());
            }
            if self.teller.wants_figures() {
                self.teller.figures(&stats, without_a_write(&self.program));
            }
            match self.program.wait_for(LOOK, phase, |_| false) {
                Ok(_) | Err(Error::Timeout { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// For how long the worker that waits longest has not written.
fn without_a_write(program: &RunningWorkload) -> Duration {
    let statements = program.statements();
    let mut last = std::collections::HashMap::new();
    for statement in &statements {
        let latest = last.entry(statement.worker).or_insert(statement.start_us);
        if statement.is_acknowledged_write() {
            *latest = statement.end_us;
        }
    }
    let now = monotonic_us();
    Duration::from_micros(last.values().map(|latest| now.saturating_sub(*latest)).max().unwrap_or(0))
}
