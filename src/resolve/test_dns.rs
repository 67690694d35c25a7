//! A DNS server on the loopback interface for tests: answers from a table that the test may change, counts what it is
//! asked, keeps silent when told to.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// No condition in these tests takes longer; a test that waits this long has failed.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// What the server says about one full name, which is written without a trailing dot.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// Addresses with their TTL in seconds.
    Addresses(Vec<IpAddr>, u32),
    /// Another name with the TTL of that link; the rest of the chain is added to the answer.
    Alias(&'static str, u32),
    Code(ResponseCode),
    Silence,
    /// Questions for IPv6 are lost.
    OnlyIpv4(Ipv4Addr),
}

#[derive(Default)]
struct State {
    table: BTreeMap<String, Reply>,
    /// Every question, in the order in which they came.
    asked: Vec<(String, RecordType)>,
}

/// The server; its thread ends with the process.
#[derive(Clone)]
pub(super) struct TestDns {
    pub address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl TestDns {
    pub fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let server = Self { address, state };
        let serving = server.clone();
        std::thread::spawn(move || serving.serve(&socket));
        server
    }

    pub fn set(&self, name: &str, reply: Reply) {
        self.state.0.lock().unwrap().table.insert(name.to_owned(), reply);
    }

    /// How many questions for IPv4 addresses of `name` came.
    pub fn asked(&self, name: &str) -> usize {
        self.asked_for(name, RecordType::A)
    }

    pub fn asked_for(&self, name: &str, kind: RecordType) -> usize {
        count(&self.state.0.lock().unwrap(), name, kind)
    }

    pub fn wait_until_asked(&self, name: &str, times: usize) {
        self.wait_until_asked_for(name, RecordType::A, times);
    }

    pub fn wait_until_asked_for(&self, name: &str, kind: RecordType, times: usize) {
        let state = self.state.0.lock().unwrap();
        let too_few = |state: &mut State| count(state, name, kind) < times;
        let (state, waited) = self.state.1.wait_timeout_while(state, LIMIT, too_few).unwrap();
        let asked = count(&state, name, kind);
        assert!(!waited.timed_out(), "{name} was asked for {kind} {asked} times, not {times}");
    }

    fn serve(&self, socket: &UdpSocket) {
        let mut packet = [0; 4096];
        while let Ok((length, client)) = socket.recv_from(&mut packet) {
            let query = Message::from_vec(&packet[..length]).unwrap();
            if let Some(reply) = self.reply(&query) {
                socket.send_to(&reply.to_vec().unwrap(), client).unwrap();
            }
        }
    }

    fn reply(&self, query: &Message) -> Option<Message> {
        let question = query.queries.first().unwrap();
        let mut name = question.name().clone();
        let mut state = self.state.0.lock().unwrap();
        state.asked.push((key(&name), question.query_type()));
        self.state.1.notify_all();
        let mut message = Message::response(query.metadata.id, OpCode::Query);
        message.add_query(question.clone());
        loop {
            match state.table.get(&key(&name)).cloned().unwrap_or(Reply::Code(ResponseCode::NXDomain)) {
                Reply::Silence => return None,
                Reply::OnlyIpv4(address) => {
                    message.add_answer(Record::from_rdata(name, 5, RData::from(IpAddr::V4(address))));
                    return (question.query_type() == RecordType::A).then_some(message);
                }
                Reply::Code(code) => {
                    message.metadata.response_code = code;
                    return Some(message);
                }
                Reply::Alias(target, ttl) => {
                    let target = Name::from_ascii(format!("{target}.")).unwrap();
                    message.add_answer(Record::from_rdata(name, ttl, RData::CNAME(CNAME(target.clone()))));
                    name = target;
                }
                Reply::Addresses(addresses, ttl) => {
                    let of_kind = |address: &&IpAddr| address.is_ipv4() == (question.query_type() == RecordType::A);
                    let records = addresses.iter().filter(of_kind);
                    message.add_answers(records.map(|ip| Record::from_rdata(name.clone(), ttl, RData::from(*ip))));
                    return Some(message);
                }
            }
        }
    }
}

fn count(state: &State, name: &str, kind: RecordType) -> usize {
    state.asked.iter().filter(|(asked, of)| asked == name && *of == kind).count()
}

fn key(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}
