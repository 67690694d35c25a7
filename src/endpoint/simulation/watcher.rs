//! The watcher's thread of a simulated process: asks DNS at the pace that its endpoints want, and looks after servers and
//! questions each second. While it waits for a server, it does nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use super::{Health, World, server::Line};
use crate::{
    endpoint::{Endpoint, silence::Traffic},
    resolve::Pace,
};

const SECOND: Duration = Duration::from_secs(1);
/// Between two lookups of one name. In earnest these times are spread.
const STEADY: Duration = Duration::from_secs(3);
const URGENT: Duration = Duration::from_millis(200);
/// The kernel has sent again twice.
const RESENDS_AFTER: Duration = Duration::from_millis(600);

#[derive(Default)]
pub(super) struct Watcher {
    is_busy: bool,
    next_second: Duration,
    next_lookup: Option<Duration>,
    looked_up_at: Option<Duration>,
    paces: BTreeMap<u16, Pace>,
}

impl Watcher {
    /// When it has something to do.
    pub fn due(&self) -> Option<Duration> {
        let next = self.next_lookup.map_or(self.next_second, |at| at.min(self.next_second));
        (!self.is_busy && !self.paces.is_empty()).then_some(next)
    }

    pub fn begins(&mut self) {
        self.is_busy = true;
    }

    pub fn ends(&mut self, began: Duration) {
        self.is_busy = false;
        if began >= self.next_second {
            self.next_second = began + SECOND;
        }
    }

    /// An endpoint wants DNS to be asked at that pace.
    pub fn hurries(&mut self, position: u16, pace: Pace, now: Duration) {
        self.paces.insert(position, pace);
        self.next_lookup = match self.paces.values().max() {
            None | Some(Pace::Idle) => None,
            Some(Pace::Steady) => Some(self.looked_up_at.map_or(now, |at| at + STEADY)),
            Some(Pace::Urgent) => Some(self.looked_up_at.map_or(now, |at| (at + URGENT).max(now))),
        };
    }
}

/// What is due is done.
pub(super) fn round(world: &'static World) {
    let (lookup, second) = {
        let mut facts = world.facts();
        let now = facts.elapsed;
        let due = facts.watcher.next_lookup.is_some_and(|at| at <= now);
        if due {
            facts.watcher.looked_up_at = Some(now);
            facts.watcher.next_lookup = None;
        }
        (due, facts.watcher.next_second <= now)
    };
    for endpoint in world.endpoints() {
        if lookup {
            look_up(world, &endpoint);
        }
        if second {
            endpoint.look_at_the_clock();
        }
        look_for_silence(world, &endpoint);
        world.wants(&endpoint, endpoint.pace());
    }
}

fn look_up(world: &World, endpoint: &Endpoint) {
    for host in endpoint.hosts() {
        let answer = world.facts().dns.get(&host).cloned().filter(|addresses| !addresses.is_empty());
        let is_own = host == endpoint.name.host;
        world.tell(format_args!("DNS: {host} is {answer:?}"));
        match answer {
            Some(addresses) => {
                endpoint.on_green_answer(&host, &addresses);
                endpoint.on_candidate_answer(&host, &addresses);
                if is_own {
                    world.facts().told[0] = addresses.clone();
                    endpoint.on_answer(addresses);
                }
            }
            None if is_own => endpoint.on_no_answer(),
            None => {}
        }
    }
}

/// As `process::rounds`.
fn look_for_silence(world: &'static World, endpoint: &Endpoint) {
    endpoint.end_overdue_questions(|fd| world.is_accepted(fd), |fd, server| world.cut(fd, server));
    let servers: BTreeSet<SocketAddr> = {
        let facts = world.facts();
        facts.lines.iter().filter(|line| line.is_tagged).map(|line| line.server).collect()
    };
    for server in servers {
        if endpoint.has_fallen_silent(server, world.traffic_of(server)) {
            endpoint.gave_up(server);
            world.cut_all(endpoint, server);
        }
    }
}

impl World {
    /// Has the kernel of the other end accepted the connection?
    fn is_accepted(&self, fd: i32) -> bool {
        let mut facts = self.facts();
        let server = facts.line(fd).map(|line| line.server);
        let health = server.and_then(|server| facts.servers.get(&server)).map(|server| server.health);
        health != Some(Health::Unplugged)
    }

    fn cut(&self, fd: i32, server: SocketAddr) -> bool {
        let mut facts = self.facts();
        let line = facts.line(fd).filter(|line| line.server == server && !line.cut);
        line.map(|line| line.cut = true).is_some()
    }

    /// As `Process::cut_connections`: what is cut has no tag any more.
    pub(super) fn cut_all(&self, endpoint: &Endpoint, server: SocketAddr) {
        let mut facts = self.facts();
        facts.given_up.push(server);
        let position = endpoint.position;
        let ended = |line: &&mut Line| line.endpoint == position && line.server == server && line.is_tagged;
        for line in facts.lines.iter_mut().filter(ended) {
            line.cut = true;
            line.is_tagged = false;
            endpoint.tagged.fetch_sub(1, Relaxed);
        }
    }

    /// What the kernel knows of the connections to `server`.
    pub(super) fn traffic_of(&self, server: SocketAddr) -> Traffic {
        let facts = self.facts();
        let mut traffic = Traffic::default();
        let Some(state) = facts.servers.get(&server) else { return traffic };
        for line in facts.lines.iter().filter(|line| line.server == server && facts.is_open(line)) {
            let heard_at = state.silent_since.map_or(facts.elapsed, |since| since.max(line.heard_at));
            let ago = facts.elapsed - heard_at;
            traffic.heard = traffic.heard.into_iter().chain([ago]).min();
            traffic.waiting |= line.waits_since.is_some();
            let waits_for = line.waits_since.map_or(Duration::ZERO, |since| facts.elapsed - since.max(heard_at));
            traffic.resending |= state.health == Health::Unplugged && waits_for >= RESENDS_AFTER;
        }
        traffic
    }
}
