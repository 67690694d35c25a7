//! Descriptors that are copied, passed on, closed behind our back, taken again for something else, very high, or used up.

use std::{
    io::{BufRead, BufReader},
    ops::RangeInclusive,
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
};

use pointsman_lab::{ENDPOINT, Flavor, Lab, Side};
use pointsman_tests::{
    DATABASE, PASSWORD, USER,
    compile::{self, Kind},
    dialogue::{Dialogue, Driver},
    drivers, library, pair,
    run::{self, Preload},
    scale::seed,
    single,
    stage::Stage,
    switch, wait_for,
};

/// A handle that waits for an answer, one that rests meanwhile, and one whose descriptor is closed unseen.
const WAITING: u32 = 0;
const RESTING: u32 = 1;
const LOST: u32 = 2;

/// Blue gives no answer any more, while DNS leads to green: so many descriptors are cut off, by the watcher and by the
/// thread that found green.
fn blue_is_given_up(lab: &Lab, client: &mut Dialogue, descriptors: RangeInclusive<u32>) {
    client.tell(&format!("query {WAITING} SELECT SLEEP(0.7)"));
    let asked = "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep'";
    wait_for("the statement to arrive", || lab.blue().sql(asked).unwrap() == "1");
    lab.blue().freeze();
    lab.green().set_read_only(false).unwrap();
    lab.dns().set(ENDPOINT, &[lab.green().ip()], 1).unwrap();
    wait_for("the end of blue's connections", || cut_off(client) >= *descriptors.start());
    assert_eq!(client.answer(), "rows 0", "{}", client.stderr());
    assert!(descriptors.contains(&cut_off(client)), "{}", client.stderr());
    lab.blue().thaw();
}

fn cut_off(client: &Dialogue) -> u32 {
    let log = client.log();
    let lines = log.iter().filter_map(|line| line.split_once(" connections to it are given up"));
    lines.map(|(before, _)| before.rsplit(' ').next().unwrap().parse::<u32>().unwrap()).sum()
}

#[test]
fn what_leads_to_a_server_is_known_through_every_copy_and_every_close_and_every_mistake() {
    for driver in drivers() {
        let Some(lab) = pair(Flavor::MariaDb) else { return };
        let mut stage = Stage::set(&lab, driver);
        stage.connects(RESTING);
        stage.connects(LOST);
        let client = &mut stage.client;
        let (resting, lost) = (client.ask(&format!("fd {RESTING}")), client.ask(&format!("fd {LOST}")));
        let mut copies = vec![];
        for (how, to) in [("dup", "-"), ("dup2", "50"), ("dup3", "51"), ("fcntl", "52"), ("cloexec", "5000")] {
            copies.push(client.ask(&format!("duplicate {resting} {how} {to}")));
        }
        assert_eq!(copies[1..], ["50", "51", "52", "5000"]);
        for (mistake, errno) in [("dup2", "EBADF"), ("dup3", "EINVAL"), ("range", "EINVAL")] {
            assert_eq!(client.ask(&format!("mistake {resting} {mistake}")), errno);
        }
        // A copy of a copy, each closed in another way.
        for (to, how) in [("60", "close"), ("61", "range"), ("62", "over"), ("6000", "from")] {
            assert_eq!(client.ask(&format!("duplicate 50 dup2 {to}")), to);
            assert_eq!(client.ask(&format!("release {to} {how}")), "released");
        }
        // Closed unseen, and found closed by the watcher.
        assert_eq!(client.ask("duplicate 51 dup2 63"), "63");
        assert_eq!(client.ask("release 63 raw"), "released");
        // A tag of an unseen close is overwritten by the copy of something else.
        assert_eq!(client.ask(&format!("duplicate {lost} dup2 70")), "70");
        assert_eq!(client.ask("release 70 raw"), "released");
        assert_eq!(client.ask("duplicate 0 fcntl 70"), "70");
        assert_eq!(client.ask(&format!("release {lost} raw")), "released");
        assert_ne!(client.ask(&format!("pass {resting}")), "-1");
        // Two, and five copies. What was passed has the number of the lost one, whose tag the watcher may have swept or not.
        blue_is_given_up(&lab, client, 7..=8);
        for handle in [WAITING, RESTING] {
            stage.is_on(&format!("query {handle}"), Side::Green);
        }
    }
}

