//! What is looked after from time to time, on the watcher's thread: servers that have fallen silent, connections to them that
//! are ended, tags of descriptors that were closed unseen.

use std::{cell::Cell, collections::BTreeSet, net::SocketAddr};

use super::{Process, current::current, tags::Tag};
use crate::{
    control::{
        config,
        log::{Level::*, say},
        option::Mode,
    },
    endpoint::{Endpoint, Role, silence::Traffic},
    host::{ending, socket},
};

/// The kernel sends again after at least 200 ms and then twice that (RFC 6298): once may be a lost packet.
const RESENT: u8 = 2;

impl Process {
    /// Is a tagged connection of `endpoint` to `server`, other than `own`, alive?
    pub fn has_live_connection(&self, endpoint: &Endpoint, server: SocketAddr, own: i32) -> bool {
        self.tags.any(|fd, tag| {
            fd != own
                && tag.endpoint == endpoint.position
                && tag.peer == server
                && socket::peer(fd) == Some(server)
                && !socket::hung_up(fd)
        })
    }

    /// On the watcher's thread: every server that connections of this endpoint lead to, not only the incumbent.
    pub(super) fn look_for_silence(&self, endpoint: &Endpoint) {
        if config().mode == Mode::Observe {
            return;
        }
        endpoint.end_overdue_questions(socket::is_accepted, |fd, server| self.end_connection(fd, server));
        // Descriptors that were closed by a raw system call, past our doors: the number is free, or is another file by now.
        let closed = |fd: i32, tag: Tag| tag.endpoint == endpoint.position && ending::leads_elsewhere(fd, tag.peer);
        self.tags.clear_if(closed, |at| self.untagged(at));
        if endpoint.role() == Role::Unknown {
            return;
        }
        let mut servers = BTreeSet::new();
        self.tags.any(|_, tag| {
            if tag.endpoint == endpoint.position {
                servers.insert(tag.peer);
            }
            false
        });
        for server in servers {
            if endpoint.has_fallen_silent(server, self.traffic(endpoint, server)) {
                endpoint.gave_up(server);
                self.cut_connections(endpoint, server);
            }
        }
    }

    /// What the kernel knows of the connections to `server`, and who waits on those of `endpoint`.
    pub(super) fn traffic(&self, endpoint: &Endpoint, server: SocketAddr) -> Traffic {
        let mut traffic = Traffic::default();
        let alive = self.tags.any(|fd, tag| {
            if tag.peer == server
                && socket::peer(fd) == Some(server)
                && let Some(seen) = socket::signs(fd)
            {
                if socket::hung_up(fd) {
                    return false;
                }
                traffic.heard = [traffic.heard, seen.heard].into_iter().flatten().min();
                traffic.resending |= seen.resent >= RESENT;
            }
            traffic.alive()
        });
        traffic.waiting = !alive && self.front_end.get().is_some_and(|front_end| front_end.waits_for(endpoint, server));
        traffic
    }

    /// Ends the connections of an endpoint to a server that is gone without a word, so that a thread that waits for an answer
    /// on one of them learns that none will come. A connect of the application is left to its own limits. The descriptors stay the application's.
    pub(super) fn cut_connections(&self, endpoint: &Endpoint, server: SocketAddr) {
        // One thread at a time, so that each connection is counted once.
        let _alone = self.cutting.lock();
        let cut = Cell::new(0);
        let ends = |fd: i32, tag: Tag| {
            let opening = || self.opening.lock().contains(&fd);
            let is_theirs = tag.endpoint == endpoint.position && tag.peer == server;
            let ended = is_theirs && !opening() && self.end_connection(fd, server);
            cut.set(cut.get() + u32::from(ended));
            ended
        };
        // The application's thread may have opened another connection under that number by now: its tag stays.
        self.tags.clear_if(ends, |endpoint| self.untagged(endpoint));
        let cut = cut.get();
        if cut > 0 {
            say!(Warn, "{}: {server} is silent: {cut} connections to it are given up", endpoint.name);
        }
    }

    /// Ends a tagged connection to `server`. Not at the limit of descriptors: then it is tried again a second later, and the
    /// kernel has its own patience (`host/patience`).
    fn end_connection(&self, fd: i32, server: SocketAddr) -> bool {
        let tagged = || self.tags.get(fd).is_some_and(|tag| tag.peer == server);
        tagged() && ending::end_connection(fd, server, tagged)
    }
}

/// On the watcher's thread, since every other thread may be waiting: notices that a server has fallen silent, looks at the clock.
pub(super) fn on_second() {
    let Some(process) = current() else { return };
    for endpoint in process.endpoints() {
        endpoint.look_at_the_clock();
        process.look_for_silence(endpoint);
    }
}
