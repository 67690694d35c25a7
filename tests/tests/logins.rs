//! Logins at a server that has just become the writer: a thousand of them, a few at a time, and one that hangs.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use pointsman_lab::{EventKind, Flavor, History, Scenario, Timeline, Workload, WorkloadOptions};
use pointsman_tests::{crowded_pair, library, pair, puppet::Puppet, relay::Relay, switch, wait_for};

const CROWD: u32 = 1000;
/// Logins under way at a server that has just become the writer.
const AT_ONCE: usize = 32;
const OUTAGE: Duration = Duration::from_millis(1000);
const DNS_LAG: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(60);

fn everybody_comes_back(flavor: Flavor, workload: Workload) {
    let Some(lab) = crowded_pair(flavor, CROWD + 100) else { return };
    let relay = Relay::in_front_of_green(&lab);
    let mut options = WorkloadOptions::default().threads(CROWD).preload(library());
    options.pause = Duration::from_secs(1);
    let began = Instant::now();
    let running = workload.start(&lab, options).unwrap();
    running.wait_for_every_worker(PATIENCE, CROWD).unwrap();
    println!("{CROWD} connections to blue were opened and had written after {:?}", began.elapsed());

    let scenario = Scenario::blue_green(OUTAGE, DNS_LAG);
    let timeline = scenario.run(&lab, &mut |_| {}).unwrap();
    let back = running.wait_for_every_worker(PATIENCE, CROWD);
    println!("{timeline}\nstderr of the program:\n{}", running.stderr());
    println!("on green: {}", relay.logins());
    back.unwrap();
    let history = running.stop().unwrap();
    let audit = history.check(lab.green()).unwrap();
    println!("{audit}\n{}", scenario.stall(&timeline, &audit));
    println!("{}", told_of_the_last(&history, &timeline));
    assert!(audit.is_spotless(), "{audit}");
    assert!(relay.logins().most_at_once <= AT_ONCE, "{}", relay.logins());
}

/// How long after green took writes, and after DNS named it, the last worker had its first write there.
fn told_of_the_last(history: &History, timeline: &Timeline) -> String {
    let moment = |at: Duration| timeline.started_us + at.as_micros() as u64;
    let writable = moment(timeline.first(EventKind::WriterBack).expect("green becomes writable"));
    let named = moment(timeline.first(EventKind::Dns).expect("DNS moves"));
    let mut first = HashMap::new();
    for write in history.statements.iter().filter(|write| write.is_acknowledged_write() && write.end_us > writable) {
        first.entry(write.worker).or_insert(write);
    }
    let last = |held: bool| {
        let writes = first.values().filter(|write| !held || write.start_us < named);
        writes.clone().map(|write| write.end_us).max().map(|end| (writes.count(), end))
    };
    let [(waiting, of_those), (all, of_all)] = [true, false].map(|held| last(held).unwrap_or((0, writable)));
    let since = |end: u64, from: u64| Duration::from_micros(end.saturating_sub(from));
    format!(
        "the last of the {waiting} that were waiting was back {:?} after green took writes, {:?} after DNS named it; \
         the last of all {all}, each at its own pace of a second, {:?} and {:?}",
        since(of_those, writable),
        since(of_those, named),
        since(of_all, writable),
        since(of_all, named)
    )
}

#[test]
fn a_thousand_connections_come_back_and_never_more_than_32_log_in_at_once_on_mariadb() {
    everybody_comes_back(Flavor::MariaDb, Workload::LibMariaDb);
}

/// In plaintext, so that the relay sees the ends of logins; then the account's authentication needs libmysqlclient.
#[test]
fn a_thousand_connections_come_back_and_never_more_than_32_log_in_at_once_on_mysql() {
    everybody_comes_back(Flavor::MySql, Workload::LibMySqlClient);
}

#[test]
fn a_login_that_is_never_answered_is_given_up_and_the_statement_runs_all_the_same() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let relay = Relay::in_front_of_green(&lab);
    let mut program = Puppet::start(&lab, &[]);
    program.connect("first");
    program.connect("second");
    switch(&lab);
    assert_eq!(program.query("first", "INSERT INTO orders (worker, seq) VALUES (0, 1)"), "ok (1, 1)");

    relay.ignore_logins(true);
    program.begin("second", "query", "INSERT INTO orders (worker, seq) VALUES (0, 2)");
    wait_for("a login that is ignored", || relay.ignored() > 0);
    relay.ignore_logins(false);
    let answer = program.answer("second");
    assert_eq!(answer, "ok (1, 2)", "{}", program.stderr());
}
