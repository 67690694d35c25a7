//! Transactions that are replayed: refused again in the middle, with ids and times as the application was told, at a cost
//! that grows with them, and within the time that their call has.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    process::Stdio,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use pointsman_lab::{ENDPOINT, Flavor, Lab, PASSWORD, Server};
use pointsman_tests::{
    dialogue::Dialogue,
    on_both, pair,
    puppet::Puppet,
    run::{Preload, mysqldb_program, script},
    switch, wait_for, with_table,
};

on_both! { with_table;
    a_chosen_id_does_not_outlive_a_replay_that_failed
    a_chosen_id_that_an_explicit_one_made_useless_does_not_outlive_the_replay
    a_replay_costs_in_proportion_to_its_transaction
    the_applications_own_timestamp_holds_before_during_and_after_a_replay
    a_replay_that_waits_for_a_lock_ends_with_its_calls_time
    a_savepoint_before_the_first_statement_is_carried_over
    a_chain_settles_what_was_in_doubt_before_it
    a_statement_refused_for_a_moment_runs_again_in_its_open_transaction
    rows_whose_ids_would_be_others_make_a_victim
    several_rows_keep_their_ids_where_the_servers_agree
    a_lock_that_was_taken_as_a_mutex_is_not_regained_elsewhere
    two_snapshots_of_one_moment_are_not_exchanged_for_a_younger_one
}

fn rows(server: &Server) -> String {
    server.sql("SELECT GROUP_CONCAT(id, ':', v ORDER BY id SEPARATOR ' ') FROM shop.t").unwrap().trim().to_owned()
}

#[track_caller]
fn fine(answer: String) -> String {
    assert!(answer.starts_with("ok"), "{answer}");
    answer
}

#[track_caller]
fn victim(answer: String) {
    assert!(answer.starts_with("error 1213 Deadlock found"), "{answer}");
}

fn insert(puppet: &mut Puppet, value: &str) -> String {
    puppet.query("a", &format!("INSERT INTO t (v) VALUES ('{value}')"))
}

/// An id is used up on blue that green never hears of, so that the next one is another one there.
fn use_up_an_id(puppet: &mut Puppet) {
    use_up_an_id_on(puppet, "a");
}

fn use_up_an_id_on(puppet: &mut Puppet, name: &'static str) {
    fine(puppet.query(name, "BEGIN"));
    fine(puppet.query(name, "INSERT INTO t (v) VALUES ('never')"));
    fine(puppet.query(name, "ROLLBACK"));
}

fn statements(server: &Server) -> u64 {
    let status = server.sql("SHOW GLOBAL STATUS LIKE 'Questions'").unwrap();
    status.split_whitespace().nth(1).unwrap().parse().unwrap()
}

mod proofs {
    use super::*;

    pub fn a_chosen_id_does_not_outlive_a_replay_that_failed(lab: &Lab) {
        lab.blue().sql("CREATE TABLE shop.seq (n INT); INSERT INTO shop.seq VALUES (100)").unwrap();
        let next = "UPDATE seq SET n = LAST_INSERT_ID(n + 1)";
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        use_up_an_id(&mut puppet);
        fine(puppet.query("a", "BEGIN"));
        assert_eq!(insert(&mut puppet, "order"), "ok (1, 2)");
        assert_eq!(puppet.query("a", next), "ok (1, 101)");
        switch(lab);
        // Another process takes 101.
        lab.green().sql("UPDATE shop.seq SET n = n + 1").unwrap();
        victim(insert(&mut puppet, "position"));
        fine(puppet.query("a", "BEGIN"));
        assert_eq!(puppet.query("a", next), "ok (1, 102)");
        // The next one that the server generates, and not one that was meant for somebody else.
        let id = fine(insert(&mut puppet, "order"));
        assert!(["ok (1, 1)", "ok (1, 2)", "ok (1, 3)"].contains(&id.as_str()), "{id}");
        fine(puppet.query("a", "COMMIT"));
    }

