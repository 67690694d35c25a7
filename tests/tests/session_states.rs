//! Every kind of session state over a switchover, on both client libraries and both servers: the rows of `states.rs`,
//! one connection each, all of them over the same switchover.

use std::time::Duration;

use pointsman_lab::{ENDPOINT, Flavor, Lab, Scenario, Side};
use pointsman_tests::{
    crowded_pair,
    dialogue::{Dialogue, Driver},
    run::Preload,
    states::{Fate, STATES, State},
};

/// Two programs with one connection for each state, and some.
const CONNECTIONS: u32 = 400;
/// Handles of the programs: a state's own is its number, and one more is for what differs by the state.
const WITNESS: usize = 199;
const TWIN: usize = 198;
const OTHERS: usize = 100;

const WRITE: &str = "query INSERT INTO mark (v) VALUES ('after')";

fn set_up(lab: &Lab) {
    let more = match lab.blue().flavor() {
        Flavor::MariaDb => "BINLOG ADMIN",
        Flavor::MySql => "SESSION_VARIABLES_ADMIN, SYSTEM_VARIABLES_ADMIN, RESOURCE_GROUP_ADMIN, RESOURCE_GROUP_USER",
    };
    let globals = if lab.blue().flavor() == Flavor::MariaDb { ", CONNECTION ADMIN" } else { "" };
    if lab.blue().flavor() == Flavor::MariaDb {
        lab.blue().sql("CREATE SEQUENCE shop.s").unwrap();
    }
    lab.blue()
        .sql(&format!(
            "CREATE TABLE shop.mark (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(99)); \
             CREATE TABLE shop.seed (n INT PRIMARY KEY); INSERT INTO shop.seed VALUES (7); \
             CREATE DATABASE other CHARACTER SET greek; GRANT ALL ON other.* TO app@'%'; \
             CREATE TABLE other.mark LIKE shop.mark; \
             CREATE USER clerk_user@'%' IDENTIFIED BY 'clerk'; GRANT ALL ON shop.* TO clerk_user@'%'; \
             GRANT ALL ON other.* TO clerk_user@'%'; \
             CREATE ROLE clerk; GRANT SELECT ON shop.* TO clerk; GRANT clerk TO app@'%'; \
             CREATE PROCEDURE shop.remember(n INT) SET @remembered = n; \
             CREATE PROCEDURE shop.remember_and_fail(n INT) \
             SET @remembered = n, @unknown = (SELECT 1 UNION SELECT 2); \
             CREATE FUNCTION shop.remembering(n INT) RETURNS INT DETERMINISTIC NO SQL RETURN (@remembered := n); \
             GRANT RELOAD, {more}{globals} ON *.* TO app@'%'"
        ))
        .unwrap();
}

/// One program, which has every state on a connection of its own.
struct Program {
    name: String,
    driver: Driver,
    flavor: Flavor,
    says: Dialogue,
    /// What each state looks like, by its number.
    before: Vec<String>,
    blunders: Vec<String>,
}

impl Program {
    fn start(lab: &Lab, driver: Driver) -> Option<Self> {
        if !driver.is_available() {
            return None;
        }
        let tls = lab.blue().flavor() == Flavor::MySql;
        let says = Dialogue::with(lab, driver, Preload::Preloaded, |command| {
            if tls {
                command.env("CLIENT_CA", lab.ca_path());
            }
        });
        let name = format!("{driver:?} on {:?}", lab.blue().flavor());
        let mut program = Self {
            name,
            driver,
            flavor: lab.blue().flavor(),
            says,
            before: vec![String::new(); STATES.len()],
            blunders: vec![],
        };
        program.connect(WITNESS);
        assert!(program.order(WITNESS, WRITE).starts_with("ok"));
        Some(program)
    }

    fn connect(&mut self, handle: usize) {
        let answer = self.says.connect(handle as u32, ENDPOINT);
        assert_eq!(answer, "ok", "{}", self.says.stderr());
    }

    /// `query SELECT 1` for that handle.
    fn order(&mut self, handle: usize, order: &str) -> String {
        let order = order.replace("{me}", &format!("{:?} {handle}", self.driver));
        let (verb, rest) = order.split_once(' ').unwrap_or((&order, ""));
        let verb = if verb == "fails" { "query" } else { verb };
        self.says.ask(&format!("{verb} {handle} {rest}"))
    }

