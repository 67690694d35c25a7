//! The replicas behind a reader's name, whose answer may rotate and show one at a time.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use super::Endpoint;

/// A replica that DNS has not named for so long has left the pool.
const RECENT: Duration = Duration::from_secs(60);

/// Every address that DNS named lately, the latest answer first.
#[derive(Debug, Default)]
pub(super) struct Pool(Vec<(IpAddr, Instant)>);

impl Pool {
    pub fn on_answer(&mut self, addresses: &[IpAddr], now: Instant) {
        self.0.retain(|(ip, at)| !addresses.contains(ip) && now.duration_since(*at) < RECENT);
        self.0.splice(0..0, addresses.iter().map(|ip| (*ip, now)));
    }
}

impl Endpoint {
    /// Where a connection of a reader may go: what DNS names now first, then what it named lately.
    pub fn replicas(&self) -> Vec<SocketAddr> {
        self.lock().pool.0.iter().map(|(ip, _)| SocketAddr::new(*ip, self.name.port)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotating_answer_leaves_its_replicas_in_the_pool_for_a_minute() {
        let [one, two, three] = [1, 2, 3].map(|last| IpAddr::from([10, 0, 0, last]));
        let now = Instant::now();
        let addresses = |pool: &Pool| pool.0.iter().map(|(ip, _)| *ip).collect::<Vec<_>>();
        let mut pool = Pool::default();
        pool.on_answer(&[one], now);
        pool.on_answer(&[two], now + RECENT / 2);
        assert_eq!(addresses(&pool), [two, one]);
        pool.on_answer(&[three, two], now + RECENT);
        assert_eq!(addresses(&pool), [three, two]);
    }
}