    pub fn a_chosen_id_that_an_explicit_one_made_useless_does_not_outlive_the_replay(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        use_up_an_id(&mut puppet);
        fine(puppet.query("a", "BEGIN"));
        assert_eq!(insert(&mut puppet, "generated"), "ok (1, 2)");
        for id in [70, 80] {
            let explicit = puppet.query("a", &format!("INSERT INTO t (id, v) VALUES ({id}, 'explicit')"));
            assert_eq!(explicit, format!("ok (1, {id})"));
        }
        fine(puppet.query("a", "UPDATE t SET v = 'named' WHERE id = 80"));
        switch(lab);
        // 80, the id of the row that names its own, would be taken once more, and is there already.
        assert_eq!(insert(&mut puppet, "next"), "ok (1, 81)");
        fine(puppet.query("a", "COMMIT"));
        assert_eq!(insert(&mut puppet, "last"), "ok (1, 82)");
        assert_eq!(rows(lab.green()), "2:generated 70:explicit 80:named 81:next 82:last");
        assert_eq!(puppet.query("a", "SELECT @@insert_id"), "ok ((0,),)");
    }

    pub fn a_replay_costs_in_proportion_to_its_transaction(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        puppet.connect("b");
        let mut costs = Vec::new();
        for (length, (from, to)) in [50, 100, 200].into_iter().zip([
            (lab.blue(), lab.green()),
            (lab.green(), lab.blue()),
            (lab.blue(), lab.green()),
        ]) {
            use_up_an_id(&mut puppet);
            fine(puppet.query("a", "BEGIN"));
            for row in 0..length {
                fine(insert(&mut puppet, &row.to_string()));
                // No two ids of it follow each other.
                use_up_an_id_on(&mut puppet, "b");
            }
            to.wait_caught_up(from, Duration::from_secs(20)).unwrap();
            from.set_read_only(true).unwrap();
            to.stop_replication().unwrap();
            to.set_read_only(false).unwrap();
            let before = statements(to);
            lab.dns().set(ENDPOINT, &[to.ip()], 1).unwrap();
            fine(insert(&mut puppet, "after"));
            costs.push((length, statements(to) - before));
            fine(puppet.query("a", "COMMIT"));
            from.replicate_from(to).unwrap();
        }
        println!("statements on the new writer: {costs:?}");
        for (length, cost) in costs {
            assert!(cost <= 3 * length + 60, "{length} statements cost {cost}");
        }
    }

    pub fn the_applications_own_timestamp_holds_before_during_and_after_a_replay(lab: &Lab) {
        lab.blue().sql("ALTER TABLE shop.t ADD at DATETIME DEFAULT NOW()").unwrap();
        let command = "SET time_zone = '+00:00', timestamp = 1000000000";
        let mut puppet = Puppet::start(lab, &[("PUPPET_INIT_COMMAND", command)]);
        puppet.connect("a");
        fine(puppet.query("a", "BEGIN"));
        fine(insert(&mut puppet, "before"));
        switch(lab);
        let after = insert(&mut puppet, "after");
        assert!(after.starts_with("ok"), "{after}: {}", puppet.stderr());
        fine(puppet.query("a", "COMMIT"));
        fine(insert(&mut puppet, "behind"));
        let dates = lab.green().sql("SELECT DISTINCT at FROM shop.t").unwrap();
        assert_eq!(dates.trim(), "2001-09-09 01:46:40");
    }

    pub fn a_replay_that_waits_for_a_lock_ends_with_its_calls_time(lab: &Lab) {
        lab.blue().sql("INSERT INTO shop.t (v) VALUES ('one')").unwrap();
        let mut puppet = Puppet::start(lab, &[("POINTSMAN_HOLD_MAX", "3s")]);
        puppet.connect("a");
        fine(puppet.query("a", "BEGIN"));
        fine(puppet.query("a", "UPDATE t SET v = 'uno' WHERE id = 1"));
        switch(lab);
        let mut locker = Session::open(lab.green());
        locker.run("BEGIN; UPDATE shop.t SET v = 'locked' WHERE id = 1;");
        let began = Instant::now();
        let answer = insert(&mut puppet, "two");
        assert!(answer.starts_with("error 1213 ") || answer.starts_with("error 2013 "), "{answer}");
        // innodb_lock_wait_timeout is 50 s.
        assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
        if answer.starts_with("error 2013 ") {
            let next = puppet.query("a", "SELECT 1");
            assert!(next.starts_with("error 2006 ") || next.starts_with("error 2013 "), "{next}");
        }
        drop(locker);
        assert_eq!(rows(lab.green()), "1:one");
    }

