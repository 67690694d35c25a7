//! One name for the three nodes of a Galera cluster: what becomes of one node is the business of its own connections, and
//! a node that has lost its cluster gets none.

use std::{
    thread,
    time::{Duration, Instant},
};

use pointsman_lab::{Flavor, Lab, Server};
use pointsman_tests::{
    puppet::Puppet,
    run::Preload::{self, Bare, Preloaded},
    wait_for,
};

const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";
const WHERE: &str = "SELECT @@server_id, CONNECTION_ID()";
const POOL: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
/// A node is given up by the others within some two seconds.
const SETTLES: Duration = Duration::from_secs(60);
const ROUNDS: usize = 5;

fn cluster() -> Option<Lab> {
    let lab = match Lab::builder().both(Flavor::MariaDb).galera().start() {
        Err(error) if error.is_unavailable() => {
            println!("skipped: {error}");
            return None;
        }
        lab => lab.expect("a cluster"),
    };
    let table = "CREATE TABLE IF NOT EXISTS shop.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(99))";
    wait_for("a table", || lab.blue().sql(table).is_ok());
    Some(lab)
}

fn third(lab: &Lab) -> &Server {
    lab.third().expect("a cluster has three nodes")
}

fn is_ready(server: &Server) -> bool {
    server.sql("SHOW GLOBAL STATUS LIKE 'wsrep_ready'").is_ok_and(|ready| ready.trim().ends_with("ON"))
}

/// As this node knows it.
fn has_size(server: &Server, size: u32) -> bool {
    let told = server.sql("SHOW GLOBAL STATUS LIKE 'wsrep_cluster_size'");
    told.is_ok_and(|told| told.split_whitespace().last() == Some(size.to_string().as_str()))
}

fn isolate(server: &Server, is: bool) {
    server.sql(&format!("SET GLOBAL wsrep_provider_options = 'gmcast.isolate={}'", u8::from(is))).unwrap();
    wait_for("a node without its cluster, or with it again", || is_ready(server) != is);
}

/// Each connection's node and id.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    name: &'static str,
    node: char,
    answer: String,
}

fn places(program: &mut Puppet) -> Vec<Place> {
    POOL.iter()
        .map(|name| {
            let answer = program.query(name, WHERE);
            // A node without its cluster lets a read wait for the others in vain (wsrep_sync_wait).
            let node = if answer.starts_with("ok ((") { answer.chars().nth(5) } else { None };
            Place { name, node: node.unwrap_or('-'), answer }
        })
        .collect()
}

fn count(places: &[Place], node: char) -> usize {
    places.iter().filter(|place| place.node == node).count()
}

