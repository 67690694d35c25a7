//! A connect of a client library to an endpoint: where it is led, and what becomes of its socket.

use std::{ffi::CStr, net::SocketAddr};

use super::current::{current, started};
use crate::{
    control::{config, counters::COUNTERS, option::Mode},
    endpoint::{Endpoint, name::Name},
    guard::decide,
    host::{
        patience,
        steer::{self, ClientLibrary, Steered},
    },
};

/// Until dropped, this thread connects to the endpoint.
pub struct Connecting {
    _steered: Steered,
}

/// This thread is about to connect to `endpoint`: to the server `to` if given, else to where the name leads. `asked`: the
/// question that the login is.
pub fn towards(endpoint: &'static Endpoint, to: Option<SocketAddr>, asked: Option<u64>) -> Connecting {
    Connecting { _steered: steer::towards(known(endpoint), to, asked) }
}

/// This thread is about to connect to a host that `library` finds by itself: in an option file, or in a list.
pub fn by(library: &'static dyn ClientLibrary) -> Connecting {
    Connecting { _steered: steer::by(library) }
}

/// The client library looks up the name `node` and the port `service`, to connect to it: that is the endpoint.
pub fn learns(library: &dyn ClientLibrary, node: &CStr, service: &CStr) {
    let port = service.to_str().ok().and_then(|port| port.parse().ok());
    let endpoint = port.filter(|_| library.can_be_protected()).and_then(|port| endpoint(node.to_bytes(), port));
    steer::learnt(endpoint.map(known));
}

/// The endpoint of this name, unless that is none, or is not to be protected.
pub fn endpoint(host: &[u8], port: u16) -> Option<&'static Endpoint> {
    let name = Name::of(host, port)?;
    if !config().protects(&name.host, name.port) {
        COUNTERS.passed_through.count();
        return None;
    }
    started()?.endpoint(name)
}

fn known(endpoint: &'static Endpoint) -> steer::Endpoint {
    steer::Endpoint { number: endpoint.position, host: &endpoint.name.host }
}

/// The client library connects a socket of its own to `peer`, for the endpoint at `position`.
pub fn begins(fd: i32, position: u16, peer: SocketAddr) {
    let Some(process) = current() else { return };
    process.tag(fd, position, peer);
    if let (Some(question), Some(endpoint)) = (steer::question(), process.endpoint_at(position)) {
        endpoint.question_is_on(question, fd);
    }
    if config().mode != Mode::Observe {
        patience::connect_begins(fd, peer).inspect(|before| process.opened(*before));
        if steer::question().is_none() {
            process.opens(fd);
        }
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        decide(|| {
            if let (Some(fd), Some(process)) = (patience::connect_is_over(), current()) {
                process.opened(fd);
            }
        });
    }
}
