//! What several name servers, asked at once about one full name, say together: every address that any of them knows.
//! A server that lags must not hide what another one has already, and an address is only a candidate: the server
//! that it belongs to is verified before it is adopted. Knows neither servers nor questions, only their outcomes.

use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::timeout_at;

use super::answer::{Failure, Found};

/// How long the others may take once one has named an address: enough for a server that works, and a dead one delays
/// no answer by more.
const GRACE: Duration = Duration::from_millis(100);

/// Waits for all `replies` until `deadline`, or for [`GRACE`] after the first address. A denial starts no grace: it is
/// outranked by an address that comes later.
pub(super) async fn union(
    replies: impl Iterator<Item = impl Future<Output = Result<Found, Failure>>>,
    deadline: Instant,
) -> Result<Found, Failure> {
    let mut replies: FuturesUnordered<_> = replies.collect();
    let mut until = deadline;
    let mut together: Option<Found> = None;
    let mut failure = Failure::Timeout;
    while let Ok(Some(reply)) = timeout_at(until.into(), replies.next()).await {
        match reply {
            Ok(found) => {
                together = Some(match together {
                    Some(together) => together.and(found),
                    None => {
                        until = until.min(Instant::now() + GRACE);
                        found
                    }
                });
            }
            // Who denies has answered: one server in trouble must not stop the search list, as it does not when the
            // servers are asked in turn.
            Err(other) if !failure.is_definite() => failure = other,
            Err(_) => {}
        }
    }
    together.ok_or(failure)
}

#[cfg(test)]
mod tests {
    use super::super::families::Families;
    use super::*;
    use futures_util::future::{BoxFuture, FutureExt, pending, ready};
    use tokio::task::yield_now;

    type Reply = BoxFuture<'static, Result<Found, Failure>>;

    fn found(addresses: &[&str], ttl: u64) -> Found {
        let addresses: Vec<_> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Found { addresses, ttl: Duration::from_secs(ttl), families: Families::Ipv4 }
    }

    fn at_once(result: Result<Found, Failure>) -> Reply {
        ready(result).boxed()
    }

    /// After every reply that is there at once.
    fn later(result: Result<Found, Failure>) -> Reply {
        async {
            yield_now().await;
            result
        }
        .boxed()
    }

    fn dead() -> Reply {
        pending().boxed()
    }

    fn of(replies: Vec<Reply>, patience: Duration) -> Result<Found, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async { union(replies.into_iter(), Instant::now() + patience).await })
    }

    /// A test that waited for it would never end.
    const FOR_EVER: Duration = Duration::from_secs(1_000_000);

    #[test]
    fn every_address_counts_and_the_least_ttl_whoever_answers_first() {
        let (blue, green) = (found(&["10.0.0.7"], 5), found(&["10.0.0.8", "10.0.0.7"], 2));
        let both = Ok(found(&["10.0.0.7", "10.0.0.8"], 2));
        assert_eq!(of(vec![at_once(Ok(blue.clone())), later(Ok(green.clone()))], FOR_EVER), both);
        assert_eq!(of(vec![later(Ok(blue)), at_once(Ok(green))], FOR_EVER), both);
    }

    #[test]
    fn a_dead_server_does_not_keep_an_answer_back() {
        let green = found(&["10.0.0.8"], 5);
        assert_eq!(of(vec![dead(), at_once(Ok(green.clone())), dead()], FOR_EVER), Ok(green));
    }

    #[test]
    fn an_answer_outranks_a_denial_that_came_before_it() {
        let green = found(&["10.0.0.8"], 5);
        let denial = at_once(Err(Failure::NxDomain));
        assert_eq!(of(vec![denial, later(Ok(green.clone())), dead()], FOR_EVER), Ok(green));
    }

    #[test]
    fn a_denial_outranks_trouble_in_any_order_and_silence_of_all_is_a_timeout() {
        let (denial, trouble) = (Err(Failure::NxDomain), Err(Failure::ServFail));
        assert_eq!(of(vec![at_once(denial.clone()), later(trouble.clone())], FOR_EVER), denial);
        assert_eq!(of(vec![at_once(trouble.clone()), later(denial.clone())], FOR_EVER), denial);
        assert_eq!(of(vec![at_once(denial.clone()), dead()], Duration::from_millis(1)), denial);
        assert_eq!(of(vec![at_once(trouble.clone())], FOR_EVER), trouble);
        assert_eq!(of(vec![dead(), dead()], Duration::from_millis(1)), Err(Failure::Timeout));
    }
}
