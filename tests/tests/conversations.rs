//! What real drivers and real servers say to each other, followed by the library's tracker: it understands every word,
//! or says that it does not. `RECORD=1` writes the conversations to `recordings/`, where the library's own tests read
//! them.
//!
//! Drivers that `make setup` does not install are looked for in `.roots/talkers`, or where `TALKERS` says: `python/`, an
//! environment with PyMySQL and cryptography; `node_modules/` with mysql2 and mariadb; `jars/` with the connectors.

use std::{
    env, fs,
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use pointsman_lab::{DATABASE, Flavor, Lab, PASSWORD, USER};
use pointsman_tests::{
    compile,
    recorder::{Conversation, Recorder},
    single, source,
};

/// Asked of the command line clients, which go on behind errors.
const SCRIPT: &str = "SELECT 1; nonsense; CALL two_results(); USE shop; START TRANSACTION; \
                      INSERT INTO orders (worker, seq) VALUES (7, 7); ROLLBACK; SHOW WARNINGS; SELECT * FROM orders;\n";

/// How a driver is run against an address.
type Run = dyn Fn(&Lab, SocketAddr) -> Command;

struct Speaker {
    name: String,
    command: Box<Run>,
    input: &'static str,
}

fn speaker(name: impl Into<String>, command: impl Fn(&Lab, SocketAddr) -> Command + 'static) -> Speaker {
    Speaker { name: name.into(), command: Box::new(command), input: "" }
}

/// Host and port, user and password.
fn whereto(command: &mut Command, address: SocketAddr) -> &mut Command {
    command.arg(address.ip().to_string()).arg(address.port().to_string()).args([USER, PASSWORD])
}

fn libraries() -> Vec<Speaker> {
    let mut speakers = Vec::new();
    let mysql = compile::mysql_program("talker");
    for topic in ["queries", "statements", "upload", "users", "extras", "progress"] {
        let program = compile::mariadb_program("talker");
        speakers.push(speaker(format!("libmariadb-{topic}"), move |lab, address| {
            let mut command = lab.command(&program).expect("a sandbox");
            whereto(&mut command, address).arg(topic).arg(lab.directory());
            command
        }));
        let Some(program) = mysql.clone().filter(|_| topic != "progress") else { continue };
        speakers.push(speaker(format!("libmysqlclient-{topic}"), move |lab, address| {
            let mut command = lab.sid_command(&program, &[]).expect("a sandbox");
            whereto(&mut command, address).arg(topic).arg(lab.directory());
            command
        }));
    }
    speakers
}

fn command_lines() -> Vec<Speaker> {
    let arguments = |address: SocketAddr| {
        let (host, port) = (format!("--host={}", address.ip()), format!("--port={}", address.port()));
        [
            host,
            port,
            format!("--user={USER}"),
            format!("--password={PASSWORD}"),
            "--force".into(),
            "--protocol=tcp".into(),
        ]
    };
    let mut speakers = Vec::new();
    for (name, more) in [("mariadb", vec!["--skip-ssl"]), ("mariadb-compressed", vec!["--skip-ssl", "--compress"])] {
        speakers.push(speaker(name, move |lab, address| {
            let mut command = lab.command("/usr/bin/mariadb").expect("a sandbox");
            command.arg("--no-defaults").args(arguments(address)).args(&more).arg(DATABASE);
            command
        }));
    }
    if pointsman_lab::sid_root().is_ok() {
        for (name, more) in [("mysql", vec!["--ssl-mode=DISABLED", "--get-server-public-key"]), ("mysql-tls", vec![])] {
            speakers.push(speaker(name, move |lab, address| {
                let mut command = lab.sid_command("/usr/bin/mysql", &[]).expect("a sandbox");
                command.arg("--no-defaults").args(arguments(address)).args(&more).arg(DATABASE);
                command
            }));
        }
    }
    for speaker in &mut speakers {
        speaker.input = SCRIPT;
    }
    speakers
}

fn talkers() -> PathBuf {
    env::var_os("TALKERS").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.roots/talkers"), Into::into)
}

fn others() -> Vec<Speaker> {
    let place = talkers();
    let mut speakers = Vec::new();
    let python = place.join("python/bin/python");
    if python.exists() {
        speakers.push(speaker("pymysql", move |lab, address| {
            let mut command = lab.command(&python).expect("a sandbox");
            whereto(command.arg(source("python/talker.py")), address);
            command
        }));
    }
    let modules = place.join("node_modules");
    for driver in ["mysql2", "mariadb"] {
        let modules = modules.clone();
        if !modules.join(driver).exists() {
            continue;
        }
        speakers.push(speaker(format!("node-{driver}"), move |lab, address| {
            let mut command = lab.command("node").expect("a sandbox");
            command.env("NODE_PATH", &modules);
            whereto(command.arg(source("node/talker.js")), address).arg(driver);
            command
        }));
    }
    let plain = "useSSL=false&sslMode=disable&allowPublicKeyRetrieval=true&allowMultiQueries=true";
    let jars = [
        ("jdbc-mariadb", "mariadb-java-client", "mariadb", "useServerPrepStmts=true"),
        ("jdbc-mariadb-text", "mariadb-java-client", "mariadb", "usePipelineAuth=false"),
        ("jdbc-mysql", "mysql-connector-j", "mysql", "useServerPrepStmts=true&useCursorFetch=true"),
    ];
    let files = || fs::read_dir(place.join("jars")).into_iter().flatten().flatten().map(|entry| entry.path());
    for (name, jar, scheme, more) in jars {
        let Some(jar) = files().find(|path| path.to_string_lossy().contains(jar)) else { continue };
        let plain = if scheme == "mysql" { plain.replace("sslMode=disable", "sslMode=DISABLED") } else { plain.into() };
        speakers.push(speaker(name, move |lab, address| {
            let mut command = lab.command("java").expect("a sandbox");
            let account = format!("user={USER}&password={PASSWORD}");
            let url = format!("jdbc:{scheme}://{address}/{DATABASE}?{account}&{plain}&{more}");
            command.arg("-cp").arg(&jar).arg(source("java/Talker.java")).arg(url);
            command
        }));
    }
    speakers
}

/// What the speakers speak of.
fn prepare(lab: &Lab) {
    let server = lab.blue();
    let accounts = "CREATE USER other@'%' IDENTIFIED BY 'other-password'; CREATE USER blank@'%'; \
                    GRANT ALL ON shop.* TO other@'%'; GRANT RELOAD ON *.* TO app@'%'; SET GLOBAL local_infile = 1;";
    server.sql(accounts).expect("accounts");
    for procedure in [
        "CREATE PROCEDURE two_results() BEGIN SELECT 1 AS a; SELECT 'x' AS b, NULL AS c; END",
        "CREATE PROCEDURE failing() BEGIN SELECT 1; SIGNAL SQLSTATE '45000'; END",
        "CREATE PROCEDURE with_out(IN a INT, OUT b INT) BEGIN SELECT a; SET b = a + 1; END",
    ] {
        server.sql_whole(DATABASE, procedure).expect("a procedure");
    }
    if server.flavor() == Flavor::MariaDb {
        let other = "ALTER USER other@'%' IDENTIFIED VIA ed25519 USING PASSWORD('other-password')";
        server.sql(&format!("INSTALL SONAME 'auth_ed25519'; {other}")).expect("another authentication");
    }
}

/// How it ended, for the file of its own.
fn end(conversation: &Conversation) -> String {
    conversation
        .last
        .clone()
        .unwrap_or_else(|| if conversation.tracker.is_over() { "quit".into() } else { "cut off".into() })
}

fn check(name: &str, conversation: &Conversation) {
    let (counts, end) = (conversation.counts, end(conversation));
    println!(
        "{name}: {counts:?}, {end} {}",
        conversation.followed.map_or(String::new(), |at| format!("at piece {at}"))
    );
    let hidden = ["mysql-tls", "compressed"].iter().any(|part| name.contains(part));
    assert_eq!(counts.asides > 0, hidden, "{name}: {end}");
    // libmysqlclient hangs up where a file is missing, and so does MySQL where a user was not changed.
    let may_hang_up = ["upload", "users"].iter().any(|part| name.contains(part));
    assert!(end != "cut off" || may_hang_up, "{name}: the end was not understood");
    let unanswered = counts.commands - counts.replies;
    assert!(hidden || unanswered == 0 || unanswered == 1 && end == "cut off", "{name}: {counts:?}");
}

fn record(name: &str, conversation: &Conversation) {
    if env::var_os("RECORD").is_none() {
        return;
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    fs::create_dir_all(&directory).expect("a directory");
    let Conversation { counts, .. } = conversation;
    let head =
        format!("# {name}\n# {} replies, {} refusals\n# {}\n", counts.replies, counts.refusals, end(conversation));
    fs::write(directory.join(format!("{name}.txt")), head + &conversation.written()).expect("a recording");
}

fn followed_on(flavor: Flavor) {
    let Some(lab) = single(flavor) else { return };
    prepare(&lab);
    let server = if flavor == Flavor::MySql { "mysql" } else { "mariadb" };
    let others = others();
    if others.len() < 6 {
        println!("skipped: some drivers: they are not in {}", talkers().display());
    }
    let only = env::var("ONLY").unwrap_or_default();
    for speaker in libraries().into_iter().chain(command_lines()).chain(others) {
        if !speaker.name.contains(&only) || flavor == Flavor::MySql && speaker.name.contains("progress") {
            continue;
        }
        let recorder = Recorder::start(lab.blue().address());
        let mut command = (speaker.command)(&lab, recorder.address());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", speaker.name));
        let _ = child.stdin.take().expect("piped").write_all(speaker.input.as_bytes());
        let output = child.wait_with_output().expect("it runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        let goes_on = speaker.input == SCRIPT;
        assert!(output.status.success() || goes_on, "{} on {server}: {errors}", speaker.name);
        assert!(!recorder.conversations().is_empty(), "{} on {server}: {errors}", speaker.name);
        for (at, watched) in recorder.conversations().iter().enumerate() {
            let conversation = watched.ended();
            let name = format!("{}-on-{server}-{}", speaker.name, at + 1);
            record(&name, &conversation);
            check(&name, &conversation);
        }
    }
}

#[test]
fn every_word_of_drivers_on_mariadb_is_understood() {
    followed_on(Flavor::MariaDb);
}

#[test]
fn every_word_of_drivers_on_mysql_is_understood() {
    followed_on(Flavor::MySql);
}
