//! A protected application on a lab of its own, which is told what to do and has to answer right.

use std::process::Command;

use pointsman_lab::{ENDPOINT, Flavor, Lab, Side};

use super::{
    dialogue::{Dialogue, Driver},
    run::Preload,
};

/// The application, connected as handle 0.
pub struct Stage<'a> {
    pub lab: &'a Lab,
    pub driver: Driver,
    pub client: Dialogue,
}

impl<'a> Stage<'a> {
    pub fn set(lab: &'a Lab, driver: Driver) -> Self {
        Self::set_with(lab, driver, |_| {})
    }

    pub fn set_with(lab: &'a Lab, driver: Driver, environment: impl FnOnce(&mut Command)) -> Self {
        let mut stage = Stage { lab, driver, client: protected(lab, driver, environment) };
        stage.connects(0);
        stage
    }

    #[track_caller]
    pub fn connects(&mut self, handle: u32) {
        assert_eq!(self.client.connect(handle, ENDPOINT), "ok", "{}", self.client.stderr());
    }

    #[track_caller]
    pub fn expect(&mut self, command: &str, answer: &str) {
        assert_eq!(self.client.ask(command), answer, "{command}; {}", self.client.stderr());
    }

    #[track_caller]
    pub fn expect_all(&mut self, dialogue: &[(&str, &str)]) {
        for (command, answer) in dialogue {
            self.expect(command, answer);
        }
    }

    /// With one of these errors.
    #[track_caller]
    pub fn fails(&mut self, command: &str, numbers: &[u32]) {
        let answer = self.client.ask(command);
        let expected = numbers.iter().any(|number| answer.starts_with(&format!("error {number} ")));
        assert!(expected, "{command}: {answer}; {}", self.client.stderr());
    }

    /// `call`: what asks, and on which handle (`query 0`).
    #[track_caller]
    pub fn is_on(&mut self, call: &str, side: Side) {
        let id = self.lab.server(side).sql("SELECT @@server_id").unwrap();
        self.expect(&format!("{call} SELECT @@server_id"), &format!("rows {}", id.trim()));
    }

    /// The server ends the connection while it is idle. Gives its id there.
    #[track_caller]
    pub fn loses(&mut self, handle: u32) -> String {
        let id = self.client.ask(&format!("id {handle}"));
        self.lab.blue().sql(&format!("KILL {id}")).unwrap();
        self.expect(&format!("gone {handle}"), "gone");
        id
    }

    /// The texts in `t`.
    pub fn rows(&self, side: Side) -> String {
        let rows = "SELECT GROUP_CONCAT(v ORDER BY id) FROM shop.t";
        self.lab.server(side).sql(rows).unwrap().trim().to_owned()
    }
}

/// A client program with the library. MySQL's own client library logs in to MySQL under TLS.
pub fn protected(lab: &Lab, driver: Driver, environment: impl FnOnce(&mut Command)) -> Dialogue {
    Dialogue::with(lab, driver, Preload::Preloaded, |command| {
        if lab.blue().flavor() == Flavor::MySql && driver == Driver::LibMySqlClient {
            command.env("CLIENT_CA", lab.ca_path());
        }
        environment(command);
    })
}
