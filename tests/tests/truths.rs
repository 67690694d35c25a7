//! The library's tracker of the protocol beside real servers, under statements that dice draw: when the client library
//! has returned, the tracker says "idle", knows whether a transaction is open, and saw results end as they did.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use pointsman_lab::{DATABASE, Dice, Flavor, Lab, PASSWORD, USER};
use pointsman_tests::{compile, recorder::Recorder, scale, single};

/// A client program that answers each line with one.
struct Client {
    child: Child,
    input: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Client {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it can be started");
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        Self { child, input, answers: BufReader::new(output).lines() }
    }

    /// The status flags that the client library has, and how results ended.
    fn ask(&mut self, line: &str) -> (u16, String) {
        writeln!(self.input, "{line}").expect("it listens");
        let answer = self.answers.next().unwrap_or_else(|| panic!("no answer to {line}")).expect("a line");
        let (status, ends) = answer.split_once(' ').expect("two words");
        (status.parse().expect("a number"), ends.to_owned())
    }
}

/// Where a cursor is asked for and none is opened (SHOW, EXPLAIN), libmariadb takes a row for the end of rows.
const CURSORS: [&str; 4] = [
    "SELECT * FROM truths",
    "SELECT id FROM truths WHERE id > 99",
    "SELECT v FROM truths WHERE id < 8 ORDER BY id",
    "SELECT nonsense",
];

fn statement(dice: &mut Dice) -> String {
    let id = dice.number(1..=20);
    let list = [
        "BEGIN".to_owned(),
        "START TRANSACTION READ ONLY".to_owned(),
        "START TRANSACTION WITH CONSISTENT SNAPSHOT".to_owned(),
        "COMMIT".to_owned(),
        "COMMIT AND CHAIN".to_owned(),
        "ROLLBACK".to_owned(),
        "SAVEPOINT s".to_owned(),
        "ROLLBACK TO s".to_owned(),
        "SET autocommit = 0".to_owned(),
        "SET autocommit = 1".to_owned(),
        format!("INSERT INTO truths VALUES ({id}, 'x')"),
        format!("INSERT IGNORE INTO truths VALUES ({id}, REPEAT('x', 300))"),
        format!("UPDATE truths SET v = 'y' WHERE id < {id}"),
        format!("DELETE FROM truths WHERE id = {id}"),
        format!("REPLACE INTO truths VALUES ({id}, 'z'), ({id} + 1, NULL)"),
        format!("SELECT * FROM truths WHERE id < {id}"),
        format!("SELECT * FROM truths WHERE id = {id} FOR UPDATE"),
        "SELECT id, (SELECT 1 FROM truths AS other WHERE truths.id > 5) FROM truths".to_owned(),
        "SELECT SLEEP(0), @@autocommit, NULL, ''".to_owned(),
        "SELECT REPEAT('x', 70000), REPEAT('y', 300)".to_owned(),
        "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 700) SELECT n, 'text' FROM r"
            .to_owned(),
        "SELECT 1 INTO @one".to_owned(),
        "SELECT nonsense".to_owned(),
        "nonsense".to_owned(),
        "DO 0".to_owned(),
        "CREATE OR REPLACE VIEW truths_seen AS SELECT * FROM truths".to_owned(),
        "CREATE TEMPORARY TABLE IF NOT EXISTS own (id INT)".to_owned(),
        "DROP TEMPORARY TABLE IF EXISTS own".to_owned(),
        "ALTER TABLE truths COMMENT = 'altered'".to_owned(),
        "TRUNCATE TABLE truths".to_owned(),
        "ANALYZE TABLE truths".to_owned(),
        "CHECK TABLE truths".to_owned(),
        "LOCK TABLES truths WRITE".to_owned(),
        "UNLOCK TABLES".to_owned(),
        "SHOW WARNINGS".to_owned(),
        "SHOW TABLES".to_owned(),
        "EXPLAIN SELECT * FROM truths".to_owned(),
        "USE shop".to_owned(),
        "KILL QUERY CONNECTION_ID()".to_owned(),
        "CALL two_results()".to_owned(),
        "CALL failing()".to_owned(),
        format!("CALL opening({id})"),
        "HANDLER truths OPEN".to_owned(),
        "HANDLER truths READ FIRST".to_owned(),
        "HANDLER truths CLOSE".to_owned(),
        "SET @text = 'SELECT 1, 2'; PREPARE p FROM @text; EXECUTE p; DEALLOCATE PREPARE p".to_owned(),
        "XA START 'x'".to_owned(),
        "XA END 'x'".to_owned(),
        "XA ROLLBACK 'x'".to_owned(),
        "LOAD DATA LOCAL INFILE '/dev/null' INTO TABLE truths".to_owned(),
    ];
    list[dice.number(0..=list.len() as u64 - 1) as usize].clone()
}

fn line(dice: &mut Dice) -> String {
    match dice.number(0..=29) {
        0..=13 => format!("q {}", statement(dice)),
        14..=18 => {
            let count = dice.number(2..=4);
            let all: Vec<_> = (0..count).map(|_| statement(dice)).collect();
            format!("q {}", all.join("; "))
        }
        19..=23 => format!("p {}", statement(dice)),
        24..=25 => format!("c {}", dice.pick(&CURSORS)),
        26 => dice.pick(&["P ", "S ", "D shop", "D nowhere"]).to_owned(),
        27 => dice.pick(&["R ", "U "]).to_owned(),
        28 => "q COMMIT".to_owned(),
        _ => "q ROLLBACK".to_owned(),
    }
}

