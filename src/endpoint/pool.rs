//! The replicas behind a reader's name, whose answer may rotate and show one at a time.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use super::Endpoint;

/// A replica that DNS has not named for so long has left the pool.
const RECENT: Duration = Duration::from_secs(60);

/// A reader is not held; but its name may be about to leave out the replica that has just died.
const FOR_DNS: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Pool {
    /// Every address that DNS named lately, the latest answer first.
    named: Vec<(IpAddr, Instant)>,
    /// Connections that wait for DNS to name another replica.
    seeking: u32,
}

impl Pool {
    pub fn on_answer(&mut self, addresses: &[IpAddr], now: Instant) {
        self.named.retain(|(ip, at)| !addresses.contains(ip) && now.duration_since(*at) < RECENT);
        self.named.splice(0..0, addresses.iter().map(|ip| (*ip, now)));
    }

    /// DNS is to be asked at once.
    pub fn is_sought(&self) -> bool {
        self.seeking > 0
    }
}

impl Endpoint {
    /// Where a connection of a reader may go: what DNS names now first, then what it named lately.
    pub fn replicas(&self) -> Vec<SocketAddr> {
        let now = self.now();
        let state = self.lock();
        let recent = state.pool.named.iter().filter(|(_, at)| now.duration_since(*at) < RECENT);
        recent.map(|(ip, _)| SocketAddr::new(*ip, self.name.port)).collect()
    }

    /// None of the replicas in `tried` is there. Waits a second at most for DNS to name others, and gives those.
    pub fn other_replicas(&self, tried: &[SocketAddr]) -> Vec<SocketAddr> {
        let until = self.now() + FOR_DNS;
        self.seek(1);
        let others = loop {
            let mut others = self.replicas();
            others.retain(|server| !tried.contains(server));
            let left = until.saturating_duration_since(self.now());
            if !others.is_empty() || left.is_zero() {
                break others;
            }
            if self.wait_for_news(left) {
                break others;
            }
        };
        self.seek(-1);
        others
    }

    fn seek(&self, change: i32) {
        let pace = {
            let mut state = self.lock();
            state.pool.seeking = state.pool.seeking.saturating_add_signed(change);
            self.pace_in(&state)
        };
        self.around.watch(self, pace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotating_answer_leaves_its_replicas_in_the_pool_for_a_minute() {
        let [one, two, three] = [1, 2, 3].map(|last| IpAddr::from([10, 0, 0, last]));
        let now = Instant::now();
        let addresses = |pool: &Pool| pool.named.iter().map(|(ip, _)| *ip).collect::<Vec<_>>();
        let mut pool = Pool::default();
        pool.on_answer(&[one], now);
        pool.on_answer(&[two], now + RECENT / 2);
        assert_eq!(addresses(&pool), [two, one]);
        pool.on_answer(&[three, two], now + RECENT);
        assert_eq!(addresses(&pool), [three, two]);
    }
}
