//! A simulated world for tests: a clock that moves only when a thread waits, servers that live and die as a script says, DNS,
//! and the watcher's thread. All of it runs in the one thread of the test, so that a test is repeated to the microsecond.
//!
//! A [`World`] is the [`Surroundings`](super::surroundings::Surroundings) of its endpoints. A [`Connection`] is what a front
//! end lends to the search. Time passes while the endpoint waits, while a server is dialled or asked, and when the test lets
//! it [`pass`](World::pass). What the script does at a moment (`at`) happens in the middle of that, and so do the
//! watcher's lookups. What another thread of the application would do (`visit`) happens only inside a wait: the thread that
//! waits goes on when that is over, as on a busy machine.

mod connection;
mod server;
mod surroundings;
mod watcher;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

pub use connection::Connection;
pub use server::{Admission, Health, Server};

use super::{
    Endpoint,
    ledger::Ledger,
    name::Name,
    prober::{Undialled, Writability},
    topology::Topology,
    turn::Claim,
};
use crate::resolve::Pace;
use server::Line;

type Event = Box<dyn FnOnce(&'static World) + Send>;

/// What a server was last known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    Said(Writability),
    /// It could not be logged in to.
    Undialled(Undialled),
}

/// An endpoint has begun a new generation.
#[derive(Clone, Debug)]
pub struct Adoption {
    pub at: Duration,
    pub before: Option<SocketAddr>,
    pub address: SocketAddr,
    /// What the watcher has told the process last, and what getaddrinfo has.
    pub told: [Vec<IpAddr>; 2],
    /// A connection to the incumbent until then is open.
    pub is_connected_before: bool,
    /// What each server was known by in this moment, and since when.
    pub words: BTreeMap<SocketAddr, (Duration, Word)>,
    /// What a topology table said last, when, and on which server.
    pub topology: Option<(Duration, SocketAddr, Option<Topology>)>,
}

#[derive(Default)]
pub struct World {
    facts: Mutex<Facts>,
    /// How much time has passed, in nanoseconds: asked for so often that it needs no lock.
    clock: AtomicU64,
    /// This very world: it lives as long as the process.
    this: OnceLock<&'static World>,
}

#[derive(Default)]
struct Facts {
    /// How much time has passed.
    elapsed: Duration,
    /// How often a thread has waited without time passing.
    standstill: u32,
    /// What happens by the script, in order; numbers keep two events of one moment apart.
    events: BTreeMap<(Duration, u64), Event>,
    visits: BTreeMap<(Duration, u64), Event>,
    numbered: u64,
    /// A visit is under way: another one waits.
    visited: bool,
    /// How much time has passed in visits and on the watcher's thread while the test's own thread was to go on.
    lent: Duration,
    watcher: watcher::Watcher,
    servers: BTreeMap<SocketAddr, Server>,
    lines: Vec<Line>,
    /// What DNS answers for each name; nothing: it does not answer.
    dns: BTreeMap<String, Vec<IpAddr>>,
    /// What getaddrinfo answers for an endpoint's name.
    resolver: Vec<IpAddr>,
    told: [Vec<IpAddr>; 2],
    words: BTreeMap<SocketAddr, (Duration, Word)>,
    topology: Option<(Duration, SocketAddr, Option<Topology>)>,
    adoptions: Vec<Adoption>,
    /// The generation and the incumbent of each endpoint, by the endpoint's position.
    known: BTreeMap<u16, (u64, Option<SocketAddr>)>,
    endpoints: Vec<Weak<Endpoint>>,
    given_up: Vec<SocketAddr>,
    claim: Option<Claim>,
    epoch: usize,
    wants_back: bool,
    is_ending: bool,
    tells: bool,
    shared_ledger: Option<Ledger>,
}

