//! A guest's connection as the search for the writer borrows it.

use std::net::SocketAddr;

use super::{
    handle::{Guest, Pending},
    layout::{native::Reply, sys::SERVER_STATUS_IN_TRANS},
};
use crate::{
    control::counters::COUNTERS,
    endpoint::{
        Pulse,
        search::{Prober, Writability},
    },
    hooks::steer,
};

/// Remembers whether the connection was replaced while it was lent, so that its session is restored afterwards.
pub struct Lent<'a> {
    guest: &'a Guest,
    /// The connection was replaced: the session on it is a fresh one.
    pub fresh: bool,
    /// After a reconnect to the same server, its connection ids began anew.
    pub restarted: bool,
}

impl<'a> Lent<'a> {
    pub fn new(guest: &'a Guest) -> Self {
        Lent { guest, fresh: false, restarted: false }
    }
}

impl Prober for Lent<'_> {
    fn address(&self) -> Option<SocketAddr> {
        if self.guest.native.hung_up() { None } else { self.guest.state().peer }
    }

    fn dial(&mut self, to: SocketAddr) -> Result<(), String> {
        let native = &self.guest.native;
        let before = (self.guest.state().peer, native.thread_id());
        let steered = steer::towards(self.guest.handle.position, Some(to));
        let outcome = native.reconnect();
        drop(steered);
        outcome.map_err(|failure| format!("error {}: {}", failure.number, String::from_utf8_lossy(&failure.text)))?;
        COUNTERS.moves.add(1);
        self.fresh = true;
        let mut state = self.guest.state();
        state.thread = native.thread_id();
        // Connection ids only grow while a server runs (MySQL manual, CONNECTION_ID()).
        self.restarted |= before.0 == Some(to) && state.thread < before.1;
        state.peer = Some(to);
        state.sent = None;
        state.result = Pending::None;
        // Not in order before the session was restored.
        state.pulse = Pulse::default();
        Ok(())
    }

    fn ask(&mut self) -> Writability {
        ask(self.guest)
    }
}

/// Asks the connected server whether it accepts writes (MySQL manual, `read_only`; MariaDB 12 says OFF and ON).
pub fn ask(guest: &Guest) -> Writability {
    // Without autocommit the library believes that any result set opens a transaction; this one does not.
    let in_transaction = guest.native.server_status() & SERVER_STATUS_IN_TRANS;
    let answer = question(guest);
    if in_transaction == 0 {
        guest.native.set_server_status(guest.native.server_status() & !SERVER_STATUS_IN_TRANS);
    }
    answer
}

fn question(guest: &Guest) -> Writability {
    let questions: [&[u8]; 2] = [b"SELECT @@global.read_only, @@global.innodb_read_only", b"SELECT @@global.read_only"];
    for question in questions {
        match guest.native.query(question) {
            Ok(Reply::Rows(rows)) => {
                let off = |value: &Option<Vec<u8>>| matches!(value.as_deref(), Some(b"0" | b"OFF"));
                let writable = rows.len() == 1 && rows[0].iter().all(off);
                return if writable { Writability::Writable } else { Writability::ReadOnly };
            }
            // ER_UNKNOWN_SYSTEM_VARIABLE: a server without InnoDB.
            Err(failure) if failure.number == 1193 => {}
            // Any other answer is no proof of writability; a lost connection is told apart by its socket.
            Ok(Reply::Done { .. }) | Err(_) => break,
        }
    }
    if guest.native.hung_up() { Writability::Lost } else { Writability::ReadOnly }
}
