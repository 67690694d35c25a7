//! Two servers accept writes, and DNS names one of them: which one gets the writes of a connection that was lost, of a new
//! one, and of one that is open. Without the library, DNS decides the first two.

use std::{thread, time::Duration};

use pointsman_lab::{ENDPOINT, Lab, Side, USER};
use pointsman_tests::{on_both, puppet::Puppet, server_id, with_table};

on_both! { with_table;
    after_a_crash_nothing_is_written_to_the_old_writer_that_restarts_writable
    a_statement_in_a_crash_waits_for_the_server_that_dns_names_and_not_for_the_old_writer
    connections_that_are_killed_so_that_clients_connect_anew_are_opened_where_dns_leads
    an_open_connection_stays_on_a_writable_server_until_settle_and_then_follows_dns
    a_lost_connection_does_not_follow_a_name_that_flaps_to_a_read_only_server
    a_lost_transaction_is_replayed_where_dns_leads
}

const WHO: &str = "SELECT @@server_id";
const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";

fn promote_green(lab: &Lab) {
    lab.green().stop_replication().unwrap();
    lab.green().set_read_only(false).unwrap();
}

/// DNS names this side, and the library has seen it.
fn point_dns(lab: &Lab, puppet: &Puppet, side: Side) {
    let address = lab.server(side).ip();
    lab.dns().set(ENDPOINT, &[address], 1).unwrap();
    puppet.wait_for_log(&format!("DNS answers [{address}]"));
}

fn rows(lab: &Lab, side: Side) -> String {
    lab.server(side).sql("SELECT COUNT(*) FROM shop.t").unwrap().trim().to_owned()
}

fn catch_up(lab: &Lab) {
    lab.green().wait_caught_up(lab.blue(), Duration::from_secs(30)).unwrap();
}

fn puppet(lab: &Lab) -> Puppet {
    Puppet::start(lab, &[("POINTSMAN_LOG_LEVEL", "info")])
}

/// The server's id of a connection.
fn id(puppet: &mut Puppet, name: &'static str) -> String {
    let answer = puppet.query(name, "SELECT CONNECTION_ID()");
    answer.chars().filter(char::is_ascii_digit).collect()
}

mod proofs {
    use super::*;

    pub fn after_a_crash_nothing_is_written_to_the_old_writer_that_restarts_writable(lab: &Lab) {
        let (mut puppet, mut bare) = (puppet(lab), Puppet::bare(lab));
        for puppet in [&mut puppet, &mut bare] {
            puppet.connect("a");
            puppet.connect("quiet");
        }
        catch_up(lab);
        lab.blue().kill9();
        promote_green(lab);
        point_dns(lab, &puppet, Side::Green);
        lab.blue().set_starts_read_only(false);
        lab.blue().start().unwrap();
        for puppet in [&mut puppet, &mut bare] {
            // Dead connections, and one that the pool opens since it grows.
            puppet.connect("fresh");
            for name in ["a", "quiet", "fresh"] {
                assert!(puppet.pooled(name, INSERT).starts_with("ok"), "{}", puppet.stderr());
                assert_eq!(puppet.query(name, WHO), server_id(lab, Side::Green), "{name}: {}", puppet.stderr());
            }
        }
        assert_eq!([rows(lab, Side::Blue), rows(lab, Side::Green)], ["0", "6"]);
    }

    pub fn a_statement_in_a_crash_waits_for_the_server_that_dns_names_and_not_for_the_old_writer(lab: &Lab) {
        let mut puppet = puppet(lab);
        puppet.connect("a");
        puppet.connect("b");
        catch_up(lab);
        lab.blue().kill9();
        puppet.begin("a", "query", INSERT);
        point_dns(lab, &puppet, Side::Green);
        lab.blue().set_starts_read_only(false);
        lab.blue().start().unwrap();
        puppet.begin("b", "query", INSERT);
        puppet.begin("c", "connect", "-");
        // Time enough to find blue.
        thread::sleep(Duration::from_secs(2));
        promote_green(lab);
        assert_eq!([puppet.answer("a"), puppet.answer("b")].map(|answer| answer[..2].to_owned()), ["ok", "ok"]);
        assert_eq!(puppet.answer("c"), "ok 'connected'");
        for name in ["a", "b", "c"] {
            assert_eq!(puppet.query(name, WHO), server_id(lab, Side::Green), "{name}: {}", puppet.stderr());
        }
        assert_eq!([rows(lab, Side::Blue), rows(lab, Side::Green)], ["0", "2"], "{}", puppet.stderr());
    }

