//! A simulated connection of the application, as a front end lends it to the search.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Health, Server, Word, World};
use crate::{
    control::config,
    endpoint::{
        Endpoint, behind,
        logins::Login,
        prober::{Need, Prober, Undialled, Writability},
        topology::Topology,
    },
};

/// No answer comes in longer than this: the watcher ends each question much earlier.
const FOR_EVER: Duration = Duration::from_secs(120);
/// What a resolver waits for a name server that does not answer.
const RESOLVER_WAITS: Duration = Duration::from_secs(5);

pub struct Connection {
    world: &'static World,
    endpoint: Arc<Endpoint>,
    fd: Option<i32>,
    boot: u32,
    opened: Instant,
    /// The server that it leads to has said who it is.
    said_who: bool,
    /// It was dialled anew, and that server has started again since the connection was lent.
    restarted: bool,
    origin: Option<(SocketAddr, u32)>,
    refused: bool,
    pub login: Login,
    pub need: Need,
    /// How long the application lets a connect take, if it has said so.
    pub patience: Option<Duration>,
    pub in_transaction: bool,
    /// What was asked on it, and what the server has said.
    pub answers: Vec<(SocketAddr, Writability)>,
}

impl Connection {
    /// A connection that was lost, or was never opened.
    pub fn lost(world: &'static World, endpoint: &Arc<Endpoint>) -> Self {
        Connection {
            world,
            endpoint: Arc::clone(endpoint),
            fd: None,
            boot: 0,
            opened: world.instant(),
            said_who: false,
            restarted: false,
            origin: None,
            refused: false,
            login: Login { here: 1, everywhere: 1 },
            need: Need::Writer,
            patience: None,
            in_transaction: false,
            answers: Vec::new(),
        }
    }

    /// A connection that is open to `server`.
    pub fn open(world: &'static World, endpoint: &Arc<Endpoint>, server: SocketAddr) -> Self {
        let mut connection = Connection::lost(world, endpoint);
        connection.leads_to(server);
        connection.origin = connection.leads();
        connection
    }

    /// From now on it is lent anew: where it leads is where it comes from.
    pub fn is_lent(&mut self) {
        self.origin = self.leads();
        self.restarted = false;
        self.refused = false;
        self.answers.clear();
    }

    fn leads_to(&mut self, server: SocketAddr) {
        self.closes();
        self.boot = self.world.server(server).map_or(0, |server| server.boot);
        self.fd = Some(self.world.open(&self.endpoint, server, None));
        self.opened = self.world.instant();
        self.said_who = false;
    }

    fn closes(&mut self) {
        self.fd.take().into_iter().for_each(|fd| self.world.close(&self.endpoint, fd));
    }

    fn leads(&self) -> Option<(SocketAddr, u32)> {
        self.address().map(|address| (address, self.boot))
    }

    /// Waits until `server` gives an answer. `None`: the connection was ended, by this process or by the server.
    fn answer_on(&self, fd: i32, address: SocketAddr) -> Option<Server> {
        let until = self.world.elapsed() + FOR_EVER;
        loop {
            let server = {
                let mut facts = self.world.facts();
                let line = facts.line(fd).cloned()?;
                if !facts.is_open(&line) {
                    return None;
                }
                let now = facts.elapsed;
                let server = facts.servers.get(&address).cloned()?;
                if let Some(line) = facts.line(fd) {
                    line.waits_since = server.is_silent().then(|| line.waits_since.unwrap_or(now));
                    line.heard_at = if server.is_silent() { line.heard_at } else { now };
                }
                server
            };
            if !server.is_silent() {
                return Some(server);
            }
            if !self.world.step(until, false) {
                return None;
            }
        }
    }

