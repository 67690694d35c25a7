//! What the zone says: names, addresses, aliases, and the mood it is in. No I/O.

use crate::error::{Error, Result};
use crate::lab::DOMAIN;
use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::rdata::{A, CNAME, SOA};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// How long a negative answer may be kept, in seconds.
const NEGATIVE_TTL: u32 = 1;
/// An alias that leads further than this leads in a circle.
const ALIASES: usize = 8;

/// How the server treats every question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsMood {
    /// Answers what was set.
    #[default]
    Answering,
    /// SERVFAIL to everything.
    ServFail,
    /// NXDOMAIN to everything.
    NxDomain,
    /// No answer at all.
    Silent,
    /// Answers what was set, after so many milliseconds.
    Late(u64),
    /// Answers what was set over TCP, and nothing over UDP, as behind a filter.
    TcpOnly,
}

#[derive(Debug, Default)]
pub(super) struct Zone {
    pub(super) mood: DnsMood,
    entries: HashMap<Name, Entry>,
    queries: HashMap<Name, u64>,
}

#[derive(Debug)]
struct Entry {
    ttl: u32,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Addresses(Vec<Ipv4Addr>),
    /// Another one of them comes first in each answer.
    Turns(Vec<Ipv4Addr>),
    Alias(Name),
}

/// An answer before it is a packet.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) code: ResponseCode,
    pub(super) answers: Vec<Record>,
    pub(super) soa: Vec<Record>,
}

impl Zone {
    pub(super) fn set(&mut self, name: &str, addresses: &[Ipv4Addr], ttl: u32) -> Result<()> {
        let content = Content::Addresses(addresses.to_vec());
        self.entries.insert(parse(name)?, Entry { ttl, content });
        Ok(())
    }

    pub(super) fn set_in_turns(&mut self, name: &str, addresses: &[Ipv4Addr], ttl: u32) -> Result<()> {
        let content = Content::Turns(addresses.to_vec());
        self.entries.insert(parse(name)?, Entry { ttl, content });
        Ok(())
    }

    pub(super) fn cname(&mut self, name: &str, target: &str, ttl: u32) -> Result<()> {
        let content = Content::Alias(parse(target)?);
        self.entries.insert(parse(name)?, Entry { ttl, content });
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> Result<()> {
        self.entries.remove(&parse(name)?);
        Ok(())
    }

    pub(super) fn queries(&self, name: &str) -> u64 {
        parse(name).ok().and_then(|name| self.queries.get(&name).copied()).unwrap_or(0)
    }

    /// Counts the question and answers it; `None` is silence.
    pub(super) fn answer(&mut self, name: &Name, kind: RecordType) -> Option<Reply> {
        *self.queries.entry(name.to_lowercase()).or_default() += 1;
        match self.mood {
            DnsMood::Answering | DnsMood::Late(_) | DnsMood::TcpOnly => Some(self.lookup(name, kind)),
            DnsMood::ServFail => Some(Reply::error(ResponseCode::ServFail)),
            DnsMood::NxDomain => Some(Reply::nothing(ResponseCode::NXDomain, vec![])),
            DnsMood::Silent => None,
        }
    }

    fn lookup(&self, name: &Name, kind: RecordType) -> Reply {
        if !origin().zone_of(name) {
            return Reply::error(ResponseCode::Refused);
        }
        let mut answers = Vec::new();
        let mut current = name.to_lowercase();
        for _ in 0..ALIASES {
            let Some(entry) = self.entries.get(&current) else {
                return Reply::nothing(ResponseCode::NXDomain, answers);
            };
            match &entry.content {
                Content::Addresses(addresses) if kind == RecordType::A && !addresses.is_empty() => {
                    let records = addresses.iter().map(|ip| RData::A(A(*ip)));
                    answers.extend(records.map(|data| Record::from_rdata(current.clone(), entry.ttl, data)));
                    return Reply { code: ResponseCode::NoError, answers, soa: vec![] };
                }
                Content::Turns(addresses) if kind == RecordType::A && !addresses.is_empty() => {
                    let turn = self.queries.get(&current).copied().unwrap_or(0) as usize % addresses.len();
                    let in_turn = addresses[turn..].iter().chain(&addresses[..turn]).map(|ip| RData::A(A(*ip)));
                    answers.extend(in_turn.map(|data| Record::from_rdata(current.clone(), entry.ttl, data)));
                    return Reply { code: ResponseCode::NoError, answers, soa: vec![] };
                }
                // The name exists, but has nothing of this type: typically AAAA.
                Content::Addresses(_) | Content::Turns(_) => return Reply::nothing(ResponseCode::NoError, answers),
                Content::Alias(target) => {
                    answers.push(Record::from_rdata(current, entry.ttl, RData::CNAME(CNAME(target.clone()))));
                    current = target.clone();
                }
            }
        }
        Reply::error(ResponseCode::ServFail)
    }
}

impl Reply {
    pub(super) fn error(code: ResponseCode) -> Self {
        Self { code, answers: vec![], soa: vec![] }
    }

