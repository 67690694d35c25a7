//! A simulated world as an endpoint sees it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{Adoption, Health, Word, World};
use crate::{
    endpoint::{
        Endpoint,
        ledger::Ledger,
        prober::Undialled,
        search::greetings::{FirstBytes, GreetingConnection},
        silence::Traffic,
        surroundings::Surroundings,
        turn::Claim,
    },
    host::{event::News, interruption::Recall},
    resolve::{Jitter, Pace},
};

/// More waits than this in one moment: the thread would keep a processor busy for ever.
const STANDSTILL: u32 = 1000;

impl Surroundings for World {
    fn watch(&self, endpoint: &Endpoint, pace: Pace) {
        self.wants(endpoint, pace);
        let mut facts = self.facts();
        let now = facts.elapsed;
        let generation = endpoint.pulse().generation();
        let incumbent = endpoint.writer_at_fork().map(|writer| writer.address);
        let before = facts.known.insert(endpoint.position, (generation, incumbent));
        if let Some(address) = incumbent
            && before.is_none_or(|(number, _)| number != generation)
        {
            let before = before.and_then(|(_, address)| address);
            let is_connected_before = facts.lines.iter().any(|line| Some(line.server) == before && facts.is_open(line));
            let adoption = Adoption {
                at: now,
                before,
                address,
                told: facts.told.clone(),
                is_connected_before,
                words: facts.words.clone(),
                topology: facts.topology.clone(),
            };
            facts.adoptions.push(adoption);
        }
    }

    fn traffic(&self, _: &Endpoint, server: SocketAddr) -> Traffic {
        self.traffic_of(server)
    }

    fn give_up(&self, endpoint: &Endpoint, server: SocketAddr) {
        self.cut_all(endpoint, server);
    }

    fn claims(&self, _: &Endpoint, _: u64) -> Option<Claim> {
        self.facts().claim
    }

    fn epoch(&self) -> usize {
        self.facts().epoch
    }

    fn now(&self) -> Instant {
        self.instant()
    }

    fn about_now(&self) -> u64 {
        1_000_000 + self.elapsed().as_millis() as u64
    }

    fn wall_clock(&self) -> u64 {
        1_800_000_000_000 + self.elapsed().as_millis() as u64
    }

    fn jitter(&self) -> Jitter {
        Jitter::from_seed(self.facts().endpoints.len() as u64)
    }

    fn wait(&self, news: &News, known: u32, time: Duration, recall: &mut Recall) {
        let began = self.elapsed();
        let until = began + time;
        loop {
            if self.facts().wants_back {
                recall.call_back();
            }
            if news.known() != known || recall.wanted() || !self.this().step(until, true) {
                break;
            }
        }
        let mut facts = self.facts();
        facts.standstill = if facts.elapsed > began { 0 } else { facts.standstill + 1 };
        assert!(facts.standstill < STANDSTILL, "a thread waits again and again, and no time passes");
    }

    fn recall(&self) -> Recall {
        Recall::of_no_signal()
    }

    fn is_ending(&self) -> bool {
        self.facts().is_ending
    }

    fn connect_for_greeting(
        &self,
        server: SocketAddr,
        within: Duration,
    ) -> Result<Box<dyn GreetingConnection>, Undialled> {
        let health =
            self.server(server).map_or((Health::Dead, Duration::ZERO), |found| (found.health, found.round_trip));
        let unreachable = |why: &str| {
            let why = Undialled::Unreachable(why.to_owned());
            self.note(server, Word::Undialled(why.clone()));
            Err(why)
        };
        match health {
            (Health::Unplugged, _) => {
                self.this().pass(within);
                unreachable("timed out")
            }
            (Health::Dead, round_trip) => {
                self.this().pass(round_trip);
                unreachable("refused")
            }
            (Health::Up | Health::Frozen, round_trip) => {
                self.this().pass(round_trip);
                let boot = self.server(server).map_or(0, |server| server.boot);
                Ok(Box::new(Greeted { world: self.this(), server, boot }))
            }
        }
    }

    fn on_shared_ledger(&self, work: &mut dyn FnMut(&mut Ledger)) -> bool {
        let Some(mut ledger) = self.facts().shared_ledger.take() else { return false };
        work(&mut ledger);
        self.facts().shared_ledger = Some(ledger);
        true
    }
}

/// A connection for a simulated server's greeting.
struct Greeted {
    world: &'static World,
    server: SocketAddr,
    boot: u32,
}

impl std::fmt::Debug for Greeted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Greeted").field("server", &self.server).field("boot", &self.boot).finish()
    }
}

impl Greeted {
    fn waits_for_bytes(&self, limit: Duration) -> FirstBytes {
        let until = self.world.elapsed() + limit;
        loop {
            let Some(server) = self.world.server(self.server) else { return FirstBytes::Closed };
            if server.boot != self.boot || server.health == Health::Dead {
                return FirstBytes::Closed;
            }
            if server.health == Health::Up {
                return FirstBytes::Came;
            }
            if !self.world.step(until, false) {
                return FirstBytes::Awaited;
            }
        }
    }
}

impl GreetingConnection for Greeted {
    fn is_ours(&self) -> bool {
        true
    }

    fn first_bytes(&self, limit: Duration) -> FirstBytes {
        let came = self.waits_for_bytes(limit);
        if came != FirstBytes::Came {
            self.world.note(self.server, Word::Undialled(Undialled::Unreachable("no greeting".to_owned())));
        }
        came
    }
}