/// A cursor's rows come in several replies, of which the application sees none.
fn without_repeats(ends: &str) -> String {
    let mut short = ends.to_owned();
    while short.contains("RR") {
        short = short.replace("RR", "R");
    }
    short
}

fn compare(lab: &Lab, command: Command, recorder: &Recorder, dice: &mut Dice, lines: u64) {
    let flavor = lab.blue().flavor();
    let mut client = Client::start(command);
    let mut transactions = 0;
    for number in 0..lines {
        let line = line(dice);
        if number > 0 {
            recorder.conversations()[0].look().ends.clear();
        }
        let (status, ends) = client.ask(&line);
        let watched = recorder.conversations().swap_remove(0);
        let now = watched.look();
        let told = format!(
            "line {number}: {line}: the client says {status:#x} {ends}, the tracker {:#x} {}",
            now.tracker.status().0,
            now.ends
        );
        assert_eq!(now.counts.asides, 0, "{told}: {:?}", now.last);
        assert!(now.tracker.is_idle(), "not idle: {told}");
        let (client_saw, tracker_saw) = if line.starts_with('c') {
            (without_repeats(&ends), without_repeats(&now.ends))
        } else {
            (ends.clone(), now.ends.clone())
        };
        assert_eq!(client_saw, tracker_saw, "{told}");
        // libmariadb does not look at the flags in the replies to other commands, as COM_RESET_CONNECTION.
        let in_transaction = now.tracker.status().in_transaction();
        if !ends.contains('E') && line.starts_with(['q', 'p', 'c']) {
            assert_eq!(in_transaction, status & 1 != 0, "in transaction: {told}");
            assert_eq!(now.tracker.status().autocommit(), status & 2 != 0, "autocommit: {told}");
        }
        transactions += u64::from(in_transaction);
        drop(now);
        if flavor == Flavor::MariaDb && dice.number(0..=3) == 0 {
            // The server's own word, unless it refuses to answer (XA).
            let (_, open) = client.ask("v SELECT @@in_transaction");
            let status = recorder.conversations()[0].look().tracker.status();
            assert!(open == "E" || status.in_transaction() == (open == "1"), "@@in_transaction = {open}: {told}");
        }
    }
    println!("{lines} lines, {transactions} of them left a transaction open");
    assert!(lines < 100 || transactions > lines / 20, "hardly any transaction");
    drop(client.input);
    client.child.wait().expect("it ends");
    assert!(recorder.conversations()[0].ended().tracker.is_over());
}

fn prepare(lab: &Lab) {
    let server = lab.blue();
    server.sql("CREATE TABLE shop.truths (id INT PRIMARY KEY, v VARCHAR(300))").expect("a table");
    server.sql("SET GLOBAL local_infile = 1").expect("LOAD DATA LOCAL");
    for procedure in [
        "CREATE PROCEDURE two_results() BEGIN SELECT 1 AS a; SELECT 'x' AS b, NULL AS c; END",
        "CREATE PROCEDURE failing() BEGIN SELECT 1; SIGNAL SQLSTATE '45000'; END",
        "CREATE PROCEDURE opening(IN n INT) BEGIN START TRANSACTION; REPLACE INTO truths VALUES (n, 'p'); SELECT n; END",
    ] {
        server.sql_whole(DATABASE, procedure).expect("a procedure");
    }
}

fn agree_on(flavor: Flavor) {
    let Some(lab) = single(flavor) else { return };
    prepare(&lab);
    let mut dice = Dice::new(scale::seed("TRUTHS_SEED"));
    let lines = scale::amount("TRUTHS", 400);
    talkers(&lab, "asked", |command, recorder| compare(&lab, command, recorder, &mut dice, lines));
}

/// Both client libraries that this machine has, run on such a topic.
fn talkers(lab: &Lab, topic: &str, mut with: impl FnMut(Command, &Recorder)) {
    for in_sid in [false, true] {
        let program = if in_sid { compile::mysql_program("talker") } else { Some(compile::mariadb_program("talker")) };
        let Some(program) = program else { continue };
        let recorder = Recorder::follow(lab.blue().address());
        let command = if in_sid { lab.sid_command(&program, &[]) } else { lab.command(&program) };
        let mut command = command.expect("a sandbox");
        let (host, port) = (recorder.address().ip().to_string(), recorder.address().port().to_string());
        command.args([&host, &port, USER, PASSWORD, topic]).arg(lab.directory());
        println!("{} on {}", if in_sid { "libmysqlclient" } else { "libmariadb" }, lab.blue().flavor());
        with(command, &recorder);
    }
}

#[test]
fn packets_of_16_mib_and_more_are_followed_both_ways() {
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let Some(lab) = single(flavor) else { return };
        lab.blue().sql("SET GLOBAL max_allowed_packet = 1 << 26").expect("long packets");
        talkers(&lab, "big", |mut command, recorder| {
            assert!(command.status().expect("it can be run").success());
            let watched = recorder.conversations().swap_remove(0);
            let now = watched.ended();
            assert_eq!((now.counts.commands, now.counts.refusals, now.last.as_deref()), (12, 0, None));
            assert!(now.tracker.is_over());
            assert_eq!(now.ends, "ROR".repeat(6));
        });
    }
}

#[test]
fn tracker_and_mariadb_agree_on_what_is_open_and_what_is_over() {
    agree_on(Flavor::MariaDb);
}

#[test]
fn tracker_and_mysql_agree_on_what_is_open_and_what_is_over() {
    agree_on(Flavor::MySql);
}
