//! What a process that only reads sees after a switchover: nothing tells it by an error that its server is not the writer
//! any more, and that server goes on answering, with what it had.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use pointsman_lab::{Kept, Lab, Scenario};
use pointsman_tests::{
    on_both,
    run::{Preload, mysqldb_program},
    wait_for,
};

const OUTAGE: Duration = Duration::from_millis(700);
const DNS_LAG: Duration = Duration::from_millis(500);
/// A promise, and no measure of speed: no read misses a write that is older than one TTL, which is a second here. The
/// watcher looks once per TTL, a tenth more with its jitter. The other second is for a machine so busy that the watcher's
/// thread, or the reader between its look at the clock and its statement, does not get to run.
const OLDEST: Duration = Duration::from_millis(1000 + 100 + 1000);

on_both! { set_up; a_process_that_only_reads_never_sees_what_is_older_than_a_ttl }

fn set_up(lab: &Lab) {
    lab.blue().sql("CREATE TABLE shop.counter (value BIGINT); INSERT INTO shop.counter VALUES (0)").unwrap();
}

/// A process that writes or reads a counter, and its statements so far.
struct Counter {
    lines: Arc<Mutex<Vec<String>>>,
    _process: Kept,
}

#[derive(Clone, Copy)]
struct Statement {
    start_us: u64,
    end_us: u64,
    value: u64,
}

impl Counter {
    fn start(lab: &Lab, role: &str, preload: Preload) -> Self {
        let mut command = mysqldb_program(lab, "python/counter.py", preload);
        command.arg(role).stdout(Stdio::piped());
        let process = pointsman_lab::spawn(command).unwrap();
        let output = BufReader::new(process.take_stdout().unwrap());
        let lines = Arc::new(Mutex::new(vec![]));
        let seen = Arc::clone(&lines);
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Self { lines, _process: process }
    }

    fn statements(&self) -> Vec<Statement> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers = |line: &String| {
            let mut numbers = line.split(' ').map(|number| number.parse().unwrap_or_else(|_| panic!("{line}")));
            let mut next = || numbers.next().expect("three numbers");
            Statement { start_us: next(), end_us: next(), value: next() }
        };
        lines.iter().map(numbers).collect()
    }
}

/// For how long the oldest write that a read does not show had been acknowledged when the read began; the worst read.
fn oldest_missed(writes: &[Statement], reads: &[Statement]) -> Duration {
    let age = |read: &Statement| {
        // Values only grow: the first write beyond the read one is the oldest of those that are missed.
        let missed = writes.get(writes.partition_point(|write| write.value <= read.value))?;
        read.start_us.checked_sub(missed.end_us)
    };
    Duration::from_micros(reads.iter().filter_map(age).max().unwrap_or(0))
}

mod proofs {
    use super::*;

    pub fn a_process_that_only_reads_never_sees_what_is_older_than_a_ttl(lab: &Lab) {
        let writer = Counter::start(lab, "write", Preload::Preloaded);
        let [reader, bare] = [Preload::Preloaded, Preload::Bare].map(|preload| Counter::start(lab, "read", preload));
        let all = [&writer, &reader, &bare];
        wait_for("everybody to be at work", || all.iter().all(|counter| counter.statements().len() > 20));
        let timeline = Scenario::read_only(OUTAGE, DNS_LAG).run(lab, &mut |_| {}).unwrap();
        let over = pointsman_lab::monotonic_us();
        wait_for("a write to the new writer", || writer.statements().last().unwrap().start_us > over);
        // As long again as a read may be late, so that the late ones are among the reads.
        let long_after = writer.statements().last().unwrap().end_us + 2 * OLDEST.as_micros() as u64;
        wait_for("reads long after it", || {
            all.iter().all(|counter| counter.statements().last().unwrap().start_us > long_after)
        });

        let writes = writer.statements();
        let [missed, missed_bare] = [&reader, &bare].map(|reads| oldest_missed(&writes, &reads.statements()));
        println!("{timeline}\nthe oldest write that was not seen: {missed:?} old; without the library {missed_bare:?}");
        assert!(missed_bare > OLDEST, "without the library, the old server is read for ever: {missed_bare:?}");
        assert!(missed <= OLDEST, "{missed:?}");
    }
}