    /// Brings the handle into the state.
    fn enter(&mut self, handle: usize, state: &State, more: &[&str]) {
        if !state.set_up.first().is_some_and(|order| order.starts_with("init")) {
            self.connect(handle);
        }
        for order in state.set_up.iter().chain(more) {
            if *order == "connect" {
                self.connect(handle);
                continue;
            }
            let answer = self.order(handle, order);
            let failed = answer.starts_with("error");
            assert_eq!(failed, order.starts_with("fails"), "{}: {}: {order}: {answer}", self.name, state.name);
        }
    }

    fn set_up(&mut self, at: usize) {
        let state = &STATES[at];
        self.enter(TWIN, state, &[]);
        self.before[at] = self.order(TWIN, state.look);
        self.order(TWIN, "close");
        // What every session has is a state all the same; any other would prove nothing.
        let ordinary = state.name.contains("of the connect")
            || state.name.contains("mysql_reset_connection")
            || state.name.contains("behind");
        if state.fate == Fate::Restored && !ordinary {
            self.connect(TWIN);
            let fresh = self.order(TWIN, state.look);
            self.order(TWIN, "close");
            assert_ne!(self.before[at], fresh, "{}: {}: any session looks like this", self.name, state.name);
        }
        if !state.release.is_empty() || state.fate == Fate::Asked {
            self.enter(OTHERS + at, state, state.release);
        }
        self.enter(at, state, &[]);
    }

    fn check(&mut self, state: &State, what: &str, answer: &str, right: bool) {
        if !right {
            self.blunders.push(format!("{}: {}: {what}: {answer}", self.name, state.name));
        }
    }

    fn look_again(&mut self, at: usize, green: &str, connections_live: bool) {
        let state = &STATES[at];
        let before = self.before[at].clone();
        // MariaDB does not know the collation that this library logs in with, and gives a session that is reset the
        // character set of whichever connection its thread has served before.
        let left_to_chance = state.name == "the character set behind `mysql_reset_connection`"
            && self.driver == Driver::LibMySqlClient
            && self.flavor == Flavor::MariaDb;
        if left_to_chance {
            return;
        }
        let lost = |answer: &str| answer.starts_with("error 2006 ") || answer.starts_with("error 2013 ");
        match state.fate {
            Fate::Restored | Fate::Left => {
                if at % 2 == 1 && state.look.starts_with("query") {
                    let answer = self.order(at, WRITE);
                    // 1792: its session is one that only reads.
                    self.check(
                        state,
                        "a write",
                        &answer,
                        answer.starts_with("ok") || answer.starts_with("error 1792 "),
                    );
                }
                let after = self.order(at, state.look);
                self.check(
                    state,
                    &format!("was {before}, is"),
                    &after,
                    (after == before) == (state.fate == Fate::Restored),
                );
            }
            Fate::Pinned if connections_live => {
                let after = self.order(at, state.look);
                self.check(state, &format!("was {before}, is"), &after, after == before);
                if state.look != "fetch_row" {
                    let refused = self.order(at, WRITE);
                    self.check(state, "a write", &refused, refused.starts_with("error 1290 "));
                    let gone = self.order(at, "query SELECT 1");
                    self.check(state, "after the refused write", &gone, lost(&gone));
                }
            }
            Fate::Pinned => {
                let gone = self.order(at, state.look);
                self.check(state, "after its connection ended", &gone, lost(&gone));
            }
            Fate::Asked => {
                let asked = self.order(at, state.look);
                let right = if connections_live { asked == before } else { lost(&asked) };
                self.check(state, &format!("was {before}, is"), &asked, right);
                // Something else moves the connection first.
                let other = OTHERS + at;
                self.order(other, "ping");
                let asked = self.order(other, state.look);
                self.check(state, &format!("was {before}, is behind a ping"), &asked, asked == before || lost(&asked));
            }
        }
        if matches!(state.fate, Fate::Restored | Fate::Left) {
            let server = self.order(at, "query SELECT @@server_id");
            self.check(state, "the server", &server, server.starts_with(green));
        }
        if state.fate == Fate::Pinned && !state.release.is_empty() {
            let other = OTHERS + at;
            let answer = self.order(other, WRITE);
            self.check(state, "a write after its release", &answer, answer.starts_with("ok"));
            let server = self.order(other, "query SELECT @@server_id");
            self.check(state, "the server after its release", &server, server.starts_with(green));
        }
    }
}

