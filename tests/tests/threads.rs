//! Threads that the application cancels while something of ours is under way in them.

use std::time::Duration;

use pointsman_lab::{DATABASE, ENDPOINT, Flavor, Lab, PASSWORD, USER};
use pointsman_tests::{
    compile,
    dialogue::{Dialogue, Driver},
    pair,
    run::{self, Preload},
    switch, wait_for, with_table,
};

const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";

fn program(lab: &Lab, driver: Driver) -> Dialogue {
    let mut command = match driver {
        Driver::LibMySqlClient => {
            let program = compile::mysql_program("threads").expect("available");
            run::sid_command(lab, &program, Preload::Preloaded)
        }
        _ => run::command(lab, compile::mariadb_program("threads"), Preload::Preloaded),
    };
    command.args([ENDPOINT, "3306", USER, PASSWORD, DATABASE]);
    Dialogue::of(lab, command)
}

fn with_each_library(proof: impl Fn(&Lab, &mut Dialogue)) {
    for driver in [Driver::LibMariaDb, Driver::LibMySqlClient].into_iter().filter(|driver| driver.is_available()) {
        let Some(lab) = pair(Flavor::MariaDb) else { return };
        with_table(&lab);
        println!("{driver:?}");
        let mut program = program(&lab, driver);
        proof(&lab, &mut program);
        assert_eq!(program.finish(), Some(3));
    }
}

fn ask(program: &mut Dialogue, command: &str, answer: &str) {
    assert_eq!(program.ask(command), answer, "{command}: {}", program.stderr());
}

#[test]
fn a_thread_cancelled_while_it_waits_for_the_server_ends_at_once_and_the_others_go_on() {
    with_each_library(|lab, program| {
        for round in 1..=3 {
            ask(program, "begin SELECT SLEEP(600)", "begun");
            wait_for("the statement", || {
                let sleeping = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(6%'";
                lab.blue().sql(sleeping).unwrap() == round.to_string()
            });
            // Sooner than its statement ends.
            ask(program, "cancel", &format!("cancelled, {round}"));
            ask(program, &format!("query {INSERT}"), "ok");
        }
        lab.blue().set_read_only(true).unwrap();
        program.tell(&format!("query {INSERT}"));
        switch(lab);
        assert_eq!(program.answer(), "ok", "{}", program.stderr());
    });
}

/// The hold itself is not cut short.
#[test]
fn a_thread_cancelled_in_a_hold_ends_with_the_hold_and_the_others_go_on() {
    with_each_library(|lab, program| {
        ask(program, &format!("begin {INSERT}"), "begun");
        ask(program, "ran 1", "ran");
        lab.blue().set_read_only(true).unwrap();
        wait_for("a hold", || program.stderr().contains("holding statements"));
        program.tell("cancel");
        switch(lab);
        assert_eq!(program.answer(), "cancelled, 1", "{}", program.stderr());
        ask(program, "close", "closed");
        ask(program, &format!("query {INSERT}"), "ok");
    });
}

#[test]
fn a_thread_cancelled_somewhere_in_the_middle_of_moves_ends_and_the_others_go_on() {
    with_each_library(|lab, program| {
        for round in 1..=10 {
            ask(program, "begin SELECT CONNECTION_ID()", "begun");
            ask(program, "ran 3", "ran");
            let kill = "SELECT GROUP_CONCAT(id) FROM information_schema.processlist WHERE db = 'shop'";
            for id in lab.blue().sql(kill).unwrap().trim().split(',') {
                let _ = lab.blue().sql(&format!("KILL {id}"));
            }
            std::thread::sleep(Duration::from_millis(round % 5));
            ask(program, "cancel", &format!("cancelled, {round}"));
            ask(program, "close", "closed");
            ask(program, "query SELECT 1", "ok");
        }
        ask(program, &format!("query {INSERT}"), "ok");
    });
}