    fn log_in(&mut self, to: SocketAddr) -> Result<(), Undialled> {
        let question = self.endpoint.logging_in(to, self.patience);
        let unreachable = |why: &str| Err(Undialled::Unreachable(why.to_owned()));
        let fd = self.world.open(&self.endpoint, to, Some(self.world.elapsed()));
        self.endpoint.question_is_on(question.id, fd);
        self.world.pass(self.world.server(to).map_or(Duration::ZERO, |server| server.round_trip));
        let answer = self.answer_on(fd, to);
        drop(question);
        self.world.close(&self.endpoint, fd);
        answer.map_or_else(|| unreachable("refused, or given up"), |server| server.admits())
    }
}

impl Prober for Connection {
    fn address(&self) -> Option<SocketAddr> {
        let mut facts = self.world.facts();
        let line = facts.line(self.fd?).cloned()?;
        facts.is_open(&line).then_some(line.server)
    }

    fn server(&self) -> Option<behind::Server> {
        let address = self.world.facts().line(self.fd?)?.server;
        behind::Server::of(&[Some(address.to_string().into_bytes())]).filter(|_| self.said_who)
    }

    fn opened(&self) -> Instant {
        self.opened
    }

    fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    fn fd(&self) -> i32 {
        self.fd.unwrap_or(-1)
    }

    fn dial(&mut self, to: SocketAddr) -> Result<(), Undialled> {
        let until = self.world.instant() + config().hold_max;
        let endpoint = Arc::clone(&self.endpoint);
        let outcome = endpoint.may_log_in(to, self.login, until).and_then(|mut attempt| {
            let outcome = self.log_in(to);
            if self.world.server(to).is_some_and(|server| server.health == Health::Frozen) {
                attempt.was_accepted();
            }
            attempt.ends(&outcome);
            outcome
        });
        match &outcome {
            Ok(()) => {
                self.leads_to(to);
                self.restarted |= self.origin.is_some_and(|(address, boot)| address == to && boot != self.boot);
                self.refused = false;
            }
            Err(why) => {
                self.world.note(to, Word::Undialled(why.clone()));
                self.refused = matches!(why, Undialled::Refused(_) | Undialled::Spent);
            }
        }
        outcome
    }

    fn ask(&mut self) -> Writability {
        let Some((fd, address)) = self.fd.zip(self.address()) else { return Writability::Lost };
        self.world.pass(self.world.server(address).map_or(Duration::ZERO, |server| server.round_trip));
        let answer = self.answer_on(fd, address).map_or(Writability::Lost, |server| server.says());
        if answer == Writability::Lost {
            self.closes();
        } else {
            self.said_who = true;
            if let Some(server) = self.server() {
                self.endpoint.on_server_said(address, server, answer);
            }
        }
        self.world.note(address, Word::Said(answer));
        self.answers.push((address, answer));
        answer
    }

    fn read_topology(&mut self) -> Option<Topology> {
        let address = self.address()?;
        self.world.pass(self.world.server(address).map_or(Duration::ZERO, |server| server.round_trip));
        let topology = self.answer_on(self.fd?, address).and_then(|server| server.topology);
        let mut facts = self.world.facts();
        facts.topology = Some((facts.elapsed, address, topology.clone()));
        topology
    }

    fn resolve(&mut self) -> Vec<IpAddr> {
        let known = !self.world.facts().resolver.is_empty();
        self.world.pass(if known { Duration::from_millis(1) } else { RESOLVER_WAITS });
        let answer = self.world.facts().resolver.clone();
        self.world.tell(format_args!("getaddrinfo: {answer:?}"));
        if !answer.is_empty() {
            self.world.facts().told[1] = answer.clone();
        }
        answer
    }

    fn has_restarted(&self) -> bool {
        self.restarted
    }

    fn others_are_alive_at(&self, server: SocketAddr) -> bool {
        let facts = self.world.facts();
        let of_others = |fd: i32| Some(fd) != self.fd;
        facts.lines.iter().any(|line| line.server == server && of_others(line.fd) && facts.is_open(line))
    }

    fn need(&self) -> Need {
        self.need
    }

    fn is_refused(&self) -> bool {
        self.refused
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.closes();
    }
}