impl World {
    /// A world without servers. It is never freed, since an endpoint's surroundings have to live as long as the process.
    pub fn new() -> &'static Self {
        let world: &'static World = Box::leak(Box::default());
        world.this.get_or_init(|| world)
    }

    fn this(&self) -> &'static Self {
        self.this.get().expect("a world is made by World::new")
    }

    /// Everything that was ends: the world is as new, and so is its clock. No endpoint of before may be used any more.
    pub fn clear(&self) {
        // What a closure has taken along may look at the world when it is dropped.
        let before = std::mem::take(&mut *self.facts());
        drop(before);
        self.clock.store(0, Relaxed);
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// An endpoint of this name in this world, of which nothing is known yet.
    pub fn endpoint(&'static self, host: &str) -> Arc<Endpoint> {
        let position = self.facts().endpoints.len() as u16;
        let endpoint = Arc::new(Endpoint::new(Name::of(host.as_bytes(), 0).expect("a name"), position, self));
        self.facts().endpoints.push(Arc::downgrade(&endpoint));
        endpoint
    }

    /// An endpoint of this name whose writer is known: it was seen writable, and the watcher and getaddrinfo agree that the name
    /// means it. A server is put there if there is none.
    pub fn endpoint_on(&'static self, host: &str, writer: SocketAddr) -> Arc<Endpoint> {
        self.facts().servers.entry(writer).or_insert_with(|| Server::up(true));
        let named = vec![writer.ip()];
        self.dns_says(host, &named);
        self.resolver_says(&named);
        self.facts().told = [named.clone(), named.clone()];
        self.note(writer, Word::Said(Writability::Writable));
        let endpoint = self.endpoint(host);
        endpoint.seen_writable(writer);
        endpoint.on_resolved(named.clone());
        endpoint.on_answer(named);
        self.adoptions();
        endpoint
    }

    fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        self.facts().endpoints.iter().filter_map(Weak::upgrade).collect()
    }

    /// The moment of this world's clock.
    pub fn instant(&self) -> Instant {
        beginning() + self.elapsed()
    }

    /// How much time has passed since the world began.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.clock.load(Relaxed))
    }

    /// The clock goes on to `moment`, unless that is over.
    fn comes(&self, facts: &mut Facts, moment: Duration) {
        facts.elapsed = facts.elapsed.max(moment);
        self.clock.store(facts.elapsed.as_nanos() as u64, Relaxed);
    }

    /// How much time has passed in visits, and on the watcher's thread, in which the thread that waited could not go on.
    pub fn lent(&self) -> Duration {
        self.facts().lent
    }

    /// At that moment of the clock, or at once if it is over, `event` happens.
    pub fn at(&self, moment: Duration, event: impl FnOnce(&'static World) + Send + 'static) {
        let mut facts = self.facts();
        facts.numbered += 1;
        let key = (moment, facts.numbered);
        facts.events.insert(key, Box::new(event));
    }

    /// In the first wait after that moment another thread of the application does `visit`.
    pub fn visit(&self, moment: Duration, visit: impl FnOnce(&'static World) + Send + 'static) {
        let mut facts = self.facts();
        facts.numbered += 1;
        let key = (moment, facts.numbered);
        facts.visits.insert(key, Box::new(visit));
    }

    /// No event and no visit is still to come.
    pub fn forget_the_script(&self) {
        let (events, visits) = {
            let mut facts = self.facts();
            (std::mem::take(&mut facts.events), std::mem::take(&mut facts.visits))
        };
        drop((events, visits));
    }

    /// Time passes, with all that happens in it.
    pub fn pass(&'static self, time: Duration) {
        let until = self.elapsed() + time;
        while self.step(until, false) {}
    }

    /// The next event happens, if it is due until then. False: nothing more happens, and `until` has come.
    fn step(&'static self, until: Duration, may_visit: bool) -> bool {
        let mut facts = self.facts();
        let may_visit = may_visit && !facts.visited;
        let [event, visit] = [&facts.events, &facts.visits].map(|queue| queue.first_key_value().map(|(key, _)| *key));
        let (event, visit) = (event, visit.filter(|_| may_visit));
        let scripted = event.into_iter().chain(visit).min();
        let watcher = facts.watcher.due();
        let first = scripted.map(|(moment, _)| moment).into_iter().chain(watcher).min();
        let Some(moment) = first.filter(|moment| *moment <= until) else {
            self.comes(&mut facts, until);
            return false;
        };
        self.comes(&mut facts, moment);
        let began = facts.elapsed;
        if watcher == Some(moment) {
            facts.watcher.begins();
            drop(facts);
            watcher::round(self);
            self.facts().watcher.ends(began);
        } else {
            let key = scripted.unwrap_or_default();
            let visits = visit == scripted;
            let next = if visits { facts.visits.remove(&key) } else { facts.events.remove(&key) };
            facts.visited |= visits;
            drop(facts);
            next.into_iter().for_each(|happens| happens(self));
            if visits {
                self.facts().visited = false;
            }
        }
        let mut facts = self.facts();
        // Time that passes inside of a visit is counted once.
        if !facts.visited {
            let took = facts.elapsed - began;
            facts.lent += took;
        }
        true
    }

    /// From now on `server` is at `address`.
    pub fn put(&self, address: SocketAddr, server: Server) {
        self.facts().servers.insert(address, server);
    }

    /// Changes what a server says; `becomes` changes how it is.
    pub fn change(&self, address: SocketAddr, change: impl FnOnce(&mut Server)) {
        self.facts().servers.get_mut(&address).map(change);
    }

    pub fn becomes(&self, address: SocketAddr, health: Health) {
        let now = self.elapsed();
        self.change(address, |server| server.becomes(health, now));
    }

    pub fn server(&self, address: SocketAddr) -> Option<Server> {
        self.facts().servers.get(&address).cloned()
    }

    /// DNS, and the watcher that asks it. No address at all: it does not answer.
    pub fn dns_says(&self, host: &str, addresses: &[IpAddr]) {
        self.facts().dns.insert(host.to_owned(), addresses.to_vec());
    }

    /// The application's own resolver, which may be behind. No address at all: it does not answer.
    pub fn resolver_says(&self, addresses: &[IpAddr]) {
        self.facts().resolver = addresses.to_vec();
    }

    /// From now on each thing that a server or a name server is asked is told on stderr.
    pub fn tells(&self) {
        self.facts().tells = true;
    }

    fn tell(&self, what: std::fmt::Arguments<'_>) {
        let facts = self.facts();
        if facts.tells {
            eprintln!("{:>9.3} s  {what}", facts.elapsed.as_secs_f64());
        }
    }

    fn note(&self, server: SocketAddr, word: Word) {
        self.tell(format_args!("{server}: {word:?}"));
        let mut facts = self.facts();
        let now = facts.elapsed;
        facts.words.insert(server, (now, word));
    }

    /// Another connection of the process to that server: it waits there for the answer to a statement.
    pub fn another_connection(&self, endpoint: &Endpoint, server: SocketAddr) {
        let now = self.elapsed();
        self.open(endpoint, server, Some(now));
    }

    /// A new connection of `endpoint` to `server`, which is there. As `Process::tag`.
    fn open(&self, endpoint: &Endpoint, server: SocketAddr, waits_since: Option<Duration>) -> i32 {
        let fd = {
            let mut facts = self.facts();
            facts.numbered += 1;
            let fd = facts.numbered as i32;
            let boot = facts.servers.get(&server).map_or(0, |server| server.boot);
            let (heard_at, endpoint) = (facts.elapsed, endpoint.position);
            facts.lines.push(Line { fd, endpoint, server, boot, cut: false, is_tagged: true, waits_since, heard_at });
            fd
        };
        if endpoint.tagged.fetch_add(1, Relaxed) == 0 {
            self.wants(endpoint, endpoint.pace());
        }
        fd
    }

    /// The process closes that descriptor.
    fn close(&self, endpoint: &Endpoint, fd: i32) {
        let mut facts = self.facts();
        let line = facts.lines.iter().position(|line| line.fd == fd).map(|at| facts.lines.swap_remove(at));
        if line.is_some_and(|line| line.is_tagged) {
            endpoint.tagged.fetch_sub(1, Relaxed);
        }
    }

    /// DNS is to be asked at that pace for an endpoint's names.
    fn wants(&self, endpoint: &Endpoint, pace: Pace) {
        endpoint.want(pace);
        let mut facts = self.facts();
        let now = facts.elapsed;
        facts.watcher.hurries(endpoint.position, pace, now);
    }

    /// Each generation that an endpoint has begun since this was asked last.
    pub fn adoptions(&self) -> Vec<Adoption> {
        std::mem::take(&mut self.facts().adoptions)
    }

    /// The servers whose connections were given up.
    pub fn given_up(&self) -> Vec<SocketAddr> {
        self.facts().given_up.clone()
    }

    /// Transactions on a former writer have ids to claim.
    pub fn claims(&self, claim: Option<Claim>) {
        self.facts().claim = claim;
    }

    /// The application wants the thread back that waits.
    pub fn wants_the_thread_back(&self, wanted: bool) {
        self.facts().wants_back = wanted;
    }

    pub fn the_process_is_ending(&self, ending: bool) {
        self.facts().is_ending = ending;
    }

    /// The process has forked: the thread goes on in the child.
    pub fn forks(&self) {
        self.facts().epoch += 1;
    }

    /// From now on the process shares its ledger with others.
    pub fn shares_its_ledger(&self, ledger: Ledger) {
        self.facts().shared_ledger = Some(ledger);
    }
}

impl Facts {
    fn line(&mut self, fd: i32) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.fd == fd)
    }

    /// Is the connection open, as far as the kernel of the process knows?
    fn is_open(&self, line: &Line) -> bool {
        let server = self.servers.get(&line.server);
        !line.cut && server.is_some_and(|server| server.boot == line.boot && server.health != Health::Dead)
    }
}

/// Any moment, as long as it is always the same one.
fn beginning() -> Instant {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    *BEGINNING.get_or_init(|| Instant::now() + Duration::from_secs(3600))
}
