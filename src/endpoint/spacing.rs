//! How far apart generated ids are on which server (`auto_increment_increment`, `auto_increment_offset`).
//!
//! Of several rows that one INSERT makes the application is told the first id, and reckons the others. On a server with
//! other settings (Galera changes them by itself) they come out otherwise. So a session that is moved keeps its increment. It
//! does not keep its offset, which keeps the ids of one server apart from those of another.

use std::net::SocketAddr;

use super::Endpoint;

/// Settings of one server, or of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spacing {
    pub increment: u64,
    pub offset: u64,
}

impl Spacing {
    /// Do the ids of several rows follow each other in the same way? If each is the one after the last, the offset is of no
    /// account (MySQL manual, `auto_increment_offset`).
    pub fn is_as(self, other: Spacing) -> bool {
        self.increment == other.increment && (self.increment == 1 || self.offset == other.offset)
    }
}

/// Servers that are remembered.
const KNOWN: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Spacings(Vec<Known>);

#[derive(Debug)]
struct Known {
    server: SocketAddr,
    generation: u64,
    spacing: Spacing,
}

impl Spacings {
    fn learn(&mut self, learnt: Known) {
        self.0.retain(|known| known.server != learnt.server);
        if self.0.len() == KNOWN {
            self.0.remove(0);
        }
        self.0.push(learnt);
    }

    fn of(&self, server: SocketAddr) -> Option<&Known> {
        self.0.iter().find(|known| known.server == server)
    }
}

impl Endpoint {
    /// The server's settings as they were when it became the writer, if they were asked for.
    pub fn spacing(&self, server: SocketAddr) -> Option<Spacing> {
        self.spacings.lock().of(server).map(|known| known.spacing)
    }

    /// Have they to be asked for? Once for each writer.
    pub fn misses_spacing(&self, server: SocketAddr) -> bool {
        let generation = self.pulse().generation();
        self.spacings.lock().of(server).is_none_or(|known| known.generation != generation)
    }

    pub fn learn_spacing(&self, server: SocketAddr, spacing: Spacing) {
        let generation = self.pulse().generation();
        self.spacings.lock().learn(Known { server, generation, spacing });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_counts_where_ids_are_apart() {
        let spacing = |increment, offset| Spacing { increment, offset };
        assert!(spacing(1, 1).is_as(spacing(1, 2)) && spacing(5, 2).is_as(spacing(5, 2)));
        assert!(!spacing(5, 1).is_as(spacing(5, 2)) && !spacing(1, 1).is_as(spacing(5, 1)));
    }

    #[test]
    fn it_is_asked_for_once_for_each_writer_and_the_last_word_counts() {
        let endpoint = Endpoint::alone();
        let server = |last: u8| SocketAddr::from(([10, 0, 0, last], 3306));
        let spacing = |increment| Spacing { increment, offset: 1 };
        assert!(endpoint.misses_spacing(server(1)) && endpoint.spacing(server(1)).is_none());
        endpoint.learn_spacing(server(1), spacing(1));
        endpoint.learn_spacing(server(1), spacing(3));
        assert!(!endpoint.misses_spacing(server(1)));
        assert_eq!(endpoint.spacing(server(1)), Some(spacing(3)));
        for last in 2..=KNOWN as u8 + 1 {
            endpoint.learn_spacing(server(last), spacing(2));
        }
        assert_eq!(endpoint.spacing(server(1)), None);
        assert_eq!(endpoint.spacing(server(2)), Some(spacing(2)));
    }
}