/// The rows of the table in `docs/session.md`: what, what becomes of it, how.
fn documented() -> Vec<[String; 3]> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/session.md");
    let text = std::fs::read_to_string(path).expect("the manual's page");
    let states = text.split("\n## ").next().expect("the first section");
    let rows = states.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = rows.filter_map(|row| <[&str; 3]>::try_from(row.split(" | ").collect::<Vec<_>>()).ok());
    rows.map(|row| row.map(str::to_owned)).skip(1).collect()
}

#[test]
fn the_manual_has_exactly_the_states_that_are_tested_and_says_the_same_of_them() {
    let tested: Vec<_> = STATES.iter().map(|state| (state.name.to_owned(), state.fate.word().to_owned())).collect();
    let documented_rows = documented();
    let told: Vec<_> = documented_rows.iter().map(|[what, fate, _]| (what.clone(), fate.clone())).collect();
    assert_eq!(told, tested);
    for (state, [_, _, how]) in STATES.iter().zip(documented_rows) {
        if state.fate == Fate::Pinned {
            let says = if state.release.is_empty() { "for good" } else { "until " };
            assert!(how.starts_with(says), "{}: {how}", state.name);
        }
    }
}

/// Sets everything up, switches over, looks again.
fn every_state(flavor: Flavor, scenario: &Scenario, connections_live: bool) {
    let Some(lab) = crowded_pair(flavor, CONNECTIONS) else { return };
    set_up(&lab);
    let drivers = [Driver::LibMariaDb, Driver::LibMySqlClient];
    let mut programs: Vec<Program> = drivers.into_iter().filter_map(|driver| Program::start(&lab, driver)).collect();
    let (last, first): (Vec<usize>, Vec<usize>) = (0..STATES.len())
        .filter(|at| STATES[*at].is_on(flavor) && (connections_live || !STATES[*at].blocks))
        .partition(|at| STATES[*at].blocks);
    let order: Vec<usize> = first.into_iter().chain(last).collect();
    for at in &order {
        programs.iter_mut().for_each(|program| program.set_up(*at));
    }
    let green = format!("rows {}", lab.server(Side::Green).sql("SELECT @@server_id").unwrap().trim());
    scenario.run(&lab, &mut |_| {}).unwrap();
    let mut blunders = vec![];
    for mut program in programs {
        let answer = program.order(WITNESS, WRITE);
        assert!(answer.starts_with("ok"), "{}: {answer}; {}", program.name, program.says.stderr());
        order.iter().for_each(|at| program.look_again(*at, &green, connections_live));
        println!("{:?} on {flavor:?}: {} states", program.driver, order.len());
        blunders.append(&mut program.blunders);
    }
    assert!(blunders.is_empty(), "\n{}", blunders.join("\n"));
}

fn read_only() -> Scenario {
    Scenario::read_only(Duration::ZERO, Duration::ZERO)
}

fn blue_green() -> Scenario {
    Scenario::blue_green(Duration::ZERO, Duration::ZERO)
}

#[test]
fn every_state_is_what_the_table_says_after_a_read_only_switchover_on_mariadb() {
    every_state(Flavor::MariaDb, &read_only(), true);
}

#[test]
fn every_state_is_what_the_table_says_after_a_read_only_switchover_on_mysql() {
    every_state(Flavor::MySql, &read_only(), true);
}

#[test]
fn every_state_is_what_the_table_says_after_a_blue_green_switchover_on_mariadb() {
    every_state(Flavor::MariaDb, &blue_green(), false);
}

#[test]
fn every_state_is_what_the_table_says_after_a_blue_green_switchover_on_mysql() {
    every_state(Flavor::MySql, &blue_green(), false);
}
