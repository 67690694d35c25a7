//! What an endpoint's name means now: the watcher's lookups and the application's own resolver, put together.
//!
//! Pure: it is told who answered what, and what time it is. The application's resolver (getaddrinfo) is the authority,
//! because a connect without this library goes where getaddrinfo leads. The watcher asks more often, and past every cache,
//! but it may know another name: an NSS module, `LOCALDOMAIN`, `HOSTALIASES` and the order in nsswitch.conf are unknown to it.
//! The watcher counts by itself only after both have once agreed.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

/// For how long an answer of getaddrinfo stands beside newer ones of the watcher, and how often the library asks getaddrinfo by
/// itself at most.
pub const RESOLVER_EVERY: Duration = Duration::from_secs(1);
/// A call of getaddrinfo that takes longer does not come back: its thread may have been cancelled, or left by longjmp. With three
/// name servers and two attempts of 5 s each, getaddrinfo gives up after 30 s (resolv.conf(5)).
const LONGEST_CALL: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub struct Names {
    watcher: Vec<IpAddr>,
    watched_at: Option<Instant>,
    /// What getaddrinfo answered last. It is emptied once the watcher has the say again.
    resolver: Vec<IpAddr>,
    resolved_at: Option<Instant>,
    /// When the library asked getaddrinfo last by itself, whatever came of it.
    asked_at: Option<Instant>,
    /// A thread of the library is inside getaddrinfo since then.
    asking_since: Option<Instant>,
    /// The watcher and getaddrinfo have named the same address once: the watcher knows the name that the application means.
    agreed: bool,
    /// Everything that either of them names, sorted.
    all: Vec<IpAddr>,
}

impl Names {
    pub const fn new() -> Self {
        Names {
            watcher: Vec::new(),
            watched_at: None,
            resolver: Vec::new(),
            resolved_at: None,
            asked_at: None,
            asking_since: None,
            agreed: false,
            all: Vec::new(),
        }
    }

    /// The operator chose the name servers that the watcher asks: the watcher's answers count from the start.
    pub fn trust_the_watcher(&mut self) {
        self.agreed = true;
    }

    /// Every address that the watcher or getaddrinfo names.
    pub fn all(&self) -> &[IpAddr] {
        &self.all
    }

    /// The addresses that may become the writer because they are named: not the watcher's, as long as getaddrinfo says
    /// something else.
    pub fn leads_to(&self, address: IpAddr) -> bool {
        let trusted = self.agreed || self.resolver.is_empty();
        self.resolver.contains(&address) || trusted && self.watcher.contains(&address)
    }

    /// The watcher's answer. Returns whether the name means something else now.
    pub fn on_watcher(&mut self, mut addresses: Vec<IpAddr>, now: Instant) -> bool {
        addresses.sort_unstable();
        addresses.dedup();
        self.watcher = addresses;
        self.watched_at = Some(now);
        self.compare();
        let stale = self.resolved_at.is_none_or(|at| now.duration_since(at) >= RESOLVER_EVERY);
        let confirmed = self.resolver.iter().any(|address| self.watcher.contains(address));
        if self.agreed && (stale || confirmed) {
            self.resolver.clear();
        }
        self.unite()
    }

    /// The answer of getaddrinfo to this process. Returns whether the name means something else now.
    pub fn on_resolver(&mut self, mut addresses: Vec<IpAddr>, now: Instant) -> bool {
        addresses.sort_unstable();
        addresses.dedup();
        self.resolver = addresses;
        self.resolved_at = Some(now);
        self.compare();
        self.unite()
    }

    /// The library asks getaddrinfo now.
    pub fn on_resolver_asked(&mut self, now: Instant) {
        self.asked_at = Some(now);
        self.asking_since = Some(now);
    }

    /// getaddrinfo has come back, with or without an answer. What took long is not asked again at once.
    pub fn on_resolver_through(&mut self, now: Instant) {
        self.asked_at = Some(now);
        self.asking_since = None;
    }

    /// Is a thread of the library inside getaddrinfo?
    pub fn resolver_is_being_asked(&self, now: Instant) -> bool {
        self.asking_since.is_some_and(|since| now.duration_since(since) < LONGEST_CALL)
    }

    /// What the watcher said is too old to count.
    pub fn forget_the_watcher(&mut self) {
        self.watcher.clear();
    }

    /// The answer of getaddrinfo, or the watcher's if that replaced it.
    pub fn latest(&self) -> &[IpAddr] {
        if self.resolver.is_empty() { &self.watcher } else { &self.resolver }
    }

