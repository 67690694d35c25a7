//! A connect of a client library to an endpoint: where it is led, and what becomes of its socket.

use std::net::SocketAddr;

use super::current::current;
use crate::{
    control::{config, option::Mode},
    endpoint::Endpoint,
    guard::decide,
    host::{
        patience,
        steer::{self, Steered},
    },
};

/// Until dropped, this thread connects to the endpoint.
pub struct Connecting {
    _steered: Steered,
}

/// This thread is about to connect to `endpoint`: to the server `to` if given, else to where the name leads. `asked`: the
/// question that the login is.
pub fn towards(endpoint: &'static Endpoint, to: Option<SocketAddr>, asked: Option<u64>) -> Connecting {
    let endpoint = steer::Endpoint { number: endpoint.position, host: &endpoint.name.host };
    Connecting { _steered: steer::towards(endpoint, to, asked) }
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
