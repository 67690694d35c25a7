//! Random stories of servers, DNS and connections, in simulated time: whatever happens, no server becomes the writer that may
//! not, each search ends, and once the trouble is over the writer is found.
//!
//! A story is its seed. `SIMULATION_SEED=n` tells one again, with what was asked and the library's log; `SIMULATION_STORIES=n` tells more.

use std::{env, sync::Arc, thread};

use pointsman_dice::Dice;

use super::{Found, candidates::Configured, prober::Prober, topology::Topology, *};
use crate::{
    control::{log, option::Candidate},
    endpoint::{
        Endpoint,
        logins::Login,
        simulation::{Admission, Adoption, Connection, Health, Server, Word, World},
    },
};

const HOST: &str = "db.shop.example";
const GREEN: &str = "db-green.shop.example";
const STORIES: u64 = 20_000;
/// Threads that tell them. Each story is told by one of them.
const TELLERS: u64 = 2;
/// What one look may take that began before the limit: of three servers, each falls silent in the middle of a login (20 s).
const LAST_LOOK: Duration = Duration::from_secs(60);
/// Between what a server says and what comes of it, its topology table is read.
const A_LOOK: Duration = Duration::from_millis(20);
/// By then the watcher has an answer of DNS, and has heard of servers that were silent.
const SETTLED: Duration = Duration::from_secs(6);
/// By then DNS has answered, and a connection may look again although the circuit is open.
const NEXT_LOOK: Duration = Duration::from_secs(4);
/// By then a login that was refused is made again.
const FORGIVEN: Duration = Duration::from_secs(601);

fn address(number: u64) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number as u8], 3306))
}

/// One story, up to where it has come.
struct Story {
    world: &'static World,
    dice: Dice,
    endpoint: Arc<Endpoint>,
    servers: Vec<SocketAddr>,
    configured: Option<SocketAddr>,
    green: Option<SocketAddr>,
    was_denied: bool,
}

impl Story {
    /// The first server is the writer, and DNS and getaddrinfo agree that the name means it.
    fn begins(world: &'static World, seed: u64) -> Self {
        world.clear();
        let mut dice = Dice::new(seed);
        let servers: Vec<_> = (1..=dice.number(2..=4)).map(address).collect();
        for server in &servers {
            let mut state = Server::up(*server == servers[0]);
            state.round_trip = dice.time(1..=5);
            world.put(*server, state);
        }
        let last = *servers.last().unwrap();
        let endpoint = world.endpoint_on(HOST, servers[0]);
        let configured = dice.percent(25).then_some(last);
        let green = (configured.is_none() && dice.percent(30)).then_some(last);
        world.dns_says(GREEN, &[last.ip()]);
        if let Some(candidate) = configured {
            let candidate = Candidate::parse(&format!("{HOST}={}", candidate.ip())).unwrap();
            endpoint.lock().configured = Configured::of(&endpoint.name, &[candidate]);
        }
        let mut story = Story { world, dice, endpoint, servers, configured, green, was_denied: false };
        story.is_written();
        story
    }

    /// What will happen, and when.
    fn is_written(&mut self) {
        for _ in 0..self.dice.number(1..=7) {
            let moment = self.dice.time(0..=25_000);
            self.is_to_happen(moment);
        }
        if let Some(green) = self.green {
            // A switchover, up to where it fails or is over.
            let mut moment = self.dice.time(0..=10_000);
            let steps = [(false, false), (false, true), (true, false)];
            for (irrevocable, moving) in steps.into_iter().take(self.dice.number(1..=3) as usize) {
                let topology = Topology { target: (GREEN.to_owned(), 3306), irrevocable, moving };
                let servers = self.servers.clone();
                self.world.at(moment, move |world| {
                    for server in servers {
                        world.change(server, |server| server.topology = Some(topology.clone()));
                    }
                    if irrevocable {
                        world.change(green, |server| server.writable = true);
                    }
                });
                moment += self.dice.time(100..=4000);
            }
        }
        for _ in 0..self.dice.number(0..=2) {
            let (moment, endpoint) = (self.dice.time(0..=20_000), Arc::clone(&self.endpoint));
            let at = self.dice.percent(50).then(|| self.dice.pick(&self.servers));
            let patience = self.dice.percent(96).then(|| self.dice.time(200..=3000));
            self.world.visit(moment, move |world| {
                let mut connection = at.map_or_else(
                    || Connection::lost(world, &endpoint),
                    |server| Connection::open(world, &endpoint, server),
                );
                endpoint.suspect(endpoint.pulse().generation());
                let deadline = patience.map(|patience| world.instant() + patience);
                endpoint.find_writer(&mut connection, deadline);
            });
        }
        if self.dice.percent(60) {
            self.world.another_connection(&self.endpoint, self.dice.pick(&self.servers));
        }
    }

