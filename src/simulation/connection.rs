//! A front end for the servers of the [`world`](super::world): a connection that the library speaks on and the application sees.

use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustix_futex_sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::{
    server::{Link, lost},
    world::{resolved, server_at, world},
};
use crate::{
    endpoint::{Endpoint, logins::Login},
    host::exchange::Exchange,
    protect::{
        connection::State,
        line::{Answer, Downstream, Executed, Level, Protected, Replied, Upstream},
    },
    session::{Reset, Session, execution::Value, journal::Step},
    sql::Dialect,
    verdict::failure::Failure,
};

/// For so long the application waits for an answer: below `hold_max`, so that a hold may end by either.
pub const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// How a statement of the application is lost on its way, as the story has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The connection had ended before it was sent.
    Unsent,
    /// The server had it, and ended before it executed it.
    Unexecuted,
    /// The server has executed it, and its answer was lost.
    Unanswered,
}

pub struct Connection {
    /// Its number among those of this story.
    number: u64,
    endpoint: Arc<Endpoint>,
    state: Mutex<State>,
    link: RefCell<Option<Link>>,
    failure: RefCell<Failure>,
    replied: RefCell<Option<Answer>>,
    in_transaction: Cell<bool>,
    condemned: Cell<bool>,
    recalled: Cell<bool>,
    /// The next statement of the application is lost in this way.
    pub loses: Cell<Option<Loss>>,
    /// What the application's last statement came to is known to no client.
    pub unknown: Cell<bool>,
}

impl Connection {
    /// The application connects to the endpoint's name, and is led to `to` if given. Else where its resolver led it, and why it could
    /// not connect.
    pub fn open(endpoint: &Arc<Endpoint>, to: Option<SocketAddr>) -> Result<Self, (Vec<IpAddr>, Failure)> {
        let led = if to.is_none() { resolved() } else { Vec::new() };
        let named = led.first().map(|ip| SocketAddr::new(*ip, 3306));
        let Some(peer) = to.or(named) else {
            return Err((led, Failure::new(2005, b"HY000", "Unknown server host (-3)")));
        };
        let connection = Connection {
            number: { world().look().dice.roll() },
            state: Mutex::new(State::new(endpoint.pulse(), Some(peer), endpoint.now())),
            endpoint: Arc::clone(endpoint),
            link: RefCell::new(None),
            failure: RefCell::new(Failure::new(0, b"00000", "")),
            replied: RefCell::new(None),
            in_transaction: Cell::new(false),
            condemned: Cell::new(false),
            recalled: Cell::new(false),
            loses: Cell::new(None),
            unknown: Cell::new(false),
        };
        connection.log_in(peer, 0, READ_TIMEOUT).map_err(|failure| (led.clone(), failure))?;
        if to.is_none() {
            connection.endpoint.on_resolved(led);
        }
        connection.endpoint.logged_in(peer, connection.login());
        connection.line().is_opened();
        Ok(connection)
    }

    pub fn is_lost(&self) -> bool {
        self.condemned.get()
    }

    /// The failure that the application is told.
    pub fn told(&self) -> Failure {
        self.failure.borrow().clone()
    }

    fn fails(&self, failure: Failure) -> Failure {
        self.failure.replace(failure.clone());
        failure
    }

    fn connect(&self, server: usize) -> Result<(), Failure> {
        world().pass(Duration::from_millis(2));
        let silent = {
            let world = world().look();
            let one = &world.servers[server];
            if !one.alive {
                drop(world);
                return Err(self.fails(Failure::new(2003, b"HY000", "Can't connect to server (111)")));
            }
            one.silent
        };
        if silent {
            world().pass(Duration::from_secs(3));
            return Err(self.fails(Failure::new(2003, b"HY000", "Can't connect to server (110)")));
        }
        let mut world = world().look();
        let astray = world.has_long_meant_another(server);
        let one = &mut world.servers[server];
        one.threads += 1;
        let link = Link { server, start: one.start, thread: one.threads, astray, mode: false, transaction: None };
        world.say(format!("connected to {server}"));
        world.links.insert(self.number, (server, link.start));
        drop(world);
        self.link.replace(Some(link));
        self.in_transaction.set(false);
        Ok(())
    }

    /// Has the server this connection still?
    fn is_linked(&self) -> bool {
        let link = self.link.borrow();
        let Some(link) = link.as_ref() else { return false };
        let world = world().look();
        let one = &world.servers[link.server];
        // A dead server that is silent has ended nothing that this end would know of.
        one.silent || one.alive && one.start == link.start
    }

    fn ends(&self) {
        world().look().links.remove(&self.number);
        self.link.replace(None);
    }

    /// The application's own statement. 0: it succeeded.
    pub fn send(&self, text: &[u8]) -> i32 {
        if self.endpoint.was_forked() {
            world().look().violated("a child has sent a statement on its parent's connection".to_owned());
        }
        let loss = self.loses.take();
        if loss == Some(Loss::Unsent) {
            self.ends();
        }
        if loss == Some(Loss::Unexecuted) && self.is_linked() {
            world().pass(Duration::from_millis(1));
            self.ends();
            self.unknown.set(true);
            self.fails(lost(2013));
            return 1;
        }
        self.unknown.set(false);
        let answer = self.run(text, true);
        if loss == Some(Loss::Unanswered) && answer.is_ok() {
            self.ends();
            self.unknown.set(true);
            self.fails(lost(2013));
            return 1;
        }
        match answer {
            Ok(answer) => {
                self.replied.replace(Some(answer));
                0
            }
            Err(_) => 1,
        }
    }