    pub fn a_savepoint_before_the_first_statement_is_carried_over(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        for moved_before_the_insert in [true, false] {
            fine(puppet.ask("a", "call", "autocommit 0"));
            fine(puppet.query("a", "SAVEPOINT s1"));
            if moved_before_the_insert {
                switch(lab);
            }
            fine(insert(&mut puppet, "inner"));
            fine(puppet.query("a", "SAVEPOINT s2"));
            fine(insert(&mut puppet, "gone"));
            if !moved_before_the_insert {
                let green = lab.green();
                green.set_read_only(true).unwrap();
                lab.blue().wait_caught_up(green, Duration::from_secs(20)).unwrap();
                lab.blue().stop_replication().unwrap();
                lab.blue().set_read_only(false).unwrap();
                lab.dns().set(ENDPOINT, &[lab.blue().ip()], 1).unwrap();
            } else {
                lab.blue().replicate_from(lab.green()).unwrap();
            }
            fine(puppet.query("a", "ROLLBACK TO SAVEPOINT s2"));
            fine(insert(&mut puppet, "outer"));
            fine(puppet.query("a", "RELEASE SAVEPOINT s1"));
            fine(puppet.ask("a", "call", "commit"));
            fine(puppet.ask("a", "call", "autocommit 1"));
        }
        let values = lab.blue().sql("SELECT GROUP_CONCAT(v ORDER BY id) FROM shop.t").unwrap();
        assert_eq!(values.trim(), "inner,outer,inner,outer", "{}", puppet.stderr());
    }

    /// The servers commit before a DDL statement even if it fails, and its error packet does not tell. A COMMIT AND CHAIN that
    /// succeeds ends what is open, so that the application knows of one transaction, the new one, and can run it again.
    pub fn a_chain_settles_what_was_in_doubt_before_it(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        for name in ["a", "b"] {
            puppet.connect(name);
            fine(puppet.ask(name, "call", "autocommit 0"));
        }
        fine(insert(&mut puppet, "before the DDL"));
        let failed = puppet.query("a", "DROP TABLE missing");
        assert!(failed.starts_with("error 1051 "), "{failed}");
        assert_eq!(rows(lab.blue()), "1:before the DDL", "the failed statement has committed");
        fine(insert(&mut puppet, "before the chain"));
        fine(puppet.query("a", "COMMIT AND CHAIN"));

        fine(puppet.query("b", "SAVEPOINT s"));
        fine(puppet.query("b", "COMMIT AND CHAIN"));
        let ended = puppet.query("b", "ROLLBACK TO s");
        assert!(ended.starts_with("error 1305 "), "{ended}");

        switch(lab);
        for name in ["a", "b"] {
            let chained = format!("INSERT INTO t (v) VALUES ('in the chain of {name}')");
            victim(puppet.query(name, &chained));
            fine(puppet.query(name, &chained));
            fine(puppet.ask(name, "call", "commit"));
        }
        let values = lab.green().sql("SELECT GROUP_CONCAT(v ORDER BY id) FROM shop.t").unwrap();
        let expected = "before the DDL,before the chain,in the chain of a,in the chain of b";
        assert_eq!(values.trim(), expected, "{}", puppet.stderr());
    }

    pub fn rows_whose_ids_would_be_others_make_a_victim(lab: &Lab) {
        for (server, offset) in [(lab.blue(), 1), (lab.green(), 2)] {
            let set = "SET GLOBAL auto_increment_increment = 3, GLOBAL auto_increment_offset";
            server.sql(&format!("{set} = {offset}")).unwrap();
        }
        let three = "INSERT INTO t (v) VALUES ('a'), ('b'), ('c')";
        for cut in [false, true] {
            let mut puppet = Puppet::start(lab, &[]);
            puppet.connect("a");
            fine(puppet.query("a", "BEGIN"));
            let told = fine(puppet.query("a", three));
            assert!(told.starts_with("ok (3, "), "{told}");
            if cut {
                promote_and_cut(lab);
            } else {
                switch(lab);
            }
            victim(insert(&mut puppet, "child of the second"));
            drop(puppet);
            if !cut {
                lab.green().set_read_only(true).unwrap();
                lab.blue().set_read_only(false).unwrap();
                lab.green().replicate_from(lab.blue()).unwrap();
                lab.dns().set(ENDPOINT, &[lab.blue().ip()], 1).unwrap();
            }
        }
        assert_eq!(rows(lab.green()), "NULL");
    }

