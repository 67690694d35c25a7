//! `mysql_real_connect`: from here on we know what endpoint a handle is a connection to.

use std::{
    ffi::c_ulong,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Call,
    handle::{Guest, Handle},
    layout::{
        library::Managed,
        native::{Active, Native},
        reconnect::inner_connect_failed,
        sys::{CLIENT_REMEMBER_OPTIONS, MYSQL},
    },
    probe::{self, Lent},
    registry::Handles,
};
use crate::{
    control::{
        config,
        counters::COUNTERS,
        log::{Level::*, say},
        option::Mode,
    },
    endpoint::{
        Endpoint, Role,
        connects::Trouble,
        handshakes::Handshake,
        name::Name,
        prober::{Need, Writability},
    },
    guard::{self, decide},
    host::{interruption::Recall, stack, steer},
    process::{Process, connecting, current},
    verdict::evidence,
};

/// A connect to an endpoint, by a library that we know.
struct Plan {
    process: &'static Process,
    own: &'static Handles,
    endpoint: &'static Endpoint,
    managed: &'static Managed,
}

/// `real` takes client flags to add to the application's.
pub fn real_connect(
    call: Call,
    mysql: Active,
    host: &[u8],
    port: u32,
    login: [Option<&[u8]>; 2],
    real: impl Fn(c_ulong) -> *mut MYSQL,
) -> *mut MYSQL {
    if guard::ourselves() || steer::is_connecting() {
        let connected = real(0);
        if connected.is_null() && steer::reconnecting() {
            decide(|| call.native(mysql).inspect(|inner| inner_connect_failed(&inner.failure())).is_some());
        }
        return connected;
    }
    let Some(plan) = decide(|| Plan::for_host(call, host, port)).flatten() else {
        let connected = real(0);
        // The structure may have been a protected handle before.
        if !connected.is_null()
            && let Some(process) = current::existing()
        {
            decide(|| {
                if let Some(own) = Handles::of(process).filter(|_| process.is_ours()) {
                    own.handles.remove(mysql.key());
                }
            });
        }
        return connected;
    };
    let began = Instant::now();
    // A failed connect would throw away the options, and there would be nothing to try again with.
    let flags = if plan.defended() { CLIENT_REMEMBER_OPTIONS } else { 0 };
    let (mut to, mut recall) = (None, None);
    loop {
        let turn = decide(|| plan.turn(call, mysql, began)).flatten();
        let steered = connecting::towards(plan.endpoint, to, None);
        let connected = stack::on(|| real(flags));
        drop(steered);
        // A contended lock changes `errno`.
        decide(|| drop(turn));
        if !connected.is_null() {
            decide(|| plan.connected(call, mysql, login, to));
            return connected;
        }
        match decide(|| plan.next_attempt(call, mysql, began, to, &mut recall)).flatten() {
            Some(Attempt(next)) => to = next,
            None => {
                decide(|| plan.failed(call, mysql));
                return connected;
            }
        }
    }
}

/// Another attempt to connect: to that server, or to where DNS leads.
struct Attempt(Option<SocketAddr>);

impl Plan {
    fn for_host(call: Call, host: &[u8], port: u32) -> Option<Plan> {
        if call.nested() || config().off {
            return None;
        }
        let name = Name::of(host, u16::try_from(port).ok()?)?;
        let chosen = &config().endpoints;
        if !chosen.is_empty() && !chosen.iter().any(|endpoint| endpoint.matches(&name.host, name.port)) {
            COUNTERS.passed_through.count();
            return None;
        }
        let managed = call.library()?.managed()?;
        let process = current::started()?;
        let endpoint = process.endpoint(name)?;
        Some(Plan { process, own: Handles::of(process)?, endpoint, managed })
    }

    /// Only a known writer is worth waiting for.
    fn defended(&self) -> bool {
        self.endpoint.has_a_writer() && config().mode != Mode::Observe
    }

    /// `to`: where it was steered; otherwise it went where the name leads.
    fn connected(&self, call: Call, mysql: Active, login: [Option<&[u8]>; 2], to: Option<SocketAddr>) {
        let Some(native) = call.native(mysql) else { return };
        let Some(peer) = native.peer() else {
            // A Unix socket after all (protocol option, connection plugin).
            self.own.handles.remove(mysql.key());
            COUNTERS.passed_through.count();
            return;
        };
        if !self.process.tags.is_tagged(native.fd()) {
            // Its lookup, or its connect, did not come by our doors.
            self.process.tag(native.fd(), self.endpoint.position, peer);
        }
        if to.is_none() {
            let mut led: Vec<_> = steer::where_led().map(|address| address.ip()).collect();
            if led.is_empty() {
                // Looked up past our door.
                led.push(peer.ip());
            }
            self.endpoint.on_resolved(led);
        }
        let handle = Arc::new(Handle::new(self.endpoint, self.managed, &native));
        handle.logs_in_as(login);
        self.endpoint.logged_in(peer, handle.login());
        self.own.handles.insert(mysql.key(), Arc::clone(&handle));
        COUNTERS.protected_connections.count();
        let guest = Handle::enter_new(handle, native);
        if self.endpoint.takes_the_first_look() {
            match probe::ask(&guest) {
                Writability::Writable => {
                    self.endpoint.seen_writable(peer);
                    guest.learn_spacing();
                }
                Writability::ReadOnly if self.defended() => self.endpoint.fall_back_on_inheritance(),
                _ => {}
            }
        }
        let pulse = self.endpoint.pulse();
        let writer = self.endpoint.role() == Role::Writer;
        if writer && self.defended() && (!self.endpoint.on_connect(peer) || pulse.unsettled() || pulse.circuit_open()) {
            // DNS led here, which need not be where the writer is. The application has not seen the handle yet.
            self.redirect(&guest);
        } else {
            // What it is opened for may be a statement that would take an id that another transaction claims.
            let gives_way = writer && self.endpoint.expects_replays();
            if writer && self.defended() {
                guest.learn_spacing();
            }
            let mut state = guest.state();
            (state.pulse, state.gives_way) = (pulse, gives_way);
        }
    }

