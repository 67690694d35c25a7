//! The servers behind one address. Behind a balancer, a service or a moved address, new connections reach another server than
//! old ones: what a server says is said of that server, and of no other one that answers at the address.
//!
//! Pure: time is an argument.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// While the address stays read-only, how often it is dialled anew, by all threads together.
const REDIAL: Duration = Duration::from_secs(1);
/// A connection that was opened within this time says what a new one would say.
const NEW: Duration = Duration::from_millis(200);
/// A transaction ends with its connection. If its server accepts writes again within this time, the transaction goes on.
const BLIP: Duration = Duration::from_secs(2);
/// Servers that are remembered. A cluster has fewer.
const KNOWN: usize = 16;

/// Which server a connection leads to, told by what the server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server(u64);

impl Server {
    /// The server that answers with these values to the question who it is. `None`: it did not answer all of it.
    pub fn of(said: &[Option<Vec<u8>>]) -> Option<Self> {
        // FNV-1a.
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let value = |hash: u64, value: &Vec<u8>| step(value.iter().fold(hash, |hash, byte| step(hash, *byte)), 0);
        let values = said.iter().map(Option::as_ref).collect::<Option<Vec<_>>>()?;
        let hash = values.into_iter().fold(0xcbf2_9ce4_8422_2325, value);
        (!said.is_empty()).then_some(Server(hash))
    }
}

/// How an open connection stands that its own server refused, and that looks for the writer.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// Its server, if that said who it is.
    pub server: Option<Server>,
    pub opened: Instant,
    pub in_transaction: bool,
    /// Since when the endpoint has had no writer, if it has none.
    pub switching_since: Option<Instant>,
}

/// What is known of the servers behind the incumbent's address.
#[derive(Debug, Default)]
pub struct Behind {
    /// Each server that said who it is, and whether it accepted writes then.
    known: Vec<(Server, bool)>,
    /// The writer, as far as the open connections have been told.
    writer: Option<Server>,
    /// A server that accepted writes does so no more; the connections to it are told once there is another one.
    left: bool,
    /// The server that said last that it accepts writes.
    vouched: Option<(Server, Instant)>,
    /// The server that said last that it does not.
    unfit: Option<Server>,
    /// When new connections were last found to reach another server than old ones.
    renewed_at: Option<Instant>,
    redial_at: Option<Instant>,
    /// The server at another address that said last that it accepts writes: that address may be adopted next.
    elsewhere: Option<(SocketAddr, Server)>,
}

impl Behind {
    /// A server at `address`, which is not the incumbent's, said that it accepts writes.
    pub fn on_writable_elsewhere(&mut self, address: SocketAddr, server: Server) {
        self.elsewhere = Some((address, server));
    }

    /// `address` is the incumbent's from now on.
    pub fn on_adopted(&mut self, address: SocketAddr, now: Instant) {
        let server = self.elsewhere.filter(|(at, _)| *at == address).map(|(_, server)| server);
        *self = Behind::default();
        if let Some(server) = server {
            self.on_writable(server, now);
        }
    }

    /// A server at the incumbent's address said that it accepts writes. Returns whether other open connections may lead to
    /// a server that was the writer before, and have to look.
    pub fn on_writable(&mut self, server: Server, now: Instant) -> bool {
        let news = match self.known.iter().find(|(known, _)| *known == server) {
            // A server that was read-only for a moment is no other one.
            Some((_, false)) => self.writer.is_some_and(|writer| writer != server),
            Some((_, true)) => self.left,
            None => !self.known.is_empty(),
        };
        self.note(server, true);
        self.vouched = Some((server, now));
        self.redial_at = None;
        self.left = false;
        if news {
            self.renewed_at = Some(now);
        }
        if news || self.writer.is_none() {
            self.writer = Some(server);
        }
        news
    }

    /// A server at the incumbent's address said that it accepts no writes.
    pub fn on_unfit(&mut self, server: Server) {
        if self.known.is_empty() {
            // Nothing speaks against it having been the writer.
            self.writer = Some(server);
            self.left = true;
        }
        self.left |= self.is_writable(server);
        self.note(server, false);
        self.unfit = Some(server);
    }

    fn note(&mut self, server: Server, writable: bool) {
        self.known.retain(|(known, _)| *known != server);
        if self.known.len() == KNOWN {
            self.known.remove(0);
        }
        self.known.push((server, writable));
    }

    fn is_writable(&self, server: Server) -> bool {
        self.known.contains(&(server, true))
    }

