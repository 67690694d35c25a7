//! The list of built-in functions is that of the connected server, on both families: what the server does not have, it may come
//! to have as a stored function.

use pointsman_lab::{Flavor, Server};
use pointsman_tests::{many::errors_of, single};

#[allow(dead_code)]
#[path = "../../src/sql/functions.rs"]
mod functions;
#[allow(dead_code)]
#[path = "../../src/sql/server.rs"]
mod server;

use functions::{Function, is_another_behind_space, lookup};

/// ER_SP_DOES_NOT_EXIST, ER_FUNC_INEXISTENT_NAME_COLLISION: a stored function was looked for.
const STORED: [u32; 2] = [1305, 1630];

/// Which of the names are a stored function's if they are called like this.
fn stored<'n>(server: &Server, names: &[&'n str], call: &str) -> Vec<&'n str> {
    let texts: Vec<_> = names.iter().map(|name| format!("EXPLAIN SELECT {name}{call}")).collect();
    let errors = errors_of(server, &texts);
    names.iter().zip(errors).filter(|(_, error)| STORED.contains(error)).map(|(name, _)| *name).collect()
}

#[test]
fn what_is_taken_for_built_in_is_built_into_the_connected_server_and_what_is_not_is_not() {
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let Some(lab) = single(flavor) else { return };
        let version = lab.blue().sql("SELECT @@version").unwrap();
        let here = server::Server::of(version.as_bytes());
        let names: Vec<_> = functions::names().collect();
        assert!(names.len() > 400);
        let mut wrong = vec![];
        for call in ["()", "(1)", "(1, 2)"] {
            let stored = stored(lab.blue(), &names, call);
            wrong.extend(
                stored
                    .iter()
                    .filter(|name| !matches!(lookup(name.as_bytes(), here), Function::Unknown))
                    .map(|name| format!("{name}{call}: a stored function's")),
            );
            if call == "()" {
                let built_in = names.iter().filter(|name| !stored.contains(*name));
                wrong.extend(
                    built_in
                        .filter(|name| lookup(name.as_bytes(), here) == Function::Unknown)
                        .map(|name| format!("{name}{call}: built in")),
                );
            }
            // With a space before the parenthesis.
            let with_space = self::stored(lab.blue(), &names, &format!(" {call}"));
            wrong.extend(
                with_space
                    .iter()
                    .filter(|name| lookup(name.as_bytes(), here) != Function::Unknown)
                    .filter(|name| !is_another_behind_space(name.as_bytes()))
                    .map(|name| format!("{name} {call}: a stored function's")),
            );
        }
        // Grammar rather than names: a table function, and geometries that are given too little.
        let grammar = ["JSON_TABLE", "GEOMETRYCOLLECTION", "POINT", "LINESTRING", "POLYGON", "MULTI"];
        wrong.retain(|name| !grammar.iter().any(|word| name.starts_with(word)));
        assert!(wrong.is_empty(), "{flavor:?} {version}: {wrong:#?}");
    }
}
