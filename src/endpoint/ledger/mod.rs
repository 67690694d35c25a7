//! What the library's own logins and greetings have cost at each server, as all processes of a host and user write it down
//! together: servers count wrong passwords (`FAILED_LOGIN_ATTEMPTS`, `max_password_errors`) and aborted handshakes
//! (`max_connect_errors`) and not the processes that they come from.
//!
//! Pure: a table of small records in bytes. `host` keeps it in a file. Whatever the bytes are, the worst that follows from
//! them is that this library makes no login at a server for ten minutes; the application's own connects never ask here.
//!
//! **Passwords.** A record holds no name and no address, but a hash of server, account and eight bits of a hash of the
//! password (`client/account.rs`): enough to try a new password although an old one was refused (one new password in 256
//! has to wait with the old one), and too little to find out a password. Without any bit of it one old password in one
//! process would keep the logins of all other processes away from the server.

mod file;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
};

/// The format too: another one gets another mark.
const MARK: [u8; 8] = *b"ptsman 1";
const RECORDS: usize = 255;
const RECORD: usize = 32;
/// All bytes of a table.
pub const SIZE: usize = MARK.len() + RECORDS * RECORD;

/// Milliseconds since 1970: the same for all processes, and past a restart of the host.
type Moment = u64;

/// A login that another process makes is waited for as long. One that takes longer hangs, or is that of a process that ended.
const UNDER_WAY: u64 = 3_000;
/// A login that has just succeeded succeeds again: all processes of a host come back within such a time.
const LATELY: u64 = 1_000;
/// An account may have been unlocked, or made, meanwhile. Servers do not forget failed logins by themselves.
const REMEMBERED: u64 = 600_000;
/// Handshakes that may be given up at a server without a login in between: greetings that are only looked at, and those and
/// logins together. A server refuses the whole host after 100 (`max_connect_errors`), or after what its owner thinks fit.
const GREETINGS: u64 = 4;
const HANDSHAKES: u64 = 6;
/// After this long since the last one there is room for another one.
const ROOM_AGAIN: u64 = 30_000;
/// What another process has heard a server say is still true.
const STILL_TRUE: u64 = 3_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    UnderWay,
    Accepted,
    Refused,
    Handshakes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    id: u64,
    kind: Kind,
    /// The number of the error with which the server has refused the login; 0 if it has not.
    error: u16,
    /// How many handshakes with the server were given up, the last one at `since`, if this is a record of handshakes.
    count: u32,
    /// When the record became what it is.
    since: Moment,
    /// When the server greeted last, if this is a record of handshakes.
    greeted: Moment,
}

/// One login at one server.
pub fn login(server: SocketAddr, account: u64) -> u64 {
    hash(("login", server, account))
}

fn handshakes(server: SocketAddr) -> u64 {
    hash(("handshakes", server))
}

/// All processes get the same number, because the hasher has fixed keys. Another build of the library may have another hasher:
/// its records are then foreign ones here, which age and go.
fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// What becomes of a login that this process wants to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// This process makes it, and tells how it ended.
    Own,
    /// It has just succeeded: there is nothing to tell.
    Known,
    /// Another process makes the same one just now.
    Others,
    /// The server has refused it with that error.
    Refused(u16),
    /// Too many handshakes with that server were given up.
    Spent,
}

/// How a login ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Accepted,
    Refused(u16),
    /// There was no answer to it.
    Open,
}

/// What becomes of a greeting that this process wants to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// It may connect.
    Own,
    /// Another process has just been greeted.
    Others,
    /// Too many handshakes with that server were given up.
    Spent,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger(Vec<Record>);

