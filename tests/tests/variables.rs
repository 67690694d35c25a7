//! `docs/session.md` places every session variable, and every function that depends on the session, that the servers themselves
//! tell of.

use pointsman_lab::Flavor;
use pointsman_tests::{many::errors_of, single};

#[allow(dead_code)]
#[path = "../../src/sql/functions.rs"]
mod functions;
#[allow(dead_code)]
#[path = "../../src/sql/server.rs"]
mod server;

use functions::{Function, lookup};

/// The names, with `*` for any letters, in the first column of the table under that heading.
fn placed(heading: &str) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/session.md");
    let text = std::fs::read_to_string(path).expect("the manual's page");
    let section = text.split("\n## ").find(|section| section.starts_with(heading)).expect("the section");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let columns = rows.filter_map(|row| row.split(" | ").next());
    columns.flat_map(|column| column.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn is_placed(name: &str, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| {
        let mut parts = pattern.split('*');
        let mut rest = name.strip_prefix(parts.next().unwrap_or_default());
        let mut parts = parts.peekable();
        while let (Some(part), Some(left)) = (parts.next(), rest) {
            rest = match parts.peek() {
                None => left.ends_with(part).then_some(""),
                Some(_) => left.find(part).map(|at| &left[at + part.len()..]),
            };
        }
        rest == Some("")
    })
}

#[test]
fn every_session_variable_of_both_servers_is_placed() {
    let patterns = placed("Every session variable");
    assert!(patterns.len() > 100);
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let Some(lab) = single(flavor) else { return };
        let shown = lab.blue().sql("SHOW SESSION VARIABLES").unwrap();
        let names: Vec<_> = shown.lines().filter_map(|line| line.split('\t').next()).collect();
        let texts: Vec<_> = names.iter().map(|name| format!("SELECT @@session.{name}")).collect();
        // ER_INCORRECT_GLOBAL_LOCAL_VAR: it is the server's alone.
        let of_session: Vec<_> = names
            .iter()
            .zip(errors_of(lab.blue(), &texts))
            .filter(|(_, error)| *error != 1238)
            .map(|(n, _)| *n)
            .collect();
        println!("{flavor:?}: {} of {} variables are a session's", of_session.len(), names.len());
        assert!(of_session.len() > 100);
        let left: Vec<_> = of_session.iter().filter(|name| !is_placed(name, &patterns)).collect();
        assert!(left.is_empty(), "{flavor:?}: docs/session.md does not place {left:?}");
    }
}

#[test]
fn every_function_of_both_servers_that_depends_on_more_than_its_arguments_is_placed() {
    let patterns = placed("Every function");
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let Some(lab) = single(flavor) else { return };
        let mut told = lab.blue().sql("SELECT name FROM mysql.help_topic").unwrap();
        if flavor == Flavor::MariaDb {
            told += "\n";
            told += &lab.blue().sql("SELECT `FUNCTION` FROM information_schema.SQL_FUNCTIONS").unwrap();
        }
        let mut names: Vec<_> = told
            .lines()
            .map(|name| name.replace('\\', "").trim_end_matches("()").trim_end_matches(" FUNCTION").to_owned())
            .filter(|name| {
                !name.is_empty()
                    && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit())
            })
            .chain(functions::names().map(str::to_owned))
            .collect();
        names.sort();
        names.dedup();
        let texts: Vec<_> = names.iter().map(|name| format!("EXPLAIN SELECT {name}()")).collect();
        // ER_SP_DOES_NOT_EXIST, ER_FUNC_INEXISTENT_NAME_COLLISION, ER_PARSE_ERROR: no function, or one that takes arguments.
        let no_function = [1305, 1630];
        let version = lab.blue().sql("SELECT @@version").unwrap();
        let here = server::Server::of(version.as_bytes());
        let functions: Vec<_> =
            names.iter().zip(errors_of(lab.blue(), &texts)).filter(|(_, error)| !no_function.contains(error)).collect();
        assert!(functions.len() > 250, "{}", functions.len());
        let left: Vec<_> = functions
            .iter()
            .filter(|(name, error)| match lookup(name.as_bytes(), here) {
                Function::Pure | Function::Keyword => false,
                // Perhaps the topic of a statement.
                Function::Unknown => *error != 1064,
                _ => true,
            })
            .map(|(name, _)| name.as_str())
            .filter(|name| !is_placed(name, &patterns))
            .collect();
        assert!(left.is_empty(), "{flavor:?}: docs/session.md does not place {left:?}");
    }
}