#[test]
fn whatever_took_the_number_of_a_connection_is_left_alone_when_its_server_is_given_up() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let mut client = Dialogue::start(&lab, Preload::Preloaded);
    let kinds = ["tcp", "listener", "unix", "pipe", "file"];
    for handle in 0..=kinds.len() as u32 {
        assert_eq!(client.connect(handle, ENDPOINT), "ok");
    }
    let numbers: Vec<_> = (1..=kinds.len()).map(|handle| client.ask(&format!("fd {handle}"))).collect();
    for (fd, kind) in numbers.iter().zip(kinds) {
        assert_eq!(client.ask(&format!("replace {fd} {kind}")), "replaced");
    }
    blue_is_given_up(&lab, &mut client, 1..=1);
    assert_eq!(client.ask("untouched"), "untouched", "{}", client.stderr());
}

/// As high as this machine gives them.
#[test]
fn a_connection_with_a_very_high_descriptor_is_protected_and_costs_no_more_memory() {
    let Some(lab) = single(Flavor::MariaDb) else { return };
    let high_sockets = compile::plain("high_sockets", Kind::SharedLibrary);
    let start = |wanted: Option<u32>| {
        let mut client = Dialogue::with(&lab, Driver::LibMariaDb, Preload::Preloaded, |command| {
            command.env("LD_PRELOAD", format!("{}:{}", library().display(), high_sockets.display()));
            command.env("HIGH_SOCKETS", wanted.unwrap_or(3).to_string());
        });
        let limit = [1 << 20, hard_limit()]
            .into_iter()
            .find(|limit| set_limit(&client.proc(), &format!("{limit}:{limit}")))
            .unwrap();
        if wanted.is_none_or(|wanted| wanted < limit) {
            assert_eq!(client.connect(0, ENDPOINT), "ok");
        }
        (client, limit)
    };
    let (mut low, limit) = start(None);
    let highest = limit - 100;
    if highest < 1_000_000 {
        println!("skipped in part: this machine gives no descriptors above {limit}; tried at {highest}");
    }
    let (mut high, _) = start(Some(highest));
    assert!(high.ask("fd 0").parse::<u32>().unwrap() >= highest);
    high.assert_protected(&lab);
    low.assert_protected(&lab);
    let fd: u32 = high.ask("fd 0").parse().unwrap();
    assert!(fd >= highest, "{fd}: it was not replaced on its high number");
    let [low, high] = [low, high].map(|mut client| client.ask("memory").parse::<i64>().unwrap());
    assert!(high < low + 256, "{high} KiB with high descriptors, {low} KiB with low ones");
}

fn hard_limit() -> u32 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(4).unwrap().parse().unwrap()
}

/// Lets a running process have so many descriptors (soft and hard, prlimit(1)). False: it is not allowed to.
fn set_limit(proc: &Path, limits: &str) -> bool {
    let pid = proc.file_name().unwrap();
    let mut prlimit = Command::new("prlimit");
    prlimit.arg("--pid").arg(pid).arg(format!("--nofile={limits}"));
    prlimit.output().expect("prlimit of util-linux can be run").status.success()
}

/// No descriptor is left for anybody in the client, the watcher included, which says so.
fn use_up(client: &mut Dialogue) {
    assert!(set_limit(&client.proc(), "200:"));
    wait_until("the watcher to find none", client, |client| {
        client.ask("use_up");
        client.log().iter().any(|line| line.contains("the watcher cannot work"))
    });
    client.ask("use_up");
}

/// Waits for something that is asked of the client.
fn wait_until(what: &str, client: &mut Dialogue, condition: impl Fn(&mut Dialogue) -> bool) {
    let client = Mutex::new(client);
    wait_for(what, || condition(&mut client.lock().unwrap()));
}

