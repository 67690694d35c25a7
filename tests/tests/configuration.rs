//! What a faulty configuration costs: one line per fault, and nothing else.

use std::{fs, path::PathBuf, process::Command};

use pointsman_lab::{ENDPOINT, Flavor, Lab};
use pointsman_tests::{
    Shared,
    dialogue::{Dialogue, Driver},
    run::Preload,
    single,
};

static LAB: Shared = Shared::new();

fn lab() -> Option<&'static Lab> {
    LAB.get(|| single(Flavor::MariaDb))
}

/// Connects with a faulty configuration; its only line in the log at the default level.
fn sole_complaint(lab: &Lab, set_up: impl FnOnce(&mut Command)) -> String {
    let mut client = Dialogue::with(lab, Driver::LibMariaDb, Preload::Preloaded, |command| {
        command.env_remove("POINTSMAN_LOG_LEVEL");
        set_up(command);
    });
    assert_eq!(client.connect(0, ENDPOINT), "ok");
    client.assert_protected(lab);
    let mut log = client.log();
    assert_eq!(log.len(), 1, "{}", client.stderr());
    assert_eq!(client.finish(), Some(0));
    log.remove(0)
}

#[test]
fn switched_off_a_faulty_configuration_costs_no_line() {
    let Some(lab) = lab() else { return };
    let mut client = Dialogue::with(lab, Driver::LibMariaDb, Preload::Preloaded, |command| {
        command.env("POINTSMAN", "off").env("POINTSMAN_HOLD_MAX", "30").env("POINTSMAN_CONFIG", "/no-such-place");
    });
    assert_eq!(client.connect(0, ENDPOINT), "ok");
    assert_eq!(client.query("SELECT 1"), "rows 1");
    assert_eq!((client.stderr(), client.counter("protected_connections")), (String::new(), 0));
}

#[test]
fn a_broken_configuration_file_costs_one_line_and_no_protection() {
    let Some(lab) = lab() else { return };
    let file = lab.directory().join("garbage.toml");
    fs::write(&file, "hold_max = \"4s\"\n\u{1}\u{2} = = [[\n").unwrap();
    let line = sole_complaint(lab, |command| {
        command.env("POINTSMAN_CONFIG", &file);
    });
    assert!(line.contains(&format!("WARN: {}, line 2: is not TOML", file.display())), "{line}");
}

#[test]
fn an_unreadable_configuration_file_costs_one_line_and_no_protection() {
    let Some(lab) = lab() else { return };
    // A directory: permissions keep root out of nothing.
    for path in [lab.directory().to_owned(), PathBuf::from("/no-such-place/pointsman.toml")] {
        let line = sole_complaint(lab, |command| {
            command.env("POINTSMAN_CONFIG", &path);
        });
        assert!(line.contains(&format!("WARN: {}: cannot be read: ", path.display())), "{line}");
    }
}

#[test]
fn a_bad_value_costs_one_line_that_names_what_is_allowed_and_no_protection() {
    let Some(lab) = lab() else { return };
    let line = sole_complaint(lab, |command| {
        command.env("POINTSMAN_HOLD_MAX", "30");
    });
    assert!(
        line.contains("POINTSMAN_HOLD_MAX") && line.contains("\"30\"") && line.contains("500ms, 4s or 2m"),
        "{line}"
    );
    let line = sole_complaint(lab, |command| {
        command.env("POINTSMAN_HOLD_MAXIMUM", "30s");
    });
    assert!(line.contains("POINTSMAN_HOLD_MAXIMUM") && line.contains("the keys are "), "{line}");
}

#[test]
fn two_faults_cost_two_lines() {
    let Some(lab) = lab() else { return };
    let mut client = Dialogue::with(lab, Driver::LibMariaDb, Preload::Preloaded, |command| {
        command.env_remove("POINTSMAN_LOG_LEVEL").env("POINTSMAN_SETTLE", "soon").env("POINTSMAN_MODE", "bold");
    });
    assert_eq!(client.connect(0, ENDPOINT), "ok");
    let log = client.log();
    assert_eq!(log.len(), 2, "{log:?}");
    for (key, allowed) in [("POINTSMAN_SETTLE", "500ms"), ("POINTSMAN_MODE", "replay or observe")] {
        assert!(log.iter().any(|line| line.contains(key) && line.contains(allowed)), "{log:?}");
    }
}