/// A pool with connections to all three nodes.
fn pool(lab: &Lab, preload: Preload) -> (Puppet, Vec<Place>) {
    let mut program = Puppet::start_as(lab, preload, &[("POINTSMAN_LOG_LEVEL", "debug")]);
    for name in POOL {
        program.connect(name);
    }
    let led = places(&mut program);
    assert!(['1', '2', '3'].iter().all(|node| count(&led, *node) < POOL.len() * 3 / 4), "{preload:?}: {led:?}");
    // Where a connect is led follows the turns of the name server: a pool replaces its connections now and then.
    let until = Instant::now() + SETTLES;
    loop {
        let at = places(&mut program);
        if ['1', '2', '3'].iter().all(|node| count(&at, *node) >= 2) {
            return (program, at);
        }
        assert!(Instant::now() < until, "{preload:?}: {at:?}: {}", program.stderr());
        let most = ['1', '2', '3'].into_iter().max_by_key(|node| count(&at, *node));
        let replaced = at.iter().rfind(|place| Some(place.node) == most).unwrap();
        program.connect(replaced.name);
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_loss(answer: &str) -> bool {
    ["error 2006 ", "error 2013 ", "error 2026 "].iter().any(|loss| answer.starts_with(loss))
}

/// A naive pool: it connects anew what was lost, and has no idea of what 1047 means. The errors that it met.
fn work(program: &mut Puppet) -> Vec<String> {
    let mut errors = Vec::new();
    for _ in 0..ROUNDS {
        for name in POOL {
            let answer = program.query(name, INSERT);
            if answer.starts_with("ok (1, ") {
                continue;
            }
            if is_loss(&answer) {
                let _ = program.ask(name, "connect", "-");
            }
            errors.push(answer);
        }
    }
    errors
}

/// Two pools beside each other, one with the library and one without.
struct Pools {
    lab: Lab,
    protected: Puppet,
    bare: Puppet,
    before: Vec<Place>,
}

impl Pools {
    fn open() -> Option<Pools> {
        let lab = cluster()?;
        let (mut bare, _) = pool(&lab, Bare);
        let (mut protected, before) = pool(&lab, Preloaded);
        for program in [&mut bare, &mut protected] {
            let errors = work(program);
            assert!(errors.is_empty(), "{errors:?}: {}", program.stderr());
        }
        Some(Pools { lab, protected, bare, before })
    }

    /// Both work. The protected one fails nowhere; returns how often the other one does.
    fn work(&mut self) -> usize {
        let (bare, protected) = thread::scope(|scope| {
            let bare = scope.spawn(|| work(&mut self.bare));
            (bare.join(), work(&mut self.protected))
        });
        assert!(protected.is_empty(), "{protected:?}: {}", self.protected.stderr());
        bare.unwrap().len()
    }

    /// The protected pool's connections that were open to these nodes are open to them still.
    fn stayed(&mut self, nodes: &[char]) -> Vec<Place> {
        let after = places(&mut self.protected);
        for (before, after) in self.before.iter().zip(&after).filter(|(before, _)| nodes.contains(&before.node)) {
            assert_eq!(before, after, "a healthy connection was moved: {}", self.protected.stderr());
        }
        after
    }
}

#[test]
fn a_node_without_its_cluster_gets_no_connection_when_another_one_stops() {
    let Some(mut pools) = Pools::open() else { return };
    isolate(pools.lab.green(), true);
    // One that stops before the others have missed the isolated node would leave half of a cluster, which takes no writes.
    wait_for("a cluster of two", || has_size(third(&pools.lab), 2));
    pools.lab.blue().stop().unwrap();
    wait_for("the node that is left", || is_ready(third(&pools.lab)));
    assert!(pools.work() > 0);
    assert!(pools.stayed(&['3']).iter().all(|place| place.node == '3'), "{}", pools.protected.stderr());
}

#[test]
fn a_node_that_crashes_and_comes_back_moves_its_connections_and_no_others() {
    let Some(mut pools) = Pools::open() else { return };
    pools.lab.blue().kill9();
    wait_for("the nodes that are left", || is_ready(pools.lab.green()) && is_ready(third(&pools.lab)));
    assert!(pools.work() > 0);
    assert_eq!(count(&pools.stayed(&['2', '3']), '1'), 0);
    // A joiner takes its data from another node before it serves.
    pools.lab.blue().start().unwrap();
    pools.work();
    pools.stayed(&['2', '3']);
}

#[test]
fn a_node_that_loses_its_cluster_is_left_by_its_connections_and_by_no_others_until_it_has_found_it_again() {
    let Some(mut pools) = Pools::open() else { return };
    isolate(pools.lab.blue(), true);
    assert!(pools.work() > 0);
    let after = pools.stayed(&['2', '3']);
    assert_eq!(count(&after, '1'), 0, "{}", pools.protected.stderr());
    isolate(pools.lab.blue(), false);
    assert_eq!(pools.work(), 0);
    assert_eq!(pools.stayed(&['2', '3']), after, "{}", pools.protected.stderr());
}

#[test]
fn a_node_that_is_made_read_only_is_left_by_its_connections_and_by_no_others() {
    let Some(mut pools) = Pools::open() else { return };
    third(&pools.lab).set_read_only(true).unwrap();
    assert!(pools.work() > 0);
    pools.stayed(&['1', '2']);
}

#[test]
fn a_node_that_its_operator_has_refuse_all_queries_is_left_by_its_connections_and_by_no_others() {
    let Some(mut pools) = Pools::open() else { return };
    // It still says that it is ready.
    pools.lab.green().sql("SET GLOBAL wsrep_reject_queries = ALL").unwrap();
    assert!(pools.work() > 0);
    assert_eq!(count(&pools.stayed(&['1', '3']), '2'), 0, "{}", pools.protected.stderr());
}

#[test]
fn a_transaction_that_is_open_on_a_node_that_loses_its_cluster_is_replayed_once_on_another() {
    let Some(mut pools) = Pools::open() else { return };
    let name = pools.before.iter().find(|place| place.node == '1').unwrap().name;
    let rows = |lab: &Lab| third(lab).sql("SELECT COUNT(*) FROM shop.t WHERE v LIKE 'order%'").unwrap();
    for text in ["BEGIN", "INSERT INTO t (v) VALUES ('order 1')"] {
        assert!(pools.protected.query(name, text).starts_with("ok"));
    }
    isolate(pools.lab.blue(), true);
    for text in ["INSERT INTO t (v) VALUES ('order 2')", "COMMIT"] {
        let answer = pools.protected.query(name, text);
        assert!(answer.starts_with("ok"), "{text}: {answer}: {}", pools.protected.stderr());
    }
    assert_eq!(rows(&pools.lab).trim(), "2");
    isolate(pools.lab.blue(), false);
    assert_eq!(rows(&pools.lab).trim(), "2");
}
