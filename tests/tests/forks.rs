//! Children, however they were forked and whatever their parent was doing: their state is their own, and what they have
//! inherited is left alone.

use pointsman_lab::{DnsMood, ENDPOINT, Flavor, Lab, Side};
use pointsman_tests::{
    DATABASE, PASSWORD, Shared, USER, compile,
    dialogue::{Dialogue, Driver},
    drivers, pair,
    proxy::{Awaited, Proxy},
    run::{Preload, command, run},
    single,
    stage::Stage,
    switch, wait_for,
};

static LAB: Shared = Shared::new();

fn lab() -> Option<&'static Lab> {
    LAB.get(|| single(Flavor::MariaDb))
}

/// By libc, with handlers of ours or without; the last two become another program at once.
const MANNERS: [&str; 8] = ["fork", "_fork", "clone", "thread", "double", "handler", "vfork", "spawn"];
const FORKED: usize = 6;

fn connect(handle: u32) -> String {
    format!("connect {handle} {ENDPOINT} 3306 - {USER} {PASSWORD} {DATABASE}")
}

fn insert(handle: u32, note: &str) -> String {
    format!("query {handle} INSERT INTO orders (worker, seq, note) VALUES (-1, 0, '{note}')")
}

/// Tells the program to make a child that does this. Its status and answers come later.
fn tell_child(client: &mut Dialogue, manner: &str, commands: &[String]) {
    println!("{manner}: {commands:?}");
    client.tell(&format!("child {manner} {}", commands.join("~")));
}

/// The answers of a child that ended as it should.
#[track_caller]
fn children_answers(client: &mut Dialogue, manner: &str) -> Vec<String> {
    let answer = client.answer();
    let status = if MANNERS[FORKED..].contains(&manner) { "0" } else { "7" };
    let mut parts = answer.split('|').map(str::to_owned);
    assert_eq!(parts.next().as_deref(), Some(status), "{manner}: {answer}; {}", client.stderr());
    parts.collect()
}

#[track_caller]
fn child(client: &mut Dialogue, manner: &str, commands: &[String]) -> Vec<String> {
    tell_child(client, manner, commands);
    children_answers(client, manner)
}

fn rows(lab: &Lab, side: Side, note: &str) -> String {
    lab.server(side).sql(&format!("SELECT COUNT(*) FROM shop.orders WHERE note = '{note}'")).unwrap().trim().to_owned()
}

/// Opens, loses and uses a connection of its own, and says what it has.
fn own_life() -> Vec<String> {
    let commands = ["lose 1 2", "query 1 SELECT 1", "counters", "watchers", "close 1", "close 2"].map(str::to_owned);
    [connect(1), connect(2)].into_iter().chain(commands).collect()
}

#[test]
fn a_child_made_in_any_way_is_protected_with_counters_and_a_watcher_of_its_own() {
    let Some(lab) = lab() else { return };
    for driver in drivers() {
        let mut stage = Stage::set(lab, driver);
        let id = stage.client.ask("id 0");
        for manner in MANNERS {
            let answers = child(&mut stage.client, manner, &own_life());
            let counters = answers.get(4).cloned().unwrap_or_default();
            assert_eq!(answers[..4], ["ok", "ok", "gone", "rows 1"], "{driver:?}, {manner}: {}", stage.client.stderr());
            assert!(counters.starts_with("protected_connections=2 ") && counters.contains(" moves=1 "), "{counters}");
            assert_eq!(answers[5..], ["1", "closed", "closed"], "{driver:?}, {manner}");
            stage.expect_all(&[("id 0", &id), ("query 0 DO 1", "ok 0"), ("watchers", "1")]);
        }
        let counters = stage.client.ask("counters");
        assert!(counters.starts_with("protected_connections=1 ") && counters.contains(" moves=0 "), "{counters}");
    }
}

#[test]
fn an_inherited_connection_is_as_without_us_in_the_child_and_untouched_for_the_parent() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    for driver in drivers() {
        lab.blue().set_read_only(false).unwrap();
        let mut stage = Stage::set(&lab, driver);
        let id = stage.client.ask("id 0");
        stage.expect(&insert(0, "parent"), "ok 1");
        lab.blue().set_read_only(true).unwrap();
        for manner in &MANNERS[..FORKED] {
            // Refused, and neither held nor moved.
            let answers =
                child(&mut stage.client, manner, &["id 0".into(), insert(0, "child"), "query 0 SELECT 1".into()]);
            assert_eq!((&answers[0], &answers[2]), (&id, &"rows 1".to_owned()), "{driver:?}, {manner}");
            assert!(answers[1].starts_with("error 1290 "), "{driver:?}, {manner}: {answers:?}");
        }
        lab.blue().set_read_only(false).unwrap();
        stage.expect_all(&[("id 0", &id), (&insert(0, "parent"), "ok 1")]);
        for manner in &MANNERS[..FORKED] {
            assert_eq!(child(&mut stage.client, manner, &["close 0".into()]), ["closed"], "{driver:?}, {manner}");
            stage.expect_all(&[("id 0", &id), (&insert(0, "parent"), "ok 1"), ("id 0", &id)]);
        }
    }
}