    fn is_to_happen(&mut self, moment: Duration) {
        let (one, other) = (self.dice.pick(&self.servers), self.dice.pick(&self.servers));
        let (world, writable) = (self.world, self.dice.percent(50));
        match self.dice.number(0..=11) {
            0 | 1 => world.at(moment, move |world| world.becomes(one, Health::Dead)),
            2 => world.at(moment, move |world| world.becomes(one, Health::Frozen)),
            3 => world.at(moment, move |world| world.becomes(one, Health::Unplugged)),
            4 | 5 => world.at(moment, move |world| {
                world.becomes(one, Health::Up);
                world.change(one, |server| server.writable = writable);
            }),
            6 | 7 => world.at(moment, move |world| world.change(one, |server| server.writable = writable)),
            8 => {
                // The name moves, and a cache of getaddrinfo may be behind.
                let later = moment + self.dice.time(0..=3000);
                world.at(moment, move |world| world.dns_says(HOST, &[one.ip()]));
                world.at(later, move |world| world.resolver_says(&[one.ip()]));
            }
            9 => world.at(moment, move |world| world.dns_says(HOST, &[one.ip(), other.ip()])),
            10 => {
                let answers = if writable { vec![one.ip()] } else { Vec::new() };
                world.at(moment, move |world| world.dns_says(HOST, &[]));
                world.at(moment, move |world| world.resolver_says(&answers));
            }
            _ => {
                let admission = self.dice.pick(&[Admission::Open, Admission::Full, Admission::Denied]);
                self.was_denied |= admission == Admission::Denied;
                world.at(moment, move |world| world.change(one, |server| server.admission = admission));
            }
        }
    }

    /// The application sends statements now and then, on a connection of its own.
    fn goes_on(&mut self) {
        let mut connection = match self.dice.percent(80) {
            true => Connection::open(self.world, &self.endpoint, self.servers[0]),
            false => Connection::lost(self.world, &self.endpoint),
        };
        for _ in 0..self.dice.number(1..=3) {
            self.world.pass(self.dice.time(0..=8000));
            if self.dice.percent(20) {
                self.endpoint.on_topology(connection.read_topology());
            }
            let answer = if connection.address().is_some() { connection.ask() } else { Writability::Lost };
            let generation = self.endpoint.pulse().generation();
            match answer {
                Writability::Writable if connection.address() == self.endpoint.incumbent() => continue,
                Writability::ReadOnly => self.endpoint.on_refused_write(generation),
                _ => {}
            }
            self.endpoint.suspect(generation);
            self.looks_for_the_writer(&mut connection);
        }
    }

    fn looks_for_the_writer(&mut self, connection: &mut Connection) -> Option<Found> {
        let (began, lent) = (self.world.elapsed(), self.world.lent());
        // The rest is held for `hold_max`, a minute of looks.
        let patience = self.dice.percent(96).then(|| self.dice.time(200..=5000));
        connection.is_lent();
        let found = self.endpoint.find_writer(connection, patience.map(|patience| self.world.instant() + patience));
        let took = (self.world.elapsed() - began).saturating_sub(self.world.lent() - lent);
        let longest = patience.unwrap_or(config().hold_max).min(config().hold_max) + LAST_LOOK;
        assert!(took <= longest, "the search took {took:?} of {longest:?}");
        self.adoptions_are_lawful();
        if let Some(found) = found {
            let current = self.endpoint.pulse().generation();
            assert!(found.generation <= current, "{found:?} in generation {current}");
            if connection.address() != Some(found.address) && connection.dial(found.address).is_err() {
                self.endpoint.suspect(found.generation);
            }
        }
        found
    }

    fn adoptions_are_lawful(&self) {
        for adoption in self.world.adoptions() {
            assert!(self.was_verified(&adoption), "adopted without being asked: {adoption:?}");
            let lawful = is_named(&adoption) || self.is_green(&adoption) || self.is_configured(&adoption);
            assert!(lawful, "adopted against the rules: {adoption:?}");
            assert!(!leaves_a_writer(&adoption), "a named writer was left: {adoption:?}");
        }
    }

    /// Its last word is that it is writable, and it has said so in this very look.
    fn was_verified(&self, adoption: &Adoption) -> bool {
        let word = adoption.words.get(&adoption.address);
        word.is_some_and(|(moment, word)| *word == Word::Said(Writability::Writable) && adoption.at - *moment <= A_LOOK)
    }

    /// Its own table says that the switchover to it is past cancelling.
    fn is_green(&self, adoption: &Adoption) -> bool {
        let here = |(moment, on, _): &&(Duration, SocketAddr, Option<Topology>)| {
            adoption.at - *moment <= A_LOOK && *on == adoption.address
        };
        let says = adoption.topology.as_ref().filter(here).and_then(|(.., topology)| topology.as_ref());
        self.green == Some(adoption.address) && says.is_some_and(|topology| topology.irrevocable)
    }

    /// The operator has named it, and the last word of the incumbent is another one than that it is writable. An incumbent that
    /// DNS or getaddrinfo leaves out, and to which no connection is left that could speak for it, counts as unfit, too.
    fn is_configured(&self, adoption: &Adoption) -> bool {
        let Some(before) = adoption.before else { return false };
        let is_left_out = adoption.told.iter().any(|told| !told.contains(&before.ip()));
        let left_out = is_left_out && !adoption.is_connected_before;
        let unfit = adoption.words.get(&before).is_some_and(|(_, word)| *word != Word::Said(Writability::Writable));
        self.configured == Some(adoption.address) && (unfit || left_out)
    }