    pub fn several_rows_keep_their_ids_where_the_servers_agree(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        use_up_an_id(&mut puppet);
        fine(puppet.query("a", "BEGIN"));
        assert_eq!(puppet.query("a", "INSERT INTO t (v) VALUES ('a'), ('b'), ('c')"), "ok (3, 2)");
        promote_and_cut(lab);
        assert_eq!(insert(&mut puppet, "child of 3"), "ok (1, 5)", "{}", puppet.stderr());
        fine(puppet.query("a", "COMMIT"));
        assert_eq!(rows(lab.green()), "2:a 3:b 4:c 5:child of 3");
    }

    pub fn a_lock_that_was_taken_as_a_mutex_is_not_regained_elsewhere(lab: &Lab) {
        lab.blue().sql("INSERT INTO shop.t (v) VALUES ('leader')").unwrap();
        let mut puppet = Puppet::start(lab, &[]);
        for name in ["a", "b"] {
            puppet.connect(name);
        }
        for lock in ["FOR UPDATE", "LOCK IN SHARE MODE"] {
            fine(puppet.query("a", "BEGIN"));
            assert_eq!(puppet.query("a", &format!("SELECT v FROM t WHERE id = 1 {lock}")), "ok (('leader',),)");
            if lock == "FOR UPDATE" {
                promote_and_cut(lab);
            } else {
                lab.green().drop_connections(pointsman_tests::USER).unwrap();
            }
            // Another one is the leader meanwhile, and has done its work.
            fine(puppet.query("b", "BEGIN"));
            assert_eq!(puppet.query("b", "SELECT v FROM t WHERE id = 1 FOR UPDATE"), "ok (('leader',),)");
            fine(puppet.query("b", "COMMIT"));
            let beat = puppet.query("a", "INSERT INTO t (v) VALUES ('heartbeat')");
            assert!(["error 1213", "error 2006", "error 2013"].contains(&&beat[..10]), "{beat}");
            if !beat.starts_with("error 1213") {
                puppet.connect("a");
            }
        }
        assert_eq!(rows(lab.green()), "1:leader");
    }

    pub fn two_snapshots_of_one_moment_are_not_exchanged_for_a_younger_one(lab: &Lab) {
        lab.blue().sql("INSERT INTO shop.t VALUES (1, '500'), (2, '500')").unwrap();
        let mut puppet = Puppet::start(lab, &[]);
        for name in ["a", "b"] {
            puppet.connect(name);
        }
        let mut locker = Session::open(lab.blue());
        locker.run("FLUSH TABLES WITH READ LOCK;");
        for name in ["a", "b"] {
            fine(puppet.query(name, "START TRANSACTION WITH CONSISTENT SNAPSHOT"));
        }
        locker.run("UNLOCK TABLES;");
        assert_eq!(puppet.query("a", "SELECT v FROM t WHERE id = 1"), "ok (('500',),)");
        promote_and_cut(lab);
        lab.green().sql("UPDATE shop.t SET v = '200' WHERE id = 1; UPDATE shop.t SET v = '800' WHERE id = 2").unwrap();
        let other = puppet.query("b", "SELECT v FROM t WHERE id = 2");
        assert!(["error 1213", "error 2006", "error 2013"].contains(&&other[..10]), "{other}");
    }

    pub fn a_statement_refused_for_a_moment_runs_again_in_its_open_transaction(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        fine(puppet.query("a", "BEGIN"));
        // Nothing of this could be run again elsewhere.
        fine(puppet.query("a", "INSERT INTO t (v) VALUES (UUID())"));
        let id = puppet.query("a", "SELECT CONNECTION_ID()");
        lab.blue().set_read_only(true).unwrap();
        puppet.begin("a", "query", "INSERT INTO t (v) VALUES ('second')");
        puppet.wait_for_log("is read-only; holding statements");
        assert!(puppet.is_waiting("a"));
        lab.blue().set_read_only(false).unwrap();
        assert_eq!(puppet.answer("a"), "ok (1, 2)");
        assert_eq!(puppet.query("a", "SELECT CONNECTION_ID()"), id);
        fine(puppet.query("a", "COMMIT"));
        assert_eq!(lab.blue().sql("SELECT COUNT(*) FROM shop.t").unwrap().trim(), "2");
    }
}

/// Ends the application's connections on blue.
fn kill_all(lab: &Lab) {
    lab.blue().drop_connections(pointsman_tests::USER).unwrap();
}

