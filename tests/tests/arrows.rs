//! Which room of `src/` may import which: the table of ARCHITECTURE.md. An import against it would tie the rooms into a knot.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A room, and the rooms that it may import.
const MAY: [(&str, &[&str]); 13] = [
    ("host", &[]),
    ("sql", &[]),
    ("wire", &[]),
    ("control", &["host"]),
    ("session", &["sql"]),
    ("verdict", &["sql"]),
    ("guard", &["host", "control"]),
    ("resolve", &["host", "control"]),
    ("endpoint", &["resolve", "control", "host"]),
    ("process", &["endpoint", "resolve", "guard", "control", "host"]),
    ("protect", &["endpoint", "session", "sql", "verdict", "guard", "control", "host"]),
    ("client", &["protect", "process", "endpoint", "session", "sql", "verdict", "guard", "control", "host"]),
    ("doors", &["client", "protect", "process", "endpoint", "session", "sql", "verdict", "guard", "control", "host"]),
];
/// Only in tests: a world in which the rooms below are driven.
const SIMULATION: (&str, &[&str]) =
    ("simulation", &["protect", "endpoint", "resolve", "session", "sql", "verdict", "control", "host"]);
/// Files that are no room: the C interface, and the map.
const ABI: (&str, &[&str]) = ("abi", &["doors", "guard", "control"]);
const MAP: &str = "lib";

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn without_comments(source: &str) -> String {
    source.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n")
}

fn first_name(path: &str) -> &str {
    let path = path.trim_start();
    &path[..path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len())]
}

/// The rooms that `crate::…` and `crate::{…, …}` name.
fn named(source: &str) -> BTreeSet<&str> {
    let mut rooms = BTreeSet::new();
    for (at, _) in source.match_indices("crate::") {
        let rest = &source[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            rooms.insert(first_name(rest));
            continue;
        };
        let (mut depth, mut begins) = (0, 0);
        for (position, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    rooms.insert(first_name(&group[begins..position]));
                    begins = position + 1;
                    if character == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    rooms.remove("");
    rooms
}

/// Does some `super::super::…` of a module that is so deep lead out of its room?
fn climbs_out(source: &str, depth: usize) -> bool {
    let tests_at = source.find("mod tests").unwrap_or(source.len());
    source.match_indices("super::").any(|(at, _)| {
        let chain = source[at..].split("::").take_while(|part| part.trim() == "super").count();
        chain >= depth + usize::from(at > tests_at)
    })
}

#[test]
fn no_room_imports_one_that_it_may_not() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let mut wrong = Vec::new();
    for path in files(&source) {
        let inside = path.strip_prefix(&source).unwrap().with_extension("");
        let mut parts: Vec<_> = inside.iter().map(|part| part.to_str().unwrap()).collect();
        if parts.last() == Some(&"mod") {
            parts.pop();
        }
        let room = parts[0];
        if room == MAP {
            continue;
        }
        let known = MAY.iter().chain([&ABI, &SIMULATION]).find(|(name, _)| *name == room);
        let Some((_, may)) = known else {
            wrong.push(format!("{}: no such room in the table: {room}", path.display()));
            continue;
        };
        let text = without_comments(&fs::read_to_string(&path).unwrap());
        let is_proof = parts.last().is_some_and(|name| name.ends_with("_tests"));
        if climbs_out(&text, parts.len() + usize::from(is_proof)) {
            wrong.push(format!("{}: `super::` leads out of {room}: write `crate::`", path.display()));
        }
        let named = named(&text);
        let against = named.iter().filter(|name| **name != room && !may.contains(name));
        wrong.extend(against.map(|name| format!("{}: {room} may not import {name}", path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_are_found_in_every_form() {
    let source = "use crate::{a::{b, c}, d,\n e::f};\nfn f() { crate::g::h() }\nuse crate::i;";
    assert_eq!(named(source), BTreeSet::from(["a", "d", "e", "g", "i"]));
    assert!(climbs_out("use super::super::x;", 2) && !climbs_out("use super::x;", 2));
    assert!(!climbs_out("mod tests { use super::super::x; }", 2));
}
