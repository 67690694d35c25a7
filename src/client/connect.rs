//! `mysql_real_connect`: from here on we know what endpoint a handle is a connection to.

use std::{ffi::c_ulong, net::SocketAddr, sync::Arc, time::Instant};

use super::{
    Call,
    handle::Handle,
    layout::{
        library::{Library, Managed},
        native::{Active, Native},
        reconnect::inner_connect_failed,
        sys::{CLIENT_REMEMBER_OPTIONS, MYSQL},
    },
    registry::Handles,
};
use crate::{
    control::{config, counters::COUNTERS, option::Mode},
    endpoint::{Endpoint, handshakes::Handshake, name::Name},
    guard::{self, decide},
    host::{interruption::Recall, stack, steer},
    process::{Process, connecting, current},
    protect::{
        connect::{Attempt, Failed, deadline},
        line::Protected,
    },
};

/// libmariadb takes a list of hosts, and a connection string (`host=db.example;port=3306`).
const LISTED: &[u8] = b",;=";

/// A connect to an endpoint, by a library that we know.
#[derive(Clone, Copy)]
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
    let mut known = decide(|| Plan::for_host(call, host, port)).flatten();
    let finds_it = known.is_none().then(|| call.library()).flatten().filter(|_| Plan::is_to_be_learnt(call, host));
    if known.is_none() && finds_it.is_none() {
        return passed_through(mysql, real(0));
    }
    let began = Instant::now();
    let (mut to, mut recall) = (None, None);
    loop {
        // A failed connect would throw away the options, and there would be nothing to try again with.
        let may_be_defended =
            || finds_it.is_some_and(|library| some_endpoint_has_a_writer() && library.managed().is_some());
        let again = known.map_or_else(|| decide(may_be_defended) == Some(true), |plan| plan.defended());
        let flags = if again { CLIENT_REMEMBER_OPTIONS } else { 0 };
        let turn = known.and_then(|plan| decide(|| plan.turn(call, mysql, began)).flatten());
        let steered = match (known, finds_it) {
            (Some(plan), _) => Some(connecting::towards(plan.endpoint, to, None)),
            (None, library) => library.map(|library| connecting::by(library)),
        };
        let connected = stack::on(|| real(flags));
        // The first attempt has shown which host it is.
        known = known.or_else(|| decide(|| Plan::learnt(call, host)).flatten());
        drop(steered);
        // A contended lock changes `errno`.
        decide(|| drop(turn));
        let Some(plan) = known else { return passed_through(mysql, connected) };
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

/// No endpoint's connect. The structure may have been a protected handle before.
fn passed_through(mysql: Active, connected: *mut MYSQL) -> *mut MYSQL {
    if !connected.is_null()
        && let Some(process) = current::existing()
    {
        decide(|| {
            if let Some(own) = Handles::of(process).filter(|_| process.is_ours()) {
                own.handles.remove(mysql.key());
            }
        });
    }
    connected
}

/// Does this process know a writer that it may have to wait for?
fn some_endpoint_has_a_writer() -> bool {
    let process = current::existing().filter(|process| process.is_ours());
    config().mode != Mode::Observe && process.is_some_and(|process| process.endpoints().any(Endpoint::has_a_writer))
}

impl steer::ClientLibrary for Library {
    fn can_be_protected(&self) -> bool {
        self.managed().is_some()
    }
}

impl Plan {
    fn for_host(call: Call, host: &[u8], port: u32) -> Option<Plan> {
        if call.nested() || config().off {
            return None;
        }
        let port = u16::try_from(port).ok()?;
        // A client library that is used for no endpoint is not calibrated.
        Name::of(host, port)?;
        let managed = call.library()?.managed()?;
        Plan::for_endpoint(connecting::endpoint(host, port)?, managed)
    }

    fn for_endpoint(endpoint: &'static Endpoint, managed: &'static Managed) -> Option<Plan> {
        let process = current::started()?;
        Some(Plan { process, own: Handles::of(process)?, endpoint, managed })
    }

    /// Does the client library find the host by itself? An option file names it where the application gives none, libmariadb
    /// takes the first host of a list that lets it in, and reads it in a connection string.
    fn is_to_be_learnt(call: Call, host: &[u8]) -> bool {
        let is_open = host.is_empty() || host.iter().any(|c| LISTED.contains(c));
        is_open && !call.nested() && !config().off
    }

    /// The endpoint whose name the client library has looked up last, in the connect that is just over.
    fn learnt(call: Call, host: &[u8]) -> Option<Plan> {
        let managed = call.library()?.managed()?;
        let endpoint = current::started()?.endpoint_at(steer::connecting()?)?;
        // Without this library a connection that was lost would be opened to another host of the list.
        if !host.contains(&b'=') {
            endpoint.may_be_one_of(host.split(|c| *c == b','));
        }
        Plan::for_endpoint(endpoint, managed)
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
        guest.line().is_opened();
    }

    /// When the application itself would give up.
    fn deadline(&self, native: &Native, began: Instant) -> Option<Instant> {
        deadline([native.connect_patience(), native.read_timeout()], began)
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
        let failed = Failed {
            failure: &native.failure(),
            began,
            to,
            led: steer::where_led().map(|address| address.ip()).collect(),
            deadline: self.deadline(&native, began),
        };
        failed.next_attempt(self.endpoint, recall)
    }
}