/// Green takes over without a refusal: DNS first, then every connection to blue is cut.
fn promote_and_cut(lab: &Lab) {
    lab.green().wait_caught_up(lab.blue(), Duration::from_secs(20)).unwrap();
    lab.green().stop_replication().unwrap();
    lab.green().set_read_only(false).unwrap();
    lab.blue().set_read_only(true).unwrap();
    lab.dns().set(ENDPOINT, &[lab.green().ip()], 1).unwrap();
    kill_all(lab);
}

/// The server's own client program as root, fed line by line.
struct Session {
    child: std::process::Child,
    answers: mpsc::Receiver<String>,
}

impl Session {
    fn open(server: &Server) -> Self {
        let mut command = server.client().unwrap();
        command.args(["--unbuffered", "--batch", "--skip-column-names"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Session { child, answers }
    }

    /// Waits until all of it was done.
    fn run(&mut self, text: &str) {
        use std::io::Write;
        writeln!(self.child.stdin.as_mut().unwrap(), "{text} SELECT 'done';").unwrap();
        while self.answers.recv_timeout(Duration::from_secs(20)).unwrap() != "done" {}
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program of batches said.
#[derive(Default, Debug)]
struct Told {
    committed: BTreeMap<u64, BTreeSet<u64>>,
    unknown: BTreeSet<u64>,
    errors: BTreeMap<i64, u64>,
    batches: u64,
}

impl Told {
    fn hear(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        let number = |word: &str| word.parse::<u64>().unwrap();
        match words[..] {
            ["batch", batch, ref rows @ ..] => {
                self.batches += 1;
                self.committed.insert(number(batch), rows.iter().map(|row| number(row)).collect());
            }
            ["failed", _] => self.batches += 1,
            ["unknown", batch] => {
                self.batches += 1;
                self.unknown.insert(number(batch));
            }
            ["error", error, ..] => *self.errors.entry(error.parse().unwrap_or(-1)).or_default() += 1,
            _ => panic!("what is {line:?}?"),
        }
    }
}

/// A program writes batches while its server refuses writes now and then.
fn under_blips(lab: &Lab, mut command: std::process::Command) -> Told {
    let blue = lab.blue();
    let mut blips = Session::open(blue);
    command.env("BATCH_ROWS", "150").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told = std::sync::Arc::new(std::sync::Mutex::new(Told::default()));
    let listener = {
        let told = std::sync::Arc::clone(&told);
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| told.lock().unwrap().hear(&line)))
    };
    let until = Instant::now() + Duration::from_secs(90);
    let mut dice = pointsman_lab::Dice::new(7);
    // Its server was writable when it connected, and is defended from then on.
    wait_for("the first batch", || told.lock().unwrap().batches > 0);
    while told.lock().unwrap().batches < 25 && Instant::now() < until {
        thread::sleep(Duration::from_millis(150));
        blips.run("SET GLOBAL read_only = 1;");
        thread::sleep(dice.time(50..=300));
        blips.run("SET GLOBAL read_only = 0;");
    }
    drop(child.stdin.take());
    let status = child.wait().unwrap();
    listener.join().unwrap();
    assert!(status.success(), "{status}");
    std::mem::take(&mut *told.lock().unwrap())
}

fn audit(lab: &Lab, told: &Told) {
    println!("{} batches, {} committed, errors {:?}", told.batches, told.committed.len(), told.errors);
    let stored = lab.blue().sql("SELECT v FROM shop.t").unwrap();
    let mut batches: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for line in stored.lines() {
        let (batch, row) = line.split_once('-').unwrap();
        assert!(batches.entry(batch.parse().unwrap()).or_default().insert(row.parse().unwrap()), "twice: {line}");
    }
    for (batch, rows) in &told.committed {
        assert_eq!(batches.get(batch).cloned().unwrap_or_default(), *rows, "batch {batch}, which was committed");
    }
    for batch in batches.keys() {
        let known = told.committed.contains_key(batch) || told.unknown.contains(batch);
        assert!(known, "batch {batch} failed, and is there");
    }
    assert!(!told.errors.keys().any(|error| *error <= 0), "a call failed without a number: {:?}", told.errors);
}

#[test]
fn a_transaction_refused_again_and_again_is_whole_or_known_to_be_gone_for_a_program_that_swallows_errors() {
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        let Some(lab) = pair(flavor) else { return };
        with_table(&lab);
        let told = under_blips(&lab, mysqldb_program(&lab, "python/batches.py", Preload::Preloaded));
        assert!(told.batches >= 10, "{told:?}");
        audit(&lab, &told);
    }
}

#[test]
fn replayed_rows_are_dated_by_the_clock_of_the_server_that_stores_them() {
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let Ok(lab) = Lab::builder().both(flavor).green_ahead(Duration::from_secs(3600)).start() else { return };
        with_table(&lab);
        lab.blue().sql("ALTER TABLE shop.t ADD at DATETIME(6) DEFAULT NOW(6)").unwrap();
        let mut puppet = Puppet::start(&lab, &[]);
        puppet.connect("a");
        fine(puppet.query("a", "BEGIN"));
        fine(insert(&mut puppet, "before"));
        switch(&lab);
        fine(insert(&mut puppet, "after"));
        fine(puppet.query("a", "COMMIT"));
        let apart = "SELECT MAX(ABS(TIMESTAMPDIFF(SECOND, at, NOW(6)))) FROM shop.t";
        let apart: u64 = lab.green().sql(apart).unwrap().trim().parse().unwrap();
        assert!(apart < 60, "a row is dated {apart} s away from its server's time");
        let now = puppet.query("a", "SELECT ABS(TIMESTAMPDIFF(SECOND, NOW(), SYSDATE())) < 60");
        assert_eq!(now, "ok ((1,),)", "the session's clock runs again");
    }
}

