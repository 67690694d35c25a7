//! The compacted journal against the full one, on a model of a server's session.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample::select};

use super::journal::{Journal, Step};

/// What the model knows of a session: values by name, texts together with the character set that they were read in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Model(BTreeMap<String, String>);

impl Model {
    fn fresh() -> Self {
        let values = [
            ("charset", "first"),
            ("database", "first"),
            ("sql_mode", "lax"),
            ("time_zone", "SYSTEM"),
            ("collation", "first"),
        ];
        Model(values.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    fn get(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| "NULL".to_owned())
    }

    fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }

    /// False if the server refused it.
    fn run(&mut self, step: &Step) -> bool {
        match step {
            Step::Database(name) => self.set("database", String::from_utf8_lossy(name).into_owned()),
            Step::CharacterSet(name) => self.names(&String::from_utf8_lossy(name)),
            Step::ServerOption(option) => self.set("option", option.to_string()),
            Step::Text(text) => return self.text(std::str::from_utf8(text).unwrap()),
        }
        true
    }

    fn names(&mut self, name: &str) {
        self.set("charset", name.to_owned());
        self.set("collation", format!("{name}_ci"));
    }

    fn text(&mut self, text: &str) -> bool {
        let rest = text.strip_prefix("SET ").unwrap().trim_start_matches("SESSION ").trim_start_matches("@@");
        if let Some(name) = rest.strip_prefix("NAMES ") {
            self.names(name);
            return true;
        }
        if let Some(name) = rest.strip_prefix("CHARACTER SET ") {
            self.set("charset", name.to_owned());
            self.set("collation", format!("of {}", self.get("database")));
            return true;
        }
        let (name, value) = rest.split_once(" = ").unwrap();
        let value = match value.strip_prefix("@@").or(value.strip_prefix('@').map(|_| value)) {
            Some(other) => self.get(other),
            None if value.starts_with('"') && self.get("sql_mode").contains("ANSI") => "a column".to_owned(),
            // A text is one of a character set; a number is cut to what is allowed, or refused.
            None if name.starts_with('@') && !value.starts_with(char::is_numeric) => {
                format!("{value} in {} {}", self.get("charset"), self.get("collation"))
            }
            None if name == "wait_timeout" && value.len() > 5 && self.get("sql_mode").contains("strict") => {
                return false;
            }
            None if name == "optimizer_switch" => {
                let (switch, value) = value.trim_matches('\'').split_once('=').unwrap();
                self.set(switch, value.to_owned());
                return true;
            }
            None => value.to_owned(),
        };
        self.set(name, value);
        true
    }
}

#[rustfmt::skip]
const TEXTS: &[&str] = &[
    "SET @a = 1", "SET @a = 2", "SET @a = 'x'", "SET @b = 'x'", "SET @b = \"y\"", "SET @b = @a", "SET @a = @b",
    "SET @a = @@sql_mode", "SET @c = @@charset", "SET @c = 'é'",
    "SET time_zone = 'UTC'", "SET SESSION time_zone = '+01:00'", "SET @@time_zone = @a",
    "SET wait_timeout = 5", "SET wait_timeout = 9999999999", "SET foreign_key_checks = 0", "SET foreign_key_checks = 1",
    "SET sql_mode = 'ANSI strict'", "SET sql_mode = 'lax'", "SET SESSION sql_mode = 'strict'", "SET sql_mode = \"lax\"",
    "SET optimizer_switch = 'a=on'", "SET optimizer_switch = 'a=off'", "SET optimizer_switch = 'b=on'",
    "SET NAMES latin1", "SET NAMES utf8mb4", "SET CHARACTER SET latin2", "SET collation = 'x_bin'",
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let text = select(TEXTS).prop_map(|text| Step::Text(text.into()));
    let database = select(&["shop", "other"][..]).prop_map(|name| Step::Database(name.into()));
    let charset = select(&["latin1", "utf8mb4"][..]).prop_map(|name| Step::CharacterSet(name.into()));
    let option = (0..2).prop_map(Step::ServerOption);
    vec(prop_oneof![12 => text, 2 => database, 2 => charset, 1 => option], 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_compacted_journal_makes_the_same_session_as_the_full_one(steps in steps()) {
        let (mut journal, mut full) = (Journal::default(), Model::fresh());
        for step in steps {
            // What failed left nothing, and is not told to the journal.
            if !full.run(&step) {
                continue;
            }
            if journal.push(step).is_err() {
                // Refused: the session is pinned, and nothing is offered any more.
                prop_assert!(journal.steps().next().is_none());
                return Ok(());
            }
            let mut compacted = Model::fresh();
            prop_assert!(journal.steps().all(|step| compacted.run(step)));
            prop_assert_eq!(&compacted, &full);
        }
    }
}