    /// A refused connection may dial the address anew now. That right is for one connection at a time: the next one has it a
    /// second later, or once a server that accepts writes was found.
    pub fn takes_redial(&mut self, refused: Refused, now: Instant) -> bool {
        let may = self.may_redial(refused, now);
        if may {
            self.redial_at = Some(now + REDIAL);
        }
        may
    }

    pub fn may_redial(&self, refused: Refused, now: Instant) -> bool {
        let Refused { opened, in_transaction, switching_since, .. } = refused;
        let due = self.redial_at.is_none_or(|at| now >= at);
        let is_new = now.duration_since(opened) < NEW;
        let may_go_on = in_transaction && switching_since.is_none_or(|since| now.duration_since(since) < BLIP);
        due && (self.leads_past(refused.server) || !is_new && !may_go_on)
    }

    /// The address was dialled anew, and led to no server that accepts writes.
    pub fn on_redialled_in_vain(&mut self, now: Instant) {
        self.redial_at = Some(now + REDIAL);
    }

    /// The server that a redial reached does not say who it is. `opened`: when the connection before was. Returns whether
    /// other open connections have to look.
    pub fn on_unknown_writable(&mut self, opened: Instant, now: Instant) -> bool {
        let news = self.renewed_at.is_none_or(|at| opened >= at);
        self.redial_at = None;
        if news {
            self.renewed_at = Some(now);
        }
        news
    }

    /// Does a new connection reach a server that accepts writes, and is not `own`, which does not?
    pub fn leads_past(&self, own: Option<Server>) -> bool {
        own.zip(self.vouched).is_some_and(|(own, (server, _))| own != server && !self.is_writable(own))
    }

    /// Was what made the endpoint verified said by another server than `own`?
    pub fn was_vouched_by_another(&self, own: Option<Server>) -> bool {
        own.zip(self.vouched).is_some_and(|(own, (server, _))| own != server)
    }

    /// Has another server than `own` said within the last moments that it accepts writes? Then what `own` says is no verdict
    /// about the address.
    pub fn is_served_by_another(&self, own: Option<Server>, now: Instant) -> bool {
        let lately =
            self.vouched.is_some_and(|(server, at)| now.duration_since(at) < REDIAL && self.is_writable(server));
        lately && self.was_vouched_by_another(own)
    }

    /// Is `own` known not to be the server that said last that it accepts no writes?
    pub fn is_unfit(&self, own: Option<Server>) -> bool {
        own.is_some() && own == self.unfit
    }

    /// May a connection that was opened at `opened` lead to a server that is not the writer any more?
    pub fn may_lead_to_another(&self, own: Option<Server>, opened: Instant) -> bool {
        self.renewed_at.is_some_and(|at| opened < at) && !own.is_some_and(|own| self.is_writable(own))
    }

