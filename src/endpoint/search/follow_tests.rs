//! When a connection takes the writer that another thread has verified, in simulated time.

use super::{behind::Server as Identity, prober::Prober, *};
use crate::endpoint::simulation::{Connection, Server, World};

const HOST: &str = "db.shop.example";

fn blue() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 3306))
}

fn green() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 3306))
}

/// A connection that is open to blue, which has said who it is. It counts how often it is asked anything.
struct Open {
    opened: Instant,
    asked: u32,
}

fn said_by(name: &str) -> Identity {
    Identity::of(&[Some(name.as_bytes().to_vec())]).unwrap()
}

impl Prober for Open {
    fn address(&self) -> Option<SocketAddr> {
        Some(blue())
    }
    fn server(&self) -> Option<Identity> {
        Some(said_by("blue"))
    }
    fn opened(&self) -> Instant {
        self.opened
    }
    fn fd(&self) -> i32 {
        -1
    }
    fn dial(&mut self, _: SocketAddr) -> Result<(), Undialled> {
        self.asked += 1;
        Ok(())
    }
    fn ask(&mut self) -> Writability {
        self.asked += 1;
        Writability::ReadOnly
    }
    fn read_topology(&mut self) -> Option<topology::Topology> {
        None
    }
    fn others_are_alive_at(&self, _: SocketAddr) -> bool {
        false
    }
    fn resolve(&mut self) -> Vec<std::net::IpAddr> {
        self.asked += 1;
        Vec::new()
    }
}

#[test]
fn a_connection_whose_own_server_is_read_only_takes_the_writer_elsewhere_that_another_thread_has_verified_at_once() {
    let world = World::new();
    let endpoint = world.endpoint_on(HOST, blue());
    endpoint.on_server_said(blue(), said_by("blue"), Writability::Writable);
    let mut held = Open { opened: world.instant(), asked: 0 };
    world.pass(Duration::from_secs(1));
    endpoint.on_server_said(blue(), said_by("blue"), Writability::ReadOnly);
    endpoint.incumbent_unfit(&mut endpoint.lock(), blue(), None);
    endpoint.on_answer(vec![green().ip()]);
    endpoint.on_server_said(green(), said_by("green"), Writability::Writable);
    endpoint.adopt(&mut endpoint.lock(), green(), None);
    let found = endpoint.find_writer(&mut held, None).map(|found| (found.address, found.writable, found.redial));
    assert_eq!(
        (found, held.asked),
        (Some((green(), true, false)), 0),
        "it waits for no other thread, and asks nothing"
    );
}

#[test]
fn a_lost_connection_asks_getaddrinfo_before_it_takes_the_writer_that_another_thread_stays_with() {
    for (named, writer) in [(green(), green()), (blue(), blue())] {
        let world = World::new();
        world.put(green(), Server::up(true));
        let endpoint = world.endpoint_on(HOST, blue());
        let _beside = Connection::open(world, &endpoint, blue());
        world.pass(Duration::from_secs(1));
        // The name has moved, which the watcher will know later; another thread's connection is open, and was asked.
        world.resolver_says(&[named.ip()]);
        endpoint.stay_with_incumbent(&mut endpoint.lock());
        let mut lost = Connection::lost(world, &endpoint);
        assert_eq!(endpoint.find_writer(&mut lost, None).map(|found| found.address), Some(writer));
    }
}