    fn redirect(&self, guest: &Guest) {
        let pulse = self.endpoint.pulse();
        let peer = { guest.state().peer };
        let here = self.endpoint.incumbent() == peer;
        // Where getaddrinfo led to a writable server, the connection would stay without this library. The server becomes the
        // incumbent unless the name means the present one too.
        let stays = |peer| {
            probe::ask_in_time(guest, peer) == Writability::Writable
                && (self.endpoint.adopt_where_led(peer) || self.endpoint.on_connect(peer))
        };
        if !here && peer.is_some_and(stays) {
            guest.learn_spacing();
            self.endpoint.after_replays();
            guest.state().pulse = self.endpoint.pulse();
            return;
        }
        if pulse.circuit_open() || !here || self.endpoint.asks_before_sending() {
            let mut lent = Lent::new(guest, Need::Reads);
            let deadline = self.deadline(&guest.native, Instant::now());
            if guest.writer(&mut lent, deadline).is_none() {
                say!(Info, "{}: connected without a verified writer", self.endpoint.name);
                return;
            }
        }
        self.endpoint.after_replays();
        guest.state().pulse = self.endpoint.pulse();
    }

    /// When the application itself would give up.
    fn deadline(&self, native: &Native, began: Instant) -> Option<Instant> {
        if config().hold_max_configured {
            return None;
        }
        let patience = [native.connect_patience(), native.read_timeout()].into_iter().flatten().min();
        patience.map(|patience| began + patience)
    }

    /// The connect failed for good. libmysqlclient destroys a live connection that is connected again: what we knew
    /// of the handle is void then.
    fn failed(&self, call: Call, mysql: Active) {
        if call.native(mysql).is_none_or(|native| !native.connected()) {
            self.own.handles.remove(mysql.key());
        }
    }

    /// A connect counts among the logins that come a few at a time, while many come back at once.
    fn turn(&self, call: Call, mysql: Active, began: Instant) -> Option<Handshake<'static>> {
        let deadline = call.native(mysql).and_then(|native| self.deadline(&native, began));
        if self.defended() { self.endpoint.handshake_in_a_storm(deadline) } else { None }
    }

    /// The connect, to `to` or to where DNS led, failed. Waits a moment and says whether it is to be tried again.
    fn next_attempt(
        &self,
        call: Call,
        mysql: Active,
        began: Instant,
        to: Option<SocketAddr>,
        recall: &mut Option<Recall>,
    ) -> Option<Attempt> {
        if !self.defended() {
            return None;
        }
        let native = call.native(mysql)?;
        let failure = native.failure();
        let number = failure.number;
        let trouble = match trouble(number, &failure.text)? {
            // Of some other server under the name this says nothing of the writer.
            Trouble::GoingAway if to.is_none() && !self.endpoint.is_where_dns_leads() => Trouble::Nobody,
            trouble => trouble,
        };
        if to.is_none() {
            self.endpoint.on_resolved(steer::where_led().map(|address| address.ip()).collect());
        }
        if to.is_none()
            && trouble == Trouble::Nobody
            && let Some(incumbent) = self.endpoint.writer_beside_dns(began.elapsed() < AT_ONCE)
        {
            // DNS is wrong or silent; the writer may be where it was.
            return Some(Attempt(Some(incumbent)));
        }
        say!(Debug, "{}: a connect failed with error {number}", self.endpoint.name);
        self.endpoint.fall_back_on_inheritance();
        let deadline = self.deadline(&native, began);
        let recall = recall.get_or_insert_with(Recall::begins);
        self.endpoint.connect_may_try_again(trouble, deadline, recall).then_some(Attempt(None))
    }
}

/// A connect that failed within this was refused, or its name is unknown: another one costs the application nothing.
const AT_ONCE: Duration = Duration::from_millis(500);

/// What a connect's error says; `None`: it is the application's business (access denied, unknown database…).
fn trouble(number: u32, text: &[u8]) -> Option<Trouble> {
    match number {
        // CR_CONNECTION_ERROR, CR_CONN_HOST_ERROR, CR_UNKNOWN_HOST, CR_SERVER_GONE_ERROR, CR_SERVER_LOST,
        // CR_SERVER_LOST_EXTENDED.
        2002 | 2003 | 2005 | 2006 | 2013 | 2055 => Some(Trouble::Nobody),
        _ if evidence::is_cut_handshake(number, text) => Some(Trouble::Nobody),
        // ER_SERVER_SHUTDOWN, ER_SERVER_OFFLINE_MODE.
        1053 | 3032 => Some(Trouble::GoingAway),
        // ER_CON_COUNT_ERROR, ER_ACCOUNT_HAS_BEEN_LOCKED of MySQL and of MariaDB.
        1040 | 3118 | 4151 => Some(Trouble::Refused),
        _ => None,
    }
}
