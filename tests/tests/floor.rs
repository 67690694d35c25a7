//! The floor against black holes: what the kernel is told of a protected connection's socket, and of no other.

use pointsman_lab::{ENDPOINT, Flavor, Lab};
use pointsman_tests::{
    Shared,
    dialogue::{Dialogue, Driver},
    drivers,
    run::Preload,
    single,
};

static LAB: Shared = Shared::new();

/// User timeout, keepalive, its idle time, interval and count.
const FLOOR: &str = "30000 1 10 5 4";

fn lab() -> Option<&'static Lab> {
    LAB.get(|| single(Flavor::MariaDb))
}

/// The socket of a connection to `host`.
fn socket_to(lab: &Lab, driver: Driver, host: &str, preload: Preload, mode: &str) -> String {
    let mut client = Dialogue::with(lab, driver, preload, |command| {
        command.env("POINTSMAN_MODE", mode);
    });
    assert_eq!(client.connect(0, host), "ok");
    client.ask("socket 0")
}

#[test]
fn a_connection_to_an_endpoint_has_the_floor_also_after_it_was_replaced() {
    let Some(lab) = lab() else { return };
    for driver in drivers() {
        let mut client = Dialogue::with(lab, driver, Preload::Preloaded, |_| {});
        assert_eq!(client.connect(0, ENDPOINT), "ok");
        assert_eq!(client.ask("socket 0"), FLOOR, "{driver:?}");
        client.assert_protected(lab);
        assert_eq!(client.ask("socket 0"), FLOOR, "{driver:?}");
    }
}

#[test]
fn other_connections_have_what_they_have_without_us() {
    let Some(lab) = lab() else { return };
    let address = lab.blue().ip().to_string();
    for driver in drivers() {
        let bare = socket_to(lab, driver, ENDPOINT, Preload::Bare, "replay");
        assert_ne!(bare, FLOOR);
        for (host, mode) in [(ENDPOINT, "observe"), (&address, "replay")] {
            assert_eq!(socket_to(lab, driver, host, Preload::Preloaded, mode), bare, "{driver:?}, {host}, {mode}");
        }
    }
}

#[test]
fn a_server_that_reads_a_file_may_be_slow_for_as_long_as_it_likes() {
    let Some(lab) = lab() else { return };
    for driver in drivers() {
        let mut client = Dialogue::with(lab, driver, Preload::Preloaded, |_| {});
        assert_eq!(client.connect(0, ENDPOINT), "ok");
        let answer = client.query("LOAD DATA LOCAL INFILE '/no-such-file' INTO TABLE orders (note)");
        assert!(answer.starts_with("error "), "{answer}");
        assert_eq!(client.ask("socket 0"), FLOOR.replace("30000", "0"), "{driver:?}");
    }
}