    /// One server is the writer, and everything says so. The others are dead, silent, or read-only.
    fn settles(&mut self) {
        let writer = self.dice.pick(&self.servers);
        self.world.forget_the_script();
        for server in self.servers.clone() {
            let health = self.dice.pick(&[Health::Up, Health::Dead, Health::Frozen, Health::Unplugged]);
            self.world.becomes(server, if server == writer { Health::Up } else { health });
            self.world.change(server, |state| {
                state.writable = server == writer;
                state.admission = Admission::Open;
                state.topology = None;
            });
        }
        self.world.dns_says(HOST, &[writer.ip()]);
        self.world.resolver_says(&[writer.ip()]);
        let is_forgiven = self.was_denied && self.dice.percent(90);
        if is_forgiven {
            self.endpoint.logged_in(writer, Login { here: 1, everywhere: 1 });
        }
        self.world.pass(if self.was_denied && !is_forgiven { FORGIVEN } else { SETTLED });
        let server = self.dice.pick(&self.servers);
        let is_open = self.dice.percent(50) && self.world.server(server).is_some_and(|it| it.health == Health::Up);
        let mut connection = match is_open {
            true => Connection::open(self.world, &self.endpoint, server),
            false => Connection::lost(self.world, &self.endpoint),
        };
        self.endpoint.suspect(self.endpoint.pulse().generation());
        let mut found = self.endpoint.find_writer(&mut connection, None);
        if found.is_none() && (self.endpoint.circuit_open() || connection.is_refused()) {
            // With the circuit open that was one look, perhaps at servers that the name meant long ago: no connection was open,
            // and so DNS was not asked until now. Or the budget of handshakes was spent. The application is told an error, and
            // connects anew, where getaddrinfo leads.
            let anew = Connection::open(self.world, &self.endpoint, writer);
            self.endpoint.on_resolved(vec![writer.ip()]);
            self.endpoint.logged_in(writer, anew.login);
            self.world.pass(NEXT_LOOK);
            connection.is_lent();
            found = self.endpoint.find_writer(&mut connection, None);
        }
        self.adoptions_are_lawful();
        let found = found.map(|found| (found.address, found.writable));
        assert_eq!(found, Some((writer, true)), "from {server}, open: {is_open}");
    }
}

/// DNS or getaddrinfo names it, or it was the incumbent anyway.
fn is_named(adoption: &Adoption) -> bool {
    adoption.told.concat().contains(&adoption.address.ip()) || adoption.before == Some(adoption.address)
}

/// Another server has become the writer although the incumbent has just said that it is writable, and all that name servers
/// say is that the name means the incumbent.
fn leaves_a_writer(adoption: &Adoption) -> bool {
    let Some(before) = adoption.before.filter(|before| *before != adoption.address) else { return false };
    let said = adoption.words.get(&before);
    let is_writable = said.is_some_and(|(moment, word)| {
        *word == Word::Said(Writability::Writable) && adoption.at - *moment <= Duration::from_secs(1)
    });
    is_writable && adoption.told.iter().all(|told| told.is_empty() || told.contains(&before.ip()))
}

/// Tells which story it was that has ended in a panic.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this story again: SIMULATION_SEED={} cargo test --lib simulated_tests", self.0);
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

#[test]
fn in_no_story_a_server_becomes_the_writer_that_may_not_and_each_search_ends_and_finds_the_writer_when_all_is_over() {
    if let Some(seed) = number("SIMULATION_SEED") {
        return tell(World::new(), seed, true);
    }
    let stories = number("SIMULATION_STORIES").unwrap_or(STORIES);
    thread::scope(|scope| {
        for first in 0..TELLERS {
            scope.spawn(move || {
                log::mute_this_thread();
                let world = World::new();
                (first..stories).step_by(TELLERS as usize).for_each(|seed| tell(world, seed, false));
            });
        }
    });
}

fn tell(world: &'static World, seed: u64, aloud: bool) {
    let _told = Told(seed);
    let mut story = Story::begins(world, seed);
    if aloud {
        world.tells();
    }
    story.goes_on();
    story.settles();
}

/// Others have been held for `hold_max` when this thread comes, and one of them has looked a moment ago.
#[test]
fn a_thread_whose_limit_is_over_before_its_first_look_waits_for_its_turn_and_looks_once() {
    let world = World::new();
    let endpoint = world.endpoint_on(HOST, address(1));
    world.becomes(address(1), Health::Dead);
    world.pass(2 * config().hold_max);
    endpoint.suspect(endpoint.pulse().generation());
    let next_pass = world.instant() + Duration::from_millis(300);
    {
        let mut state = endpoint.lock();
        state.held = world.instant().checked_sub(config().hold_max).map(|since| (since, world.instant()));
        state.next_pass = next_pass;
    }
    let mut connection = Connection::lost(world, &endpoint);
    assert_eq!(endpoint.find_writer(&mut connection, None), None);
    assert!(endpoint.circuit_open() && world.instant() > next_pass && world.instant() < next_pass + STUCK);
}