#[test]
fn a_child_that_closes_the_inherited_connection_does_not_end_it_for_its_parent_under_tls_either() {
    for driver in drivers() {
        let Some(lab) = lab() else { return };
        let mut stage = Stage::set_with(lab, driver, |command| {
            command.env("CLIENT_CA", lab.ca_path());
        });
        assert_ne!(stage.client.query("SHOW STATUS LIKE 'Ssl_version'"), "rows Ssl_version|", "{driver:?}: no TLS");
        let id = stage.client.ask("id 0");
        for manner in &MANNERS[..FORKED] {
            assert_eq!(child(&mut stage.client, manner, &["close 0".into()]), ["closed"], "{driver:?}, {manner}");
            stage.expect_all(&[(&insert(0, "parent"), "ok 1"), ("id 0", &id)]);
        }
    }
}

/// A program with a statement on handle 1 that is held, since nobody is the writer.
fn with_a_held_statement(lab: &Lab, driver: Driver) -> Stage<'_> {
    let mut stage = Stage::set(lab, driver);
    for handle in [1, 3] {
        stage.connects(handle);
    }
    stage.expect(&insert(0, "first"), "ok 1");
    lab.blue().set_read_only(true).unwrap();
    hold(&mut stage, 1);
    stage
}

/// A statement of that handle waits inside its call.
fn hold(stage: &mut Stage<'_>, handle: u32) {
    let before = waits(stage);
    stage.expect(&insert(handle, "held").replacen("query", "later", 1), "later");
    wait_for("the statement to be held", || waits(stage) > before);
}

/// Threads of the program that sleep in a lock or condition, the watcher's apart.
fn waits(stage: &Stage<'_>) -> usize {
    if !stage.client.stderr().contains("holding statements until") {
        return 0;
    }
    let tasks = std::fs::read_dir(stage.client.proc().join("task")).unwrap();
    let futex = |task: &std::fs::DirEntry| {
        std::fs::read_to_string(task.path().join("wchan")).is_ok_and(|place| place.contains("futex"))
    };
    tasks.flatten().filter(futex).count()
}

#[test]
fn a_child_forked_while_another_thread_is_held_lives_and_waits_for_the_writer_that_its_parent_knew() {
    for driver in drivers() {
        let Some(lab) = pair(Flavor::MariaDb) else { return };
        let mut stage = with_a_held_statement(&lab, driver);
        for manner in &MANNERS[..FORKED] {
            let answers = child(&mut stage.client, manner, &["watchers".into(), "query 0 SELECT 1".into()]);
            assert_eq!(answers, ["0", "rows 1"], "{driver:?}, {manner}");
        }
        // Forked in the middle of the switchover, it never saw the writer itself.
        let all = [connect(2), insert(2, "child"), "counters".into()];
        tell_child(&mut stage.client, "fork", &all);
        wait_for("the child to be held", || stage.client.stderr().matches("holding statements until").count() > 1);
        switch(&lab);
        let answers = children_answers(&mut stage.client, "fork");
        assert_eq!(answers[..2], ["ok", "ok 1"], "{driver:?}: {}", stage.client.stderr());
        assert!(answers[2].contains(" failed_open=0") && answers[2].contains(" surfaced=0 "), "{answers:?}");
        stage.expect_all(&[("await 1", "ok 1"), (&insert(0, "after"), "ok 1")]);
        assert_eq!((rows(&lab, Side::Green, "held"), rows(&lab, Side::Green, "child")), ("1".into(), "1".into()));
    }
}