    /// The watcher's answer.
    pub fn watcher(&self) -> &[IpAddr] {
        &self.watcher
    }

    /// Does one answer name both?
    pub fn in_one_answer(&self, one: IpAddr, other: IpAddr) -> bool {
        [&self.watcher, &self.resolver].into_iter().any(|answer| answer.contains(&one) && answer.contains(&other))
    }

    /// May the library ask getaddrinfo again?
    pub fn resolver_is_due(&self, now: Instant) -> bool {
        self.asked_at.is_none_or(|at| now.duration_since(at) >= RESOLVER_EVERY)
    }

    /// Does the watcher know what the application's name means?
    pub fn watcher_knows(&self) -> bool {
        self.agreed && self.watched_at.is_some()
    }

    pub fn watched_at(&self) -> Option<Instant> {
        self.watched_at
    }

    /// When the watcher or getaddrinfo answered last.
    pub fn answered_at(&self) -> Option<Instant> {
        self.watched_at.max(self.resolved_at)
    }

    fn compare(&mut self) {
        self.agreed |= self.resolver.iter().any(|address| self.watcher.contains(address));
    }

    fn unite(&mut self) -> bool {
        let mut all = self.watcher.clone();
        all.extend_from_slice(&self.resolver);
        all.sort_unstable();
        all.dedup();
        let changed = self.all != all;
        self.all = all;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(last: &[u8]) -> Vec<IpAddr> {
        last.iter().map(|last| IpAddr::from([10, 0, 0, *last])).collect()
    }

    fn leads_to(names: &Names) -> Vec<u8> {
        (1..=9).filter(|last| names.leads_to(IpAddr::from([10, 0, 0, *last]))).collect()
    }

    #[test]
    fn what_getaddrinfo_has_just_said_is_named_beside_what_the_watcher_says() {
        let now = Instant::now();
        let mut names = Names::new();
        assert!(names.on_resolver(ips(&[1]), now) && names.all() == ips(&[1]));
        assert!(!names.on_watcher(ips(&[1]), now), "both say the same");
        assert!(names.on_resolver(ips(&[2]), now), "the watcher is a TTL late");
        assert_eq!((names.all(), leads_to(&names)), (&*ips(&[1, 2]), vec![1, 2]));
        assert!(names.on_watcher(ips(&[2]), now));
        assert_eq!(names.all(), ips(&[2]));
    }

    #[test]
    fn a_watcher_that_has_agreed_once_outlives_a_stale_cache_of_getaddrinfo() {
        let now = Instant::now();
        let mut names = Names::new();
        names.on_resolver(ips(&[1]), now);
        names.on_watcher(ips(&[1]), now);
        names.on_watcher(ips(&[2]), now);
        names.on_resolver(ips(&[1]), now);
        assert_eq!(names.all(), ips(&[1, 2]));
        names.on_watcher(ips(&[2]), now + RESOLVER_EVERY / 2);
        assert_eq!(names.all(), ips(&[1, 2]), "getaddrinfo has just said so");
        names.on_watcher(ips(&[2]), now + RESOLVER_EVERY);
        assert_eq!((names.all(), leads_to(&names)), (&*ips(&[2]), vec![2]));
    }

    #[test]
    fn a_watcher_that_has_never_agreed_names_nobody_for_the_application() {
        let now = Instant::now();
        let mut names = Names::new();
        names.on_resolver(ips(&[1]), now);
        for second in 0..60 {
            names.on_watcher(ips(&[7]), now + Duration::from_secs(second));
            assert!(names.all().contains(&ips(&[1])[0]) && leads_to(&names) == [1] && !names.watcher_knows());
        }
        names.on_resolver(ips(&[2]), now + Duration::from_secs(60));
        assert_eq!((names.all(), leads_to(&names)), (&*ips(&[2, 7]), vec![2]));
        let mut chosen = Names::new();
        chosen.trust_the_watcher();
        chosen.on_resolver(ips(&[1]), now);
        chosen.on_watcher(ips(&[7]), now);
        assert_eq!(leads_to(&chosen), [1, 7], "the operator chose the watcher's name servers");
    }

    #[test]
    fn getaddrinfo_is_asked_once_a_second_whether_it_answers_or_not() {
        let now = Instant::now();
        let mut names = Names::new();
        assert!(names.resolver_is_due(now));
        names.on_resolver_asked(now);
        assert!(!names.resolver_is_due(now + RESOLVER_EVERY / 2) && names.resolver_is_due(now + RESOLVER_EVERY));
    }
}
