//! One lookup over DNS: the search list, one server after the other, both address families at once. Holds no cache
//! and knows no cadence.
//!
//! hickory's own Resolver is not used: it would ask two servers at once and take the faster, which need not be the
//! one that the application's getaddrinfo asks, and it goes on along the search list after a timeout.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{Either, join, ready};
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequestOptions, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, Record, RecordType};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};

use super::answer::{Failure, Found};
use super::search::full_names;
use super::sources::Resolution;

/// The name servers, ready to be asked. Belongs to the runtime in which it was made.
pub(super) struct Servers {
    resolution: Arc<Resolution>,
    /// One pool for each server: the order is ours to keep.
    pools: Vec<NameServerPool<TokioRuntimeProvider>>,
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

    /// Asks for `name` within `patience`.
    pub async fn ask(&self, name: &str, patience: Duration) -> Result<Found, Failure> {
        let deadline = Instant::now() + patience;
        let mut worst = None;
        for full_name in full_names(name, &self.resolution.search, self.resolution.ndots) {
            match self.ask_exactly(full_name, deadline).await {
                // The next name in the list has its turn only if a server says that this one leads nowhere: an answer
                // out of another domain because of a lost packet would be a wrong one.
                Err(failure) if failure.is_definite() => worst = merge(worst, failure),
                result => return result,
            }
        }
        Err(worst.unwrap_or(Failure::BadName))
    }

    async fn ask_exactly(&self, name: Name, deadline: Instant) -> Result<Found, Failure> {
        let ipv4 = self.ask_family(name.clone(), RecordType::A, deadline);
        let ipv6 = match self.resolution.no_aaaa {
            true => Either::Left(ready(Err(Failure::NoAddress))),
            false => Either::Right(self.ask_family(name, RecordType::AAAA, deadline)),
        };
        let (ipv4, ipv6) = join(ipv4, ipv6).await;
        // One family that fails does not take the other away: some servers never answer AAAA.
        let records = [&ipv4, &ipv6].into_iter().filter_map(|family| family.as_ref().ok()).flatten();
        match Found::from_records(records) {
            Some(found) => Ok(found),
            None => Err(match (ipv4, ipv6) {
                (Err(first), Err(second)) => merge(Some(first), second).unwrap_or(Failure::NoAddress),
                (Err(failure), Ok(_)) | (Ok(_), Err(failure)) if !failure.is_definite() => failure,
                _ => Failure::NoAddress,
            }),
        }
    }

    /// The answer section of the first server that has something to say. Each gets an equal share of the time left.
    async fn ask_family(&self, name: Name, kind: RecordType, deadline: Instant) -> Result<Vec<Record>, Failure> {
        let mut failure = Failure::Timeout;
        for (place, pool) in self.pools.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(self.pools.len() - place).unwrap_or(1);
            let mut options = DnsRequestOptions::default();
            options.use_edns = self.resolution.edns0;
            let reply = pool.lookup(Query::query(name.clone(), kind), options).first_answer();
            failure = match tokio::time::timeout(share, reply).await {
                Ok(Ok(reply)) => return Ok(reply.into_message().answers),
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

fn pool(server: SocketAddr) -> Result<NameServerPool<TokioRuntimeProvider>, NetError> {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let config = NameServerConfig::new(server.ip(), true, connections.into());
    let mut options = ResolverOpts::default();
    // Our own share of the patience ends a question; this is only what hickory must not undercut.
    options.timeout = Duration::from_secs(10);
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

/// What two failures say together: trouble outranks a denial, "exists without an address" outranks "does not exist".
fn merge(one: Option<Failure>, other: Failure) -> Option<Failure> {
    let weight = |failure: &Failure| match failure {
        Failure::BadName => 0,
        Failure::NxDomain => 1,
        Failure::NoAddress => 2,
        _ => 3,
    };
    Some(match one {
        Some(one) if weight(&one) >= weight(&other) => one,
        _ => other,
    })
}