impl Ledger {
    /// `None`: these bytes are something else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let records = bytes.strip_prefix(&MARK)?;
        // The rest is missing if a disk was full.
        Some(Self(records.chunks_exact(RECORD).filter_map(Record::read).take(RECORDS).collect()))
    }

    pub fn write(&self) -> Vec<u8> {
        let mut bytes = MARK.to_vec();
        self.0.iter().for_each(|record| record.write(&mut bytes));
        bytes.resize(SIZE, 0);
        bytes
    }

    pub fn begin_login(&mut self, server: SocketAddr, account: u64, now: Moment) -> Turn {
        let id = login(server, account);
        match self.get(id, now) {
            Some(Record { kind: Kind::Refused, error, .. }) => return Turn::Refused(*error),
            Some(Record { kind: Kind::Accepted, .. }) => return Turn::Known,
            Some(Record { kind: Kind::UnderWay, .. }) => return Turn::Others,
            _ => {}
        }
        if !self.has_room(server, HANDSHAKES, now) {
            return Turn::Spent;
        }
        self.put(Record { kind: Kind::UnderWay, ..Record::new(id, now) }, now);
        Turn::Own
    }

    /// `given_up`: the server had begun to speak, or might have.
    pub fn end_login(&mut self, server: SocketAddr, account: u64, end: End, given_up: bool, now: Moment) {
        let id = login(server, account);
        match end {
            End::Accepted => {
                self.logged_in(server);
                self.put(Record { kind: Kind::Accepted, ..Record::new(id, now) }, now);
            }
            End::Refused(error) => self.put(Record { kind: Kind::Refused, error, ..Record::new(id, now) }, now),
            End::Open => self.0.retain(|record| record.id != id || record.kind != Kind::UnderWay),
        }
        if given_up {
            self.gives_up(server, now);
        }
    }

    /// A login from this host has succeeded: the server has forgotten the handshakes that it counted.
    pub fn logged_in(&mut self, server: SocketAddr) {
        let id = handshakes(server);
        self.0.retain(|record| record.id != id);
    }

    /// A connection that is opened for the greeting alone counts from then on.
    pub fn begin_greeting(&mut self, server: SocketAddr, now: Moment) -> Greeting {
        if self.has_room(server, GREETINGS, now) {
            self.gives_up(server, now);
            return Greeting::Own;
        }
        match self.get(handshakes(server), now) {
            Some(known) if now.checked_sub(known.greeted).is_some_and(|ago| ago < STILL_TRUE) => Greeting::Others,
            _ => Greeting::Spent,
        }
    }

    pub fn was_greeted(&mut self, server: SocketAddr, now: Moment) {
        if let Some(known) = self.get(handshakes(server), now) {
            known.greeted = now;
        }
    }

    /// There was no handshake after all: no server there, or none that speaks.
    pub fn was_not_connected(&mut self, server: SocketAddr, now: Moment) {
        if let Some(known) = self.get(handshakes(server), now) {
            known.count = known.count.saturating_sub(1);
        }
    }

    /// Is there room for another connection for the greeting alone?
    pub fn may_be_greeted(&mut self, server: SocketAddr, now: Moment) -> bool {
        self.has_room(server, GREETINGS, now)
    }

    /// May another handshake be given up, of which so many may be at once?
    fn has_room(&mut self, server: SocketAddr, at_once: u64, now: Moment) -> bool {
        let Some(known) = self.get(handshakes(server), now) else { return true };
        u64::from(known.count) < at_once || now.saturating_sub(known.since) >= ROOM_AGAIN
    }

    fn gives_up(&mut self, server: SocketAddr, now: Moment) {
        let id = handshakes(server);
        if let Some(known) = self.get(id, now) {
            known.count = known.count.saturating_add(1);
            known.since = now;
            return;
        }
        self.put(Record { kind: Kind::Handshakes, count: 1, ..Record::new(id, now) }, now);
    }

    /// What is still true of that record.
    fn get(&mut self, id: u64, now: Moment) -> Option<&mut Record> {
        let known = self.0.iter_mut().find(|record| record.id == id)?;
        known.ages(now);
        (known.kind != Kind::Nothing).then_some(known)
    }

    fn put(&mut self, record: Record, now: Moment) {
        self.0.iter_mut().for_each(|known| known.ages(now));
        self.0.retain(|known| known.id != record.id && known.kind != Kind::Nothing);
        if self.0.len() >= RECORDS {
            let oldest = (0..self.0.len()).min_by_key(|at| self.0.get(*at).map(|known| known.since));
            oldest.map(|at| self.0.swap_remove(at));
        }
        self.0.push(record);
    }
}

impl Record {
    fn new(id: u64, now: Moment) -> Self {
        Self { id, kind: Kind::Nothing, error: 0, count: 0, since: now, greeted: 0 }
    }

    /// What time has made of it. A moment that is still to come is no moment of this host.
    fn ages(&mut self, now: Moment) {
        let age = now.checked_sub(self.since);
        let true_for = match self.kind {
            Kind::Nothing => return,
            Kind::UnderWay => UNDER_WAY,
            Kind::Accepted => LATELY,
            Kind::Refused | Kind::Handshakes => REMEMBERED,
        };
        if age.is_none_or(|age| age >= true_for) || self.kind == Kind::Handshakes && self.count == 0 {
            self.kind = Kind::Nothing;
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let about = number(8)?;
        let kind = match about & 0xff {
            1 => Kind::UnderWay,
            2 => Kind::Accepted,
            3 => Kind::Refused,
            4 => Kind::Handshakes,
            _ => return None,
        };
        let (error, count) = ((about >> 16) as u16, (about >> 32) as u32);
        Some(Self { id: number(0)?, kind, error, count, since: number(16)?, greeted: number(24)? })
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let about = self.kind as u64 | u64::from(self.error) << 16 | u64::from(self.count) << 32;
        for number in [self.id, about, self.since, self.greeted] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
}

pub use file::on_shared_ledger;

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