    /// A negative answer, with the SOA record that says how long it may be believed.
    fn nothing(code: ResponseCode, answers: Vec<Record>) -> Self {
        let soa = SOA::new(origin(), origin(), 1, 60, 60, 60, NEGATIVE_TTL);
        Self { code, answers, soa: vec![Record::from_rdata(origin(), NEGATIVE_TTL, RData::SOA(soa))] }
    }
}

fn origin() -> Name {
    parse(DOMAIN).expect("lab.test is a valid name")
}

fn parse(name: &str) -> Result<Name> {
    let mut parsed =
        Name::from_utf8(name).map_err(|error| Error::Name { name: name.to_owned(), reason: error.to_string() })?;
    parsed.set_fqdn(true);
    Ok(parsed.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Zone {
        let mut zone = Zone::default();
        zone.set("db.lab.test", &[Ipv4Addr::new(127, 0, 0, 2)], 5).unwrap();
        zone.cname("alias.lab.test", "db.lab.test", 1).unwrap();
        zone
    }

    fn ask(zone: &mut Zone, name: &str, kind: RecordType) -> Reply {
        zone.answer(&parse(name).unwrap(), kind).unwrap()
    }

    #[test]
    fn an_alias_is_answered_with_its_target() {
        let reply = ask(&mut zone(), "alias.lab.test", RecordType::A);
        let kinds: Vec<_> = reply.answers.iter().map(Record::record_type).collect();
        assert_eq!(kinds, [RecordType::CNAME, RecordType::A]);
    }

    #[test]
    fn addresses_in_turns_come_first_one_after_the_other() {
        let mut zone = zone();
        let all = [1, 2, 3].map(|host| Ipv4Addr::new(127, 0, 0, host));
        zone.set_in_turns("many.lab.test", &all, 1).unwrap();
        let firsts: std::collections::BTreeSet<_> =
            (0..3).map(|_| ask(&mut zone, "many.lab.test", RecordType::A).answers[0].data.to_string()).collect();
        assert_eq!(firsts.len(), 3);
    }

    #[test]
    fn an_existing_name_has_an_empty_aaaa_answer_with_soa() {
        let reply = ask(&mut zone(), "DB.lab.test", RecordType::AAAA);
        assert_eq!((reply.code, reply.answers.len(), reply.soa.len()), (ResponseCode::NoError, 0, 1));
    }

    #[test]
    fn an_unknown_name_does_not_exist_and_a_foreign_one_is_refused() {
        assert_eq!(ask(&mut zone(), "no.lab.test", RecordType::A).code, ResponseCode::NXDomain);
        assert_eq!(ask(&mut zone(), "example.org", RecordType::A).code, ResponseCode::Refused);
    }

    #[test]
    fn a_silent_server_still_counts() {
        let mut zone = zone();
        zone.mood = DnsMood::Silent;
        assert!(zone.answer(&parse("db.lab.test").unwrap(), RecordType::A).is_none());
        assert_eq!(zone.queries("db.lab.test"), 1);
    }

    #[test]
    fn aliases_in_a_circle_are_a_server_failure() {
        let mut zone = zone();
        zone.cname("db.lab.test", "alias.lab.test", 1).unwrap();
        assert_eq!(ask(&mut zone, "alias.lab.test", RecordType::A).code, ResponseCode::ServFail);
    }
}
