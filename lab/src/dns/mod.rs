//! An authoritative DNS server for `lab.test` whose answers, TTLs and moods are set while it runs.
//!
//! It runs on a thread of its own and stops with its value. What to answer is decided in `zone`, without I/O.

mod zone;

pub use zone::DnsMood;

use crate::error::{Error, Result};
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::oneshot;
use zone::{Reply, Zone};

const PORT: u16 = 53;
const TCP_IDLE: Duration = Duration::from_secs(5);

/// The lab's DNS server.
#[derive(Debug)]
pub struct Dns {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Dns {
    pub(crate) fn start(address: Ipv4Addr) -> Result<Self> {
        let address = SocketAddr::from((address, PORT));
        let port = |source| Error::DnsPort { address, source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(port)?;
        let (udp, tcp) = runtime
            .block_on(async { Ok((UdpSocket::bind(address).await?, TcpListener::bind(address).await?)) })
            .map_err(port)?;
        let zone = Arc::new(Mutex::new(Zone::default()));
        let (stop, stopped) = oneshot::channel();
        let answering = Answering(zone.clone());
        let thread = std::thread::Builder::new().name("lab-dns".into()).spawn(move || {
            runtime.block_on(async {
                let mut server = Server::new(answering);
                server.register_socket(udp);
                server.register_listener(tcp, TCP_IDLE, 32);
                let _ = stopped.await;
            });
        });
        Ok(Self { address, zone, stop: Some(stop), thread: Some(thread.map_err(port)?) })
    }

    /// From now on `name` has these addresses.
    pub fn set(&self, name: &str, addresses: &[Ipv4Addr], ttl: u32) -> Result<()> {
        self.zone().set(name, addresses, ttl)
    }

    /// From now on `name` has these addresses, and another one of them comes first in each answer.
    pub fn set_in_turns(&self, name: &str, addresses: &[Ipv4Addr], ttl: u32) -> Result<()> {
        self.zone().set_in_turns(name, addresses, ttl)
    }

    /// From now on `name` is another name for `target`.
    pub fn cname(&self, name: &str, target: &str, ttl: u32) -> Result<()> {
        self.zone().cname(name, target, ttl)
    }

    /// From now on `name` does not exist (NXDOMAIN).
    pub fn remove(&self, name: &str) -> Result<()> {
        self.zone().remove(name)
    }

    /// How every question is treated from now on.
    pub fn set_mood(&self, mood: DnsMood) {
        self.zone().mood = mood;
    }

    /// How often anything was asked about `name`, of whatever type.
    pub fn queries(&self, name: &str) -> u64 {
        self.zone().queries(name)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn zone(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Answering(Arc<Mutex<Zone>>);

#[async_trait::async_trait]
impl RequestHandler for Answering {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut handle: R) -> ResponseInfo {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.authoritative = true;
        let unanswered = |metadata| ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() });
        let mood = self.0.lock().unwrap_or_else(PoisonError::into_inner).mood;
        if let DnsMood::Late(milliseconds) = mood {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
        let filtered = mood == DnsMood::TcpOnly && request.protocol() == Protocol::Udp;
        let reply = match request.request_info() {
            Ok(info) => {
                let mut zone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                zone.answer(&info.query.name().into(), info.query.query_type())
            }
            Err(_) => Some(Reply::error(ResponseCode::FormErr)),
        };
        let Some(reply) = reply.filter(|_| !filtered) else {
            return unanswered(metadata);
        };
        metadata.response_code = reply.code;
        let builder = MessageResponseBuilder::from_message_request(request);
        let response = builder.build(metadata, &reply.answers, [], &reply.soa, []);
        handle.send_response(response).await.unwrap_or_else(|_| unanswered(metadata))
    }
}
