//! What `pointsman drill` says to options that it does not understand.

use std::process::Command;

fn drill(words: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_pointsman")).arg("drill").args(words).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_bad_duration_is_one_line_with_option_value_and_what_is_allowed() {
    for (option, value) in
        [("--outage", "3"), ("--outage", "1.5s"), ("--outage", "-1s"), ("--dns-lag", "2h"), ("--dns-lag", "")]
    {
        let (code, err) = drill(&[option, value]);
        assert_eq!((code, err.lines().count()), (Some(2), 1), "{err}");
        assert!(err.starts_with(&format!("pointsman: {option} {value}: ")), "{err}");
        assert!(err.contains("500ms, 4s or 2m"), "{err}");
    }
}

#[test]
fn a_bad_number_of_threads_is_one_line_with_what_is_allowed() {
    let (code, err) = drill(&["--threads", "0"]);
    assert_eq!((code, err.lines().count()), (Some(2), 1), "{err}");
    assert!(err.contains("--threads 0") && err.contains("1..=64"), "{err}");
}

#[test]
fn an_unknown_workload_scenario_or_server_is_answered_with_the_known_ones() {
    for (option, known) in [("--workload", "libmysqlclient"), ("--scenario", "rollback"), ("--server", "mariadb")] {
        let (code, err) = drill(&[option, "oracle"]);
        assert_eq!(code, Some(2));
        assert!(err.contains("oracle") && err.contains(known), "{err}");
    }
}

#[test]
fn a_missing_library_is_a_usage_error_before_any_server_starts() {
    let (code, err) = drill(&["--library", "/nowhere/libpointsman.so"]);
    assert_eq!((code, err.lines().count()), (Some(2), 1), "{err}");
}
