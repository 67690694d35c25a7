//! A front end for the servers of the [`world`](super::world): a connection that the library speaks on and the application sees.

use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustix_futex_sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::world::{resolved, server_at, world};
use crate::{
    endpoint::{Endpoint, logins::Login, topology},
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

/// What a server has of a connection.
#[derive(Clone, Debug)]
struct Link {
    server: usize,
    start: u32,
    thread: u64,
    /// The name meant another server when it was opened, and DNS said so, not only since a moment.
    astray: bool,
    /// The application has set up its session here (`SET SESSION sql_mode = …`).
    mode: bool,
    transaction: Option<Vec<u32>>,
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

fn lost(number: u32) -> Failure {
    Failure::new(number, b"HY000", "Lost connection to server during query")
}

fn value(text: impl ToString) -> Option<Vec<u8>> {
    Some(text.to_string().into_bytes())
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
        let answer = self.executes(text, server);
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

    fn executes(&self, text: &[u8], server: usize) -> Result<Answer, Failure> {
        let text = std::str::from_utf8(text).unwrap_or_default();
        let done = |affected| Ok(Answer::Done { affected, insert_id: 0 });
        let rows = |values: Vec<Option<Vec<u8>>>| Ok(Answer::Rows(vec![values]));
        let now = self.endpoint.now();
        let read_only = { world().look().servers[server].read_only };
        let refused = || Failure::new(1290, b"HY000", "The server is running with the --read-only option");
        let mut link = self.link.borrow_mut();
        let Some(link) = link.as_mut() else { return Err(lost(2006)) };
        if text.contains("@@global.read_only") {
            let on = u8::from(read_only);
            return rows([value(on), value(0), value(0), value(0), value(server), value(server), value(3306)].to_vec());
        }
        if text.starts_with("SHOW GLOBAL STATUS LIKE 'Uptime'") {
            let up = now.saturating_duration_since(world().look().servers[server].started);
            return rows(vec![value("Uptime"), value(up.as_secs())]);
        }
        if text.as_bytes() == topology::QUESTION {
            return Err(Failure::new(1146, b"42S02", "Table 'mysql.rds_topology' doesn't exist"));
        }
        if text.starts_with("SELECT @@timestamp") {
            let time = { world().look().time };
            return rows(vec![value(format!("{}.{:06}", time.as_secs(), time.subsec_micros()))]);
        }
        if text.contains("auto_increment_increment") && text.starts_with("SELECT") {
            return rows(vec![value(1), value(1)]);
        }
        if text.contains("information_schema.VIEWS") {
            return Ok(Answer::Rows(Vec::new()));
        }
        if text.starts_with("SET SESSION sql_mode") {
            link.mode = true;
            return done(0);
        }
        if text.starts_with("SET ") || text == "DO 0" || text.starts_with("SELECT 1 FROM") {
            return done(0);
        }
        if !link.mode {
            world().look().violated(format!("{text} ran in a session that the application has not set up"));
        }
        match text.split(' ').next() {
            Some("BEGIN") => {
                let open = link.transaction.replace(Vec::new());
                commit(server, link.astray, open.unwrap_or_default());
                done(0)
            }
            Some("COMMIT") => {
                let open = link.transaction.take().unwrap_or_default();
                if read_only && !open.is_empty() {
                    return Err(refused());
                }
                commit(server, link.astray, open);
                done(0)
            }
            Some("ROLLBACK") => {
                link.transaction = None;
                done(0)
            }
            Some("INSERT") => {
                if read_only {
                    return Err(refused());
                }
                let row = text.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a row's number");
                match &mut link.transaction {
                    Some(open) => open.push(row),
                    None => commit(server, link.astray, vec![row]),
                }
                done(1)
            }
            _ => rows(vec![value(1)]),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.ends();
    }
}

/// The server commits rows of a connection. `astray`: the name meant another server when it was opened.
fn commit(server: usize, astray: bool, rows: Vec<u32>) {
    if rows.is_empty() {
        return;
    }
    let mut world = world().look();
    let named = world.named;
    if !world.ever_named[server] {
        world.violated(format!("rows {rows:?} were written to {server}, which the name has never meant"));
    } else if astray && server != named && server != world.leader {
        let why = format!("opened to {server} when the name meant {named}");
        world.violated(format!("rows {rows:?} were written by a connection that was {why}"));
    }
    world.say(format!("{server} commits {rows:?}"));
    if server == world.leader {
        world.rows.extend(rows);
    } else {
        world.misplaced.extend(rows);
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