    /// Did a connection that was opened at `opened`, to `own`, lead to another server than `new`, to which it was dialled anew?
    pub fn is_another(&self, own: Option<Server>, opened: Instant, new: Option<Server>) -> bool {
        match (own, new) {
            (Some(own), Some(new)) => own != new,
            (Some(own), None) => !self.is_writable(own),
            (None, _) => self.renewed_at.is_some_and(|at| opened < at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str) -> Server {
        Server::of(&[Some(name.as_bytes().to_vec())]).unwrap()
    }

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 3306))
    }

    /// The incumbent's address leads to blue, which was verified.
    fn behind(now: Instant) -> Behind {
        let mut behind = Behind::default();
        behind.on_writable_elsewhere(address(1), server("blue"));
        behind.on_adopted(address(1), now);
        behind
    }

    fn refused(server: Server, opened: Instant) -> Refused {
        Refused { server: Some(server), opened, in_transaction: false, switching_since: None }
    }

    #[test]
    fn a_server_is_told_by_all_that_it_says_of_itself() {
        let of = |values: &[Option<&str>]| {
            Server::of(&values.iter().map(|value| value.map(|value| value.as_bytes().to_vec())).collect::<Vec<_>>())
        };
        assert_eq!(of(&[Some("1"), Some("db-0")]), of(&[Some("1"), Some("db-0")]));
        assert_ne!(of(&[Some("1"), Some("db-0")]), of(&[Some("1"), Some("db-1")]));
        assert_ne!(of(&[Some("1"), Some("2")]), of(&[Some("12"), Some("")]));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[Some("1"), None]), None);
    }

    #[test]
    fn another_writer_behind_the_address_is_news_once() {
        let (blue, green) = (server("blue"), server("green"));
        let opened = Instant::now();
        let now = opened + Duration::from_secs(5);
        let mut behind = behind(opened);
        behind.on_unfit(blue);
        assert!(behind.takes_redial(refused(blue, opened), now));
        assert!(behind.on_writable(green, now));
        assert!(behind.may_lead_to_another(None, opened) && behind.may_lead_to_another(Some(blue), opened));
        assert!(!behind.may_lead_to_another(Some(green), opened), "that one was asked");
        assert!(!behind.may_lead_to_another(None, now), "it was opened afterwards");
        assert!(behind.leads_past(Some(blue)) && !behind.leads_past(Some(green)) && !behind.leads_past(None));
        behind.on_unfit(blue);
        assert!(!behind.on_writable(green, now), "another old connection finds the same");
    }

    #[test]
    fn a_server_that_is_read_only_for_a_moment_is_no_other_one() {
        let now = Instant::now();
        let mut behind = behind(now);
        behind.on_unfit(server("blue"));
        assert!(!behind.on_writable(server("blue"), now));
        assert_eq!(behind.renewed_at, None);
        let mut unknown = Behind::default();
        unknown.on_unfit(server("blue"));
        assert!(!unknown.on_writable(server("blue"), now), "nobody had asked it before");
        unknown.on_unfit(server("blue"));
        assert!(unknown.on_writable(server("green"), now));
    }

    #[test]
    fn servers_that_take_turns_are_news_once_each_and_a_reader_among_them_is_none() {
        let now = Instant::now();
        let mut behind = behind(now);
        let news = ["node2", "blue", "node2", "blue"].map(|node| behind.on_writable(server(node), now));
        assert_eq!(news, [true, false, false, false]);
        behind.on_unfit(server("reader"));
        assert!(!behind.on_writable(server("blue"), now));
        behind.on_unfit(server("node2"));
        assert!(behind.on_writable(server("blue"), now), "connections to node2 have to look");
    }

    #[test]
    fn the_way_back_is_news_too() {
        let now = Instant::now();
        let mut behind = behind(now);
        for (from, to) in [("blue", "green"), ("green", "blue"), ("blue", "green")] {
            behind.on_unfit(server(from));
            assert!(behind.on_writable(server(to), now), "{to}");
        }
    }

    #[test]
    fn an_address_that_stays_read_only_is_dialled_once_a_second() {
        let (blue, opened) = (server("blue"), Instant::now());
        let at = |millis| opened + Duration::from_millis(millis);
        let mut behind = behind(opened);
        behind.on_unfit(blue);
        let dialled = (0..50).filter(|tenth| behind.takes_redial(refused(blue, opened), at(tenth * 100))).count();
        assert_eq!(dialled, 5);
        assert!(!behind.takes_redial(refused(blue, at(9_900)), at(10_000)), "this connection is a new one");
    }

    #[test]
    fn a_transaction_waits_for_the_end_of_a_blip_unless_the_address_is_known_to_lead_to_another_server() {
        let (blue, opened) = (server("blue"), Instant::now());
        let at = |millis| opened + Duration::from_millis(millis);
        let mut behind = behind(opened);
        behind.on_unfit(blue);
        let since = |switching_since| Refused { in_transaction: true, switching_since, ..refused(blue, opened) };
        assert!(!behind.may_redial(since(None), at(5000)));
        assert!(!behind.may_redial(since(Some(at(3001))), at(5000)));
        assert!(behind.may_redial(since(Some(at(3000))), at(5000)));
        behind.on_writable(server("green"), at(5000));
        assert!(behind.may_redial(since(None), at(5000)));
    }

    #[test]
    fn a_connection_that_was_dialled_anew_is_compared_with_its_server_as_far_as_that_is_known() {
        let (blue, green, opened) = (server("blue"), server("green"), Instant::now());
        let mut behind = behind(opened);
        assert!(
            behind.is_another(Some(blue), opened, Some(green)) && !behind.is_another(Some(blue), opened, Some(blue))
        );
        assert!(!behind.is_another(None, opened, Some(blue)) && !behind.is_another(Some(blue), opened, None));
        behind.on_unfit(blue);
        behind.on_writable(green, opened + NEW);
        assert!(behind.is_another(None, opened, None) && behind.is_another(Some(blue), opened, None));
        assert!(!behind.is_another(None, opened + NEW, None) && !behind.is_another(Some(green), opened, None));
    }

    #[test]
    fn what_is_not_known_of_a_server_that_does_not_say_who_it_is_goes_by_time() {
        let opened = Instant::now();
        let mut behind = Behind::default();
        assert!(behind.on_unknown_writable(opened, opened + NEW));
        assert!(!behind.on_unknown_writable(opened, opened + 2 * NEW), "it is the same other server");
        assert!(behind.may_lead_to_another(None, opened));
    }
}