    /// The application's rows of its last statement are stored.
    pub fn store(&self) {
        self.state().result = crate::protect::connection::Pending::None;
    }

    fn run(&self, text: &[u8], of_the_application: bool) -> Result<Answer, Failure> {
        world().pass(Duration::from_millis(1));
        if !self.is_linked() {
            self.ends();
            return Err(self.fails(lost(2006)));
        }
        let server = { self.link.borrow().as_ref().map(|link| link.server) }.unwrap_or_default();
        if world().look().servers[server].silent {
            world().pass(READ_TIMEOUT);
            self.ends();
            if of_the_application {
                self.unknown.set(true);
            }
            return Err(self.fails(lost(2013)));
        }
        let now = self.endpoint.now();
        let answer = self.link.borrow_mut().as_mut().map_or_else(|| Err(lost(2006)), |link| link.executes(text, now));
        match &answer {
            Ok(_) => {
                let open = self.link.borrow().as_ref().is_some_and(|link| link.transaction.is_some());
                self.in_transaction.set(open);
            }
            Err(failure) => {
                self.fails(failure.clone());
            }
        }
        answer
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.ends();
    }
}

impl Upstream for Connection {
    fn thread_id(&self) -> u64 {
        self.link.borrow().as_ref().map_or(0, |link| link.thread)
    }

    fn fd(&self) -> i32 {
        -1
    }

    fn hung_up(&self) -> bool {
        !self.is_linked()
    }

    fn has_ended(&self) -> bool {
        !self.is_linked()
    }

    fn is_mariadb_server(&self) -> bool {
        true
    }

    fn query(&self, text: &[u8]) -> Result<Answer, Failure> {
        self.run(text, false)
    }

    fn execute(&self, _: &[u8], _: &[Value]) -> Result<Executed, Failure> {
        Err(lost(2013))
    }

    fn apply(&self, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Text(text) => self.run(text, false).map(drop),
            _ => Ok(()),
        }
    }

    fn reset_as(&self, _: &Reset) -> Result<(), Failure> {
        Ok(())
    }

    fn prepare_all_again(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn login(&self) -> Login {
        Login { here: 7, everywhere: 7 }
    }

    fn log_in(&self, to: SocketAddr, _: u64, _: Duration) -> Result<(), Failure> {
        match server_at(to) {
            Some(server) => self.connect(server),
            None => Err(self.fails(Failure::new(2003, b"HY000", "Can't connect to server (111)"))),
        }
    }

    fn is_about_to_leave(&self) {}

    fn has_arrived(&self) {}

    fn has_means(&self) -> bool {
        true
    }

    fn end_connection(&self) {
        self.ends();
    }

    fn resolve(&self) -> Vec<IpAddr> {
        resolved()
    }

    fn others_are_alive_at(&self, server: SocketAddr) -> bool {
        world().look().hears_from(server, Some(self.number))
    }

    fn expect_a_stream(&self) {}

    fn begin_exchange(&self) -> Option<Exchange> {
        None
    }
}

impl Downstream for Connection {
    fn status_in_transaction(&self) -> bool {
        self.in_transaction.get()
    }

    fn status_autocommit(&self) -> bool {
        true
    }

    fn more_results(&self) -> bool {
        false
    }

    fn clear_status_in_transaction(&self) {
        self.in_transaction.set(false);
    }

    fn reply(&self) -> Replied {
        match *self.replied.borrow() {
            Some(Answer::Done { affected, insert_id }) => Replied::Done { affected, insert_id },
            _ => Replied::Rows,
        }
    }

    fn warning_count(&self) -> u32 {
        0
    }

    fn failure(&self) -> Failure {
        self.told()
    }

    fn set_failure(&self, failure: &Failure) {
        self.failure.replace(failure.clone());
    }

    fn read_timeout(&self) -> Option<Duration> {
        Some(READ_TIMEOUT)
    }

    fn connect_patience(&self) -> Option<Duration> {
        None
    }

    fn condemn(&self) {
        self.ends();
        self.condemned.set(true);
        self.state().session.forget();
    }

    fn is_condemned(&self) -> bool {
        self.condemned.get()
    }

    fn settle_rows(&self) {}

    fn dialect(&self, _: &Session) -> Dialect {
        Dialect::default()
    }

    fn announce_plain_rows(&self) {}

    fn level(&self) -> Level {
        Level::Replay
    }
}

impl Protected for Connection {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn state(&self) -> MappedMutexGuard<'_, State> {
        MutexGuard::map(self.state.lock(), |state| state)
    }

    fn recalled(&self) -> &Cell<bool> {
        &self.recalled
    }

    fn line(&self) -> &dyn Protected {
        self
    }

    fn ticks(&self) -> u64 {
        0
    }
}
