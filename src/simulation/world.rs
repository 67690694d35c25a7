//! Two servers that replicate to each other, the DNS name that means one of them, and the clock.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use pointsman_dice::Dice;
use rustix_futex_sync::{Mutex, MutexGuard};

use crate::{
    endpoint::{
        Endpoint,
        ledger::Ledger,
        name::Name,
        prober::Undialled,
        search::greetings::{FirstBytes, GreetingConnection},
        silence::Traffic,
        surroundings::Surroundings,
        turn::Claim,
    },
    host::{event::News, interruption::Recall},
    resolve::{Jitter, Pace},
};

pub const BLUE: usize = 0;
pub const GREEN: usize = 1;

/// What the endpoint calls its servers.
pub fn address(server: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1 + server as u8], 3306))
}

/// One server.
#[derive(Clone, Debug)]
pub struct Server {
    pub alive: bool,
    pub read_only: bool,
    /// Its packets get lost: nothing is answered, nothing is refused.
    pub silent: bool,
    /// Another number after each start: connections of before are gone.
    pub start: u32,
    pub started: Instant,
    pub threads: u64,
}

/// What happens at a moment.
#[derive(Clone, Debug)]
pub enum Event {
    ReadOnly(usize, bool),
    Dies(usize),
    Starts(usize),
    Silent(usize, bool),
    /// Its connections are ended, and it goes on.
    CutsConnections(usize),
    /// The name means this server from now on: the application's own resolver says so at once.
    Named(usize),
    /// The watcher asks DNS, as often as the endpoint wants it to.
    Asks,
    /// The watcher has an answer, or has waited for one in vain.
    Heard(Option<usize>),
    /// From now on what this server commits is what every later writer has.
    Leads(usize),
    /// A signal handler forks, and returns in the child, which goes on in the middle of the call.
    Forks,
}

/// What the world is like.
pub struct Inner {
    base: Instant,
    /// Since the story began.
    pub time: Duration,
    pub dice: Dice,
    pub servers: [Server; 2],
    pub leader: usize,
    /// Rows that were committed on the leader, and those that were committed on the other server.
    pub rows: Vec<u32>,
    pub misplaced: Vec<u32>,
    pub named: usize,
    /// Since when the name means that server.
    named_since: Duration,
    /// Servers that the name has ever meant.
    pub ever_named: [bool; 2],
    pub events: Vec<(Duration, Event)>,
    /// From when on, and until when, DNS gives no answer.
    pub dns_out: (Duration, Duration),
    pace: Pace,
    pub epoch: usize,
    /// The connections that programs have: each one's number, server, and that server's start.
    pub links: BTreeMap<u64, (usize, u32)>,
    /// How often the story has ended connections.
    pub cuts: u32,
    pub endpoint: Weak<Endpoint>,
    /// What must not have happened.
    pub violations: Vec<String>,
    /// What has happened, for the reader of a story that went wrong.
    pub said: Vec<String>,
}

/// The process round the endpoint. One for each thread of tests, since an endpoint wants it to live for ever.
pub struct World(Mutex<Inner>);

impl World {
    pub fn look(&self) -> MutexGuard<'_, Inner> {
        self.0.lock()
    }

    /// So much time goes by, and what was to happen in it happens.
    pub fn pass(&self, time: Duration) {
        let until = { self.look().time } + time;
        while let Some(event) = self.next_event(until) {
            self.happens(event);
        }
        let mut world = self.look();
        world.time = world.time.max(until);
    }

    /// The next event until then.
    fn next_event(&self, until: Duration) -> Option<Event> {
        let mut world = self.look();
        let at = (0..world.events.len()).min_by_key(|at| world.events[*at].0)?;
        let due = world.events[at].0;
        if due > until {
            return None;
        }
        world.time = world.time.max(due);
        Some(world.events.remove(at).1)
    }

    fn happens(&self, event: Event) {
        let endpoint = {
            let mut world = self.look();
            if !matches!(event, Event::Asks | Event::Heard(_)) {
                world.say(format!("{event:?}"));
            }
            world.change(&event);
            world.endpoint.upgrade()
        };
        let Some(endpoint) = endpoint else { return };
        match event {
            Event::Heard(Some(server)) => endpoint.on_answer(vec![address(server).ip()]),
            Event::Heard(None) => endpoint.on_no_answer(),
            _ => {}
        }
    }
}