/// As when two threads of a child connect at once: one of them asks whether its server is writable, and the other one's first
/// statement comes before there is an answer.
#[test]
fn a_child_whose_first_question_has_no_answer_waits_for_the_writer_that_its_parent_knew() {
    for driver in drivers() {
        let Some(lab) = pair(Flavor::MariaDb) else { return };
        let proxy = Proxy::start(&lab, ENDPOINT, lab.blue().address());
        let mut stage = Stage::set(&lab, driver);
        stage.expect(&insert(0, "first"), "ok 1");
        lab.blue().set_read_only(true).unwrap();
        proxy.keep_back_the_answer_to(Awaited::Text("@@global.read_only".into()));
        tell_child(&mut stage.client, "fork", &[connect(1), connect(2), insert(2, "child"), "counters".into()]);
        proxy.wait_until_answered();
        proxy.cut();
        wait_for("the child to be held", || stage.client.stderr().contains("holding statements until"));
        switch(&lab);
        let answers = children_answers(&mut stage.client, "fork");
        assert_eq!(answers[1..3], ["ok", "ok 1"], "{driver:?}: {answers:?}; {}", stage.client.stderr());
        assert!(answers[3].contains(" surfaced=0 "), "{answers:?}");
        assert_eq!(rows(&lab, Side::Green, "child"), "1");
    }
}

#[test]
fn a_child_forked_by_a_signal_handler_inside_a_hold_is_free_of_it_and_the_hold_goes_on() {
    for driver in drivers() {
        let Some(lab) = pair(Flavor::MariaDb) else { return };
        let mut stage = with_a_held_statement(&lab, driver);
        // The first one looks for the writer; this one waits for what it finds.
        hold(&mut stage, 3);
        let ends_at_once = stage.client.ask("interrupt 3 watchers");
        assert_eq!(ends_at_once, "7|0", "{driver:?}");
        // A handler that returns in the child as well: the statement is the parent's to send.
        let returns = stage.client.ask("interrupt 3");
        assert!(returns.starts_with("7|error 2006 "), "{driver:?}: {returns}");
        // Its own connection is protected, although the thread's parent was in the middle of a call of ours.
        stage.client.tell(&format!("interrupt 3 {}~{}~counters", connect(2), insert(2, "child")));
        wait_for("the child to be held", || stage.client.stderr().matches("holding statements until").count() > 1);
        switch(&lab);
        let child = stage.client.answer();
        assert!(
            child.starts_with("7|ok|ok 1|protected_connections=1 "),
            "{driver:?}: {child}; {}",
            stage.client.stderr()
        );
        stage.expect_all(&[("await 1", "ok 1"), ("await 3", "ok 1")]);
        assert_eq!((rows(&lab, Side::Green, "held"), rows(&lab, Side::Green, "child")), ("2".into(), "1".into()));
    }
}

#[test]
fn a_child_forked_while_the_watcher_waits_for_a_silent_dns_server_asks_by_itself() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let mut stage = Stage::set(&lab, Driver::LibMariaDb);
    let quiet = child(&mut stage.client, "spawn", &["descriptors".into()]);
    for manner in ["fork", "clone", "handler", "spawn"] {
        lab.dns().set_mood(DnsMood::Silent);
        let asked = lab.dns().queries(ENDPOINT);
        wait_for("a question without an answer", || lab.dns().queries(ENDPOINT) > asked);
        let life = ["descriptors".into(), connect(1), "query 1 SELECT 1".into(), "watchers".into(), "close 1".into()];
        tell_child(&mut stage.client, manner, &life);
        // Its own lookup is on its way too by then.
        wait_for("another question", || lab.dns().queries(ENDPOINT) > asked + 1);
        lab.dns().set_mood(DnsMood::Answering);
        let answers = children_answers(&mut stage.client, manner);
        assert_eq!(answers[1..], ["ok", "rows 1", "1", "closed"], "{manner}: {}", stage.client.stderr());
        // A child keeps the question's sockets until it ends; another program gets none of them.
        assert!(manner != "spawn" || answers[0] == quiet[0], "{answers:?}, {quiet:?}");
    }
    // The parent's watcher got over it as well.
    stage.expect_all(&[("watchers", "1"), (&insert(0, "before"), "ok 1")]);
    switch(&lab);
    stage.expect(&insert(0, "after"), "ok 1");
}

#[test]
fn a_child_forked_in_the_middle_of_the_first_call_of_a_client_library_does_not_hang() {
    const PROCESSES: usize = 100;
    let Some(lab) = lab() else { return };
    let program = compile::mariadb_program("first_calls");
    for process in 0..PROCESSES {
        let ran = run(command(lab, &program, Preload::Preloaded));
        assert_eq!(ran.status, 0, "children that hang, in process {process}: {ran:?}");
    }
}

#[test]
fn a_process_that_forks_without_us_answers_the_same() {
    let Some(lab) = lab() else { return };
    let mut client = Dialogue::start(lab, Preload::Bare);
    assert_eq!(client.connect(0, ENDPOINT), "ok");
    for manner in MANNERS {
        let answers = child(&mut client, manner, &own_life());
        assert!(answers[3].starts_with("error 20"), "only we repair that: {answers:?}");
        assert_eq!((&answers[4][..], &answers[5][..]), ("none", "0"));
    }
}
