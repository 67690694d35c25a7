//! Logins of ours come a few at a time: all at once they would be a storm on a server that has just become the writer.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use super::Endpoint;

/// A login that hangs must not hold the others up for long.
const LONGEST: Duration = Duration::from_secs(1);

/// Logins under way at a server that has just become the writer: more at once would be a storm on it.
const HANDSHAKES: u32 = 32;

/// A login of ours that is under way.
pub struct Handshake<'a>(&'a Endpoint);

impl Endpoint {
    /// Waits until fewer than 32 of our logins to this endpoint are in flight.
    pub fn handshake(&self) -> Handshake<'_> {
        let until = Instant::now() + LONGEST;
        let mut state = self.lock();
        while state.handshakes >= HANDSHAKES {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = match self.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => PoisonError::into_inner(poisoned).0,
            };
        }
        state.handshakes += 1;
        Handshake(self)
    }
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        self.0.lock().handshakes -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::endpoint::name::Name;

    #[test]
    fn the_login_after_the_32nd_waits_until_one_of_them_is_through() {
        let endpoint = Endpoint::new(Name::of(b"db.shop.example", 0).unwrap());
        let mut under_way: Vec<_> = (0..HANDSHAKES).map(|_| endpoint.handshake()).collect();
        thread::scope(|scope| {
            let one_more = scope.spawn(|| {
                let turn = endpoint.handshake();
                let at_once = endpoint.lock().handshakes;
                drop(turn);
                at_once
            });
            under_way.pop();
            assert_eq!(one_more.join().unwrap(), HANDSHAKES);
        });
    }
}