thread_local! {
    /// An endpoint wants its surroundings to live for ever.
    static WORLD: &'static World = Box::leak(Box::new(World(Mutex::new(Inner::new(Instant::now(), 0)))));
}

/// The world of this thread.
pub fn world() -> &'static World {
    WORLD.with(|world| *world)
}

/// What another thread of the process does while one waits.
type Visit = Box<dyn FnMut()>;

thread_local! {
    static VISITOR: RefCell<Option<Visit>> = const { RefCell::new(None) };
}

/// From now on another thread acts now and then while the first one waits.
pub fn is_visited_by(visit: Visit) {
    VISITOR.replace(Some(visit));
}

pub fn is_visited_no_more() {
    VISITOR.replace(None);
}

/// The other thread acts, unless it is in the middle of something.
fn visit() {
    if world().look().dice.one_in(4)
        && let Some(mut visitor) = VISITOR.take()
    {
        visitor();
        VISITOR.replace(Some(visitor));
    }
}

/// A new story begins in it, with this endpoint.
pub fn begin(seed: u64) -> Arc<Endpoint> {
    let world = world();
    {
        let mut inner = world.look();
        *inner = Inner::new(inner.base, seed);
    }
    let name = Name::of(b"db.shop.example", 0).expect("a name");
    let endpoint = Arc::new(Endpoint::new(name, 0, world));
    world.look().endpoint = Arc::downgrade(&endpoint);
    endpoint
}

impl Inner {
    fn new(base: Instant, seed: u64) -> Self {
        let server = |read_only| Server { alive: true, read_only, silent: false, start: 1, started: base, threads: 10 };
        Inner {
            base,
            time: Duration::from_secs(100),
            dice: Dice::new(seed),
            servers: [server(false), server(true)],
            leader: BLUE,
            rows: Vec::new(),
            misplaced: Vec::new(),
            named: BLUE,
            named_since: Duration::ZERO,
            ever_named: [true, false],
            events: vec![(Duration::from_secs(100), Event::Asks)],
            dns_out: (Duration::ZERO, Duration::ZERO),
            pace: Pace::Steady,
            epoch: 1,
            links: BTreeMap::new(),
            cuts: 0,
            endpoint: Weak::new(),
            violations: Vec::new(),
            said: Vec::new(),
        }
    }

    pub fn say(&mut self, what: String) {
        let at = self.time.as_millis();
        self.said.push(format!("{at:>7} {what}"));
    }

    pub fn violated(&mut self, what: String) {
        self.say(format!("VIOLATION: {what}"));
        self.violations.push(what);
    }

    /// Is a connection to that server alive, besides the one with the number `but`?
    pub fn hears_from(&self, server: SocketAddr, but: Option<u64>) -> bool {
        let mut others = self.links.iter().filter(|(number, _)| Some(**number) != but);
        others.any(|(_, (number, start))| {
            let one = &self.servers[*number];
            address(*number) == server && one.alive && !one.silent && one.start == *start
        })
    }

    fn change(&mut self, event: &Event) {
        let now = self.base + self.time;
        if matches!(event, Event::Dies(_) | Event::Silent(..) | Event::CutsConnections(_)) {
            self.cuts += 1;
        }
        match *event {
            Event::ReadOnly(server, read_only) => self.servers[server].read_only = read_only,
            Event::Dies(server) => self.servers[server].alive = false,
            Event::Starts(server) => {
                let one = &mut self.servers[server];
                (one.alive, one.silent, one.start, one.started, one.threads) = (true, false, one.start + 1, now, 1);
            }
            Event::Silent(server, silent) => self.servers[server].silent = silent,
            // No server starts in between, but no connection of before is there any more.
            Event::CutsConnections(server) => self.servers[server].start += 1,
            Event::Named(server) => {
                (self.named, self.named_since) = (server, self.time);
                self.ever_named[server] = true;
            }
            Event::Leads(server) => self.leader = server,
            Event::Forks => self.epoch += 1,
            Event::Asks => self.asks(),
            Event::Heard(_) => {}
        }
    }

    fn asks(&mut self) {
        let every = if self.pace == Pace::Urgent { 100 } else { 500 };
        let heard = self.time + self.dice.time(1..=30);
        if self.has_dns() {
            self.events.push((heard, Event::Heard(Some(self.named))));
        } else {
            self.events.push((self.time + Duration::from_secs(1), Event::Heard(None)));
        }
        let next = self.time + self.dice.time(every * 3 / 4..=every * 5 / 4);
        self.events.push((next, Event::Asks));
    }