/// The client's own; for moments there are also those that the watcher asks with.
fn fewest_files(client: &mut Dialogue) -> String {
    let counted = (0..20).map(|_| client.ask("open_files"));
    counted.min_by_key(|files| files.parse::<u32>().unwrap()).unwrap()
}

#[test]
fn a_process_without_a_free_descriptor_gets_its_errors_and_loses_nothing_else() {
    for driver in drivers() {
        let Some(lab) = pair(Flavor::MariaDb) else { return };
        let mut stage = Stage::set_with(&lab, driver, |command| {
            command.env("POINTSMAN_LOG_LEVEL", "warn");
        });
        stage.connects(RESTING);
        let files = fewest_files(&mut stage.client);
        use_up(&mut stage.client);
        stage.loses(0);
        stage.fails("query 0 SELECT 1", &[2006, 2013]);
        // The others are not held for it, and go on where they are.
        stage.is_on("query 1", Side::Blue);
        stage.fails(&format!("connect 2 {ENDPOINT} 3306 - u p d"), &[2002, 2003, 2004, 2005]);
        stage.is_on("query 1", Side::Blue);
        let log = stage.client.log();
        assert!(!log.iter().any(|line| line.contains("holding") || line.contains("silent")), "{driver:?}: {log:#?}");
        assert_eq!(log.iter().filter(|line| line.contains("no means for another connection")).count(), 1, "{log:#?}");
        assert_ne!(stage.client.ask("give_back"), "0");
        stage.is_on("query 0", Side::Blue);
        // A move that lacks one goes on as soon as there is one.
        use_up(&mut stage.client);
        switch(&lab);
        stage.client.tell("query 0 INSERT INTO orders (worker, seq) VALUES (-9, 1)");
        wait_for("the hold", || stage.client.log().iter().any(|line| line.contains("holding")));
        assert!(set_limit(&stage.client.proc(), "210:"));
        assert_eq!(stage.client.answer(), "ok 1", "{driver:?}: {}", stage.client.stderr());
        stage.is_on("query 1", Side::Green);
        assert_ne!(stage.client.ask("give_back"), "0");
        wait_until("what was opened meanwhile to be closed", &mut stage.client, |client| {
            client.ask("open_files") == files
        });
    }
}

#[test]
fn threads_that_open_and_close_other_things_on_the_same_numbers_are_not_harmed_by_switchovers() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let seed = seed("REUSE_SEED");
    let mut command = run::command(&lab, compile::mariadb_program("reuse"), Preload::Preloaded);
    command.arg((seed as u32 >> 1).to_string()).args([ENDPOINT, "3306", USER, PASSWORD, DATABASE]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let program = pointsman_lab::spawn(command).unwrap();
    let (orders, answers) = (program.take_stdin().unwrap(), program.take_stdout().unwrap());
    let mut answers = BufReader::new(answers).lines();
    assert_eq!(answers.next().unwrap().unwrap(), "begun");
    let rows = |side: Side| lab.server(side).sql("SELECT COUNT(*) FROM shop.orders WHERE worker = -6").unwrap();
    let some = |side: Side| {
        let before = rows(side);
        wait_for("statements on that server", || rows(side) != before);
    };
    some(Side::Blue);
    lab.blue().drop_connections(USER).unwrap();
    some(Side::Blue);
    switch(&lab);
    some(Side::Green);
    // Blue is silent for whoever is still connected to it.
    lab.blue().freeze();
    lab.green().drop_connections(USER).unwrap();
    some(Side::Green);
    lab.blue().thaw();
    drop(orders);
    let said: Vec<_> = answers.map(Result::unwrap).collect();
    let summary = said.last().unwrap();
    println!("{summary}");
    assert!(said.len() == 1 && summary.ends_with(" 0 harmed"), "{said:#?}");
    assert!(!summary.starts_with("0 statements") && summary.contains(" 0 refused, "), "{summary}");
}