    pub fn connections_that_are_killed_so_that_clients_connect_anew_are_opened_where_dns_leads(lab: &Lab) {
        let (mut puppet, mut bare) = (puppet(lab), Puppet::bare(lab));
        for puppet in [&mut puppet, &mut bare] {
            puppet.connect("a");
            puppet.connect("b");
        }
        catch_up(lab);
        promote_green(lab);
        // The watcher looks once per TTL, and may not have seen it yet.
        lab.dns().set(ENDPOINT, &[lab.green().ip()], 60).unwrap();
        lab.blue().drop_connections(USER).unwrap();
        for puppet in [&mut puppet, &mut bare] {
            for name in ["a", "b"] {
                assert!(puppet.pooled(name, INSERT).starts_with("ok"), "{}", puppet.stderr());
            }
        }
        assert_eq!([rows(lab, Side::Blue), rows(lab, Side::Green)], ["0", "4"], "{}", puppet.stderr());
    }

    pub fn an_open_connection_stays_on_a_writable_server_until_settle_and_then_follows_dns(lab: &Lab) {
        let settings = [("POINTSMAN_LOG_LEVEL", "info"), ("POINTSMAN_SETTLE", "6s")];
        let mut puppet = Puppet::start(lab, &settings);
        puppet.connect("killed");
        puppet.connect("open");
        catch_up(lab);
        promote_green(lab);
        point_dns(lab, &puppet, Side::Green);
        let killed = id(&mut puppet, "killed");
        lab.blue().local(&format!("KILL {killed}")).unwrap();
        assert_eq!(puppet.query("killed", WHO), server_id(lab, Side::Green), "{}", puppet.stderr());
        assert_eq!(puppet.query("open", WHO), server_id(lab, Side::Blue), "{}", puppet.stderr());
        thread::sleep(Duration::from_secs(2));
        assert_eq!(puppet.query("open", WHO), server_id(lab, Side::Blue), "{}", puppet.stderr());
        thread::sleep(Duration::from_secs(6));
        assert_eq!(puppet.query("open", WHO), server_id(lab, Side::Green), "{}", puppet.stderr());
    }

    pub fn a_lost_connection_does_not_follow_a_name_that_flaps_to_a_read_only_server(lab: &Lab) {
        let mut puppet = puppet(lab);
        puppet.connect("idle");
        puppet.connect("open");
        point_dns(lab, &puppet, Side::Green);
        // An open connection shows that the writer is where it was.
        let idle = id(&mut puppet, "idle");
        lab.blue().local(&format!("KILL {idle}")).unwrap();
        assert_eq!(puppet.query("idle", WHO), server_id(lab, Side::Blue), "{}", puppet.stderr());
        // No connection is left: the statement waits for a name that means a writer.
        lab.blue().drop_connections(USER).unwrap();
        puppet.begin("idle", "query", INSERT);
        puppet.wait_for_log("is left out by DNS");
        thread::sleep(Duration::from_secs(1));
        assert!(puppet.is_waiting("idle"));
        lab.dns().set(ENDPOINT, &[lab.blue().ip()], 1).unwrap();
        assert_eq!(puppet.answer("idle"), "ok (1, 1)", "{}", puppet.stderr());
        assert_eq!(puppet.query("open", WHO), server_id(lab, Side::Blue), "{}", puppet.stderr());
    }

    pub fn a_lost_transaction_is_replayed_where_dns_leads(lab: &Lab) {
        let mut puppet = puppet(lab);
        puppet.connect("a");
        catch_up(lab);
        promote_green(lab);
        point_dns(lab, &puppet, Side::Green);
        for text in ["BEGIN", INSERT] {
            assert!(puppet.query("a", text).starts_with("ok"));
        }
        assert_eq!(rows(lab, Side::Blue), "0", "not committed");
        lab.blue().drop_connections(USER).unwrap();
        assert!(puppet.query("a", INSERT).starts_with("ok"), "{}", puppet.stderr());
        assert_eq!(puppet.query("a", "COMMIT"), "ok (0, 0)", "{}", puppet.stderr());
        assert_eq!([rows(lab, Side::Blue), rows(lab, Side::Green)], ["0", "2"], "{}", puppet.stderr());
    }
}