    /// Does the name mean another server, for longer than it takes the watcher, and a second question to getaddrinfo, to tell?
    pub fn has_long_meant_another(&self, server: usize) -> bool {
        let since = self.named_since.max(if self.time < self.dns_out.0 { Duration::ZERO } else { self.dns_out.1 });
        server != self.named && self.has_dns() && self.time >= since + Duration::from_millis(1_500)
    }

    pub fn has_dns(&self) -> bool {
        self.time < self.dns_out.0 || self.time >= self.dns_out.1
    }
}

/// The greeting of a server of this world.
struct Greets(usize);

impl fmt::Debug for Greets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "greeting of {}", self.0)
    }
}

impl GreetingConnection for Greets {
    fn is_ours(&self) -> bool {
        true
    }

    fn first_bytes(&self, limit: Duration) -> FirstBytes {
        let server = { world().look().servers[self.0].clone() };
        match (server.alive, server.silent) {
            (false, _) => FirstBytes::Closed,
            (true, true) => {
                world().pass(limit);
                FirstBytes::Awaited
            }
            (true, false) => FirstBytes::Came,
        }
    }
}

pub fn server_at(address: SocketAddr) -> Option<usize> {
    [BLUE, GREEN].into_iter().find(|server| self::address(*server) == address)
}

impl Surroundings for World {
    fn watch(&self, _: &Endpoint, pace: Pace) {
        self.look().pace = pace;
    }

    fn traffic(&self, _: &Endpoint, server: SocketAddr) -> Traffic {
        let heard = self.look().hears_from(server, None).then_some(Duration::ZERO);
        Traffic { heard, ..Traffic::default() }
    }

    fn give_up(&self, _: &Endpoint, _: SocketAddr) {}

    fn claims(&self, _: &Endpoint, _: u64) -> Option<Claim> {
        None
    }

    fn epoch(&self) -> usize {
        self.look().epoch
    }

    fn now(&self) -> Instant {
        let world = self.look();
        world.base + world.time
    }

    fn about_now(&self) -> u64 {
        self.look().time.as_millis() as u64
    }

    fn wall_clock(&self) -> u64 {
        1_796_038_215_000 + self.look().time.as_millis() as u64
    }

    fn jitter(&self) -> Jitter {
        Jitter::from_seed(self.look().dice.roll())
    }

    fn wait(&self, news: &News, known: u32, time: Duration, _: &mut Recall) {
        visit();
        // In small steps, since news end a wait.
        let until = { self.look().time } + time;
        while news.known() == known {
            let now = { self.look().time };
            let next = { self.look().events.iter().map(|(at, _)| *at).min() };
            match next.filter(|next| *next < until) {
                Some(next) => self.pass(next.saturating_sub(now)),
                None => return self.pass(until.saturating_sub(now)),
            }
        }
    }

    fn recall(&self) -> Recall {
        Recall::of_no_signal()
    }

    fn is_ending(&self) -> bool {
        false
    }

    fn connect_for_greeting(
        &self,
        server: SocketAddr,
        within: Duration,
    ) -> Result<Box<dyn GreetingConnection>, Undialled> {
        let number = server_at(server);
        let one = number.map(|number| (number, self.look().servers[number].clone()));
        match one {
            Some((number, Server { alive: true, silent: false, .. })) => Ok(Box::new(Greets(number))),
            Some((_, Server { alive: true, silent: true, .. })) => {
                self.pass(within);
                Err(Undialled::Unreachable("no answer".to_owned()))
            }
            _ => Err(Undialled::Unreachable("refused".to_owned())),
        }
    }

    fn on_shared_ledger(&self, _: &mut dyn FnMut(&mut Ledger)) -> bool {
        false
    }
}

/// Where the application's own resolver leads. It waits longer for DNS than the watcher.
pub fn resolved() -> Vec<IpAddr> {
    if !world().look().has_dns() {
        world().pass(Duration::from_secs(5));
        return Vec::new();
    }
    vec![address(world().look().named).ip()]
}

/// How often each row is there.
pub fn counts(rows: &[u32]) -> BTreeMap<u32, u32> {
    let mut counts = BTreeMap::new();
    rows.iter().for_each(|row| *counts.entry(*row).or_default() += 1);
    counts
}