#[test]
fn a_generated_id_that_a_reply_returns_is_carried_over_with_its_row() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    with_table(&lab);
    let mut puppet = Puppet::start(&lab, &[]);
    puppet.connect("a");
    use_up_an_id(&mut puppet);
    fine(puppet.query("a", "BEGIN"));
    assert_eq!(puppet.query("a", "INSERT INTO t (v) VALUES ('plain')"), "ok (1, 2)");
    // Another transaction takes the ids between.
    puppet.connect("b");
    use_up_an_id_on(&mut puppet, "b");
    assert_eq!(puppet.query("a", "INSERT INTO t (v) VALUES ('one') RETURNING id"), "ok ((4,),)");
    use_up_an_id_on(&mut puppet, "b");
    let two = "INSERT INTO t (v) VALUES ('two'), ('three') RETURNING v, id";
    assert_eq!(puppet.query("a", two), "ok (('two', 6), ('three', 7))");
    assert_eq!(puppet.query("a", "INSERT INTO t (id, v) VALUES (90, 'own') RETURNING *"), "ok ((90, 'own'),)");
    switch(&lab);
    assert_eq!(
        puppet.query("a", "INSERT INTO t (v) VALUES ('last') RETURNING id"),
        "ok ((91,),)",
        "{}",
        puppet.stderr()
    );
    fine(puppet.query("a", "COMMIT"));
    assert_eq!(rows(lab.green()), "2:plain 4:one 6:two 7:three 90:own 91:last");
}

#[test]
fn the_same_of_a_prepared_statement() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    with_table(&lab);
    let mut client = Dialogue::start(&lab, Preload::Preloaded);
    client.connect(0, ENDPOINT);
    for text in ["BEGIN", "INSERT INTO t (v) VALUES ('never')", "ROLLBACK", "BEGIN"] {
        client.query(text);
    }
    client.ask("prepare 0 INSERT INTO t (v) VALUES (?) RETURNING v, id");
    client.ask("bind 0");
    for (value, answer) in [("one", "rows one|2"), ("two", "rows two|3"), ("three", "rows three|4")] {
        if value == "three" {
            switch(&lab);
        }
        client.ask(&format!("set 0 0 {value}"));
        assert_eq!(client.ask("run 0"), answer, "{}", client.stderr());
    }
    client.query("COMMIT");
    assert_eq!(rows(lab.green()), "2:one 3:two 4:three");
}

#[test]
fn the_same_with_perl() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    with_table(&lab);
    let mut command = script(&lab, "/usr/bin/perl", "perl/batches.pl", Preload::Preloaded);
    command.env("LAB_HOST", ENDPOINT).env("LAB_PORT", lab.port().to_string()).env("LAB_PASSWORD", PASSWORD);
    let told = under_blips(&lab, command);
    assert!(told.batches >= 10, "{told:?}");
    audit(&lab, &told);
}
