//! One lookup over DNS: the search list, the name servers, the address families. Holds no cache and knows no cadence.
//!
//! The servers of resolv.conf are asked one after the other, since the application's getaddrinfo does so too: an answer
//! that only the second has is one that the application would not have got. hickory's own Resolver is not used: it would
//! ask two servers at once and take the faster, and it goes on along the search list after a timeout. Servers that were
//! configured promise no such order. While it is urgent all of them are asked at once, and every address counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequestOptions, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, Record, RecordType};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use tokio::time::timeout;

use super::answer::{Failure, Found};
use super::cadence::Pace;
use super::families::Families;
use super::search::full_names;
use super::sources::Resolution;
use super::union::union;

type Pool = NameServerPool<TokioRuntimeProvider>;

/// The name servers, ready to be asked. Belongs to the runtime in which it was made.
pub(super) struct Servers {
    resolution: Arc<Resolution>,
    /// One pool for each server: the order is ours to keep.
    pools: Vec<Pool>,
}

impl Servers {
    pub fn new(resolution: Arc<Resolution>) -> Result<Self, Failure> {
        let pools: Result<_, NetError> = resolution.servers.iter().map(|server| pool(*server)).collect();
        let pools = pools.map_err(|error| Failure::Other(error.to_string()))?;
        Ok(Self { resolution, pools })
    }

    pub fn made_for(&self, resolution: &Arc<Resolution>) -> bool {
        Arc::ptr_eq(&self.resolution, resolution)
    }

    /// Asks for `name`, as long as `pace` has patience.
    pub async fn ask(&self, name: &str, pace: Pace, families: Families) -> Result<Found, Failure> {
        self.ask_until(Instant::now() + pace.patience(), name, pace, families).await
    }

    /// Asks for `name` as long as the application's resolver would wait: a name server that answers late is slow, not silent.
    pub async fn ask_patiently(&self, name: &str) -> Result<Found, Failure> {
        let servers = u32::try_from(self.pools.len()).unwrap_or(1);
        let deadline = Instant::now() + self.resolution.timeout * servers;
        self.ask_until(deadline, name, Pace::Steady, Families::Both).await
    }

    async fn ask_until(&self, deadline: Instant, name: &str, pace: Pace, families: Families) -> Result<Found, Failure> {
        let all_at_once = pace == Pace::Urgent && self.resolution.configured && self.pools.len() > 1;
        let full_names = full_names(name, &self.resolution.search, self.resolution.ndots);
        let mut denied = Failure::BadName;
        for (place, full_name) in full_names.iter().enumerate() {
            let result = match all_at_once {
                true => {
                    // A share for each full name, or a dead server would use up the time of all while it may still
                    // contradict a denial.
                    let deadline = Instant::now() + share(deadline, full_names.len() - place);
                    let pools = self.pools.chunks(1);
                    union(pools.map(|pool| self.ask_exactly(pool, full_name, families, deadline)), deadline).await
                }
                false => self.ask_exactly(&self.pools, full_name, families, deadline).await,
            };
            match result {
                // The next name in the list has its turn only if a server says that this one leads nowhere: an answer
                // out of another domain because of a lost packet would be a wrong one.
                Err(failure) if failure.is_definite() => denied = denied.and(failure),
                result => return result,
            }
        }
        Err(denied)
    }

    /// Asks for these families, and for the other one too if a server denies them: a name may change its family.
    async fn ask_exactly(
        &self,
        pools: &[Pool],
        name: &Name,
        families: Families,
        deadline: Instant,
    ) -> Result<Found, Failure> {
        if self.resolution.no_aaaa {
            return self.ask_families(pools, name, Families::Ipv4, deadline).await;
        }
        match (self.ask_families(pools, name, families, deadline).await, families.other()) {
            (Err(denied), Some(other)) if denied.is_definite() => {
                self.ask_families(pools, name, other, deadline).await.map_err(|failure| denied.and(failure))
            }
            (result, _) => result,
        }
    }

    async fn ask_families(
        &self,
        pools: &[Pool],
        name: &Name,
        families: Families,
        deadline: Instant,
    ) -> Result<Found, Failure> {
        let ask = async |wanted: bool, kind| match wanted {
            true => Some(self.ask_family(pools, name, kind, deadline).await),
            false => None,
        };
        let (ipv4, ipv6) = join(ask(families.ipv4(), RecordType::A), ask(families.ipv6(), RecordType::AAAA)).await;
        let open = |family: &Option<Result<_, Failure>>| match family {
            Some(Err(failure)) => !failure.is_definite(),
            asked => asked.is_some(),
        };
        let open = Families::of(open(&ipv4), open(&ipv6));
        // One family that fails does not take the other away: some servers never answer AAAA.
        let (mut records, mut failure) = (Vec::new(), Failure::BadName);
        for family in [ipv4, ipv6].into_iter().flatten() {
            match family {
                Ok(some) => records.extend(some),
                Err(other) => failure = failure.and(other),
            }
        }
        Found::from_records(records.iter(), open).ok_or(failure)
    }

    /// The answer section, with an address in it, of the first server that has something to say. Each gets an equal
    /// share of the time left.
    async fn ask_family(
        &self,
        pools: &[Pool],
        name: &Name,
        kind: RecordType,
        deadline: Instant,
    ) -> Result<Vec<Record>, Failure> {
        let mut failure = Failure::Timeout;
        for (place, pool) in pools.iter().enumerate() {
            let mut options = DnsRequestOptions::default();
            options.use_edns = self.resolution.edns0;
            let reply = pool.lookup(Query::query(name.clone(), kind), options).first_answer();
            failure = match timeout(share(deadline, pools.len() - place), reply).await {
                Ok(Ok(reply)) if reply.answers.iter().any(|record| record.data.ip_addr().is_some()) => {
                    return Ok(reply.into_message().answers);
                }
                // Aliases that lead nowhere.
                Ok(Ok(_)) => Failure::NoAddress,
                Ok(Err(error)) => reason(error),
                Err(_) => Failure::Timeout,
            };
            if failure.is_definite() {
                break;
            }
        }
        Err(failure)
    }
}

/// The time left for each of `many`.
fn share(deadline: Instant, many: usize) -> Duration {
    deadline.saturating_duration_since(Instant::now()) / u32::try_from(many).unwrap_or(1)
}

fn pool(server: SocketAddr) -> Result<Pool, NetError> {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let config = NameServerConfig::new(server.ip(), true, connections.into());
    let mut options = ResolverOpts::default();
    // Our own share of the patience ends a question; this is only what hickory must not undercut.
    options.timeout = Duration::from_secs(60);
    options.num_concurrent_reqs = 1;
    let context = Arc::new(PoolContext::new(options, TlsConfig::new()?));
    Ok(NameServerPool::from_config([config], context, TokioRuntimeProvider::default()))
}

fn reason(error: NetError) -> Failure {
    match error {
        NetError::Timeout => Failure::Timeout,
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NXDomain => {
            Failure::NxDomain
        }
        NetError::Dns(DnsError::NoRecordsFound(_)) => Failure::NoAddress,
        NetError::Dns(DnsError::ResponseCode(ResponseCode::NXDomain)) => Failure::NxDomain,
        NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)) => Failure::ServFail,
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => Failure::Refused,
        other => Failure::Other(other.to_string()),
    }
}
