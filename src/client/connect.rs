//! `mysql_real_connect`: from here on we know what endpoint a handle is a connection to.

use std::{ffi::c_ulong, net::SocketAddr, sync::Arc, time::Instant};

use super::{
    Call,
    handle::Handle,
    layout::{
        library::Managed,
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

impl Plan {
    fn for_host(call: Call, host: &[u8], port: u32) -> Option<Plan> {
        if call.nested() || config().off {
            return None;
        }
        let name = Name::of(host, u16::try_from(port).ok()?)?;
        if !config().protects(&name.host, name.port) {
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
