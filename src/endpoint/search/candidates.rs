//! Candidates that the operator named: servers that may become the writer without DNS naming them.

use std::net::{IpAddr, SocketAddr};

use crate::{
    control::option::Candidate,
    endpoint::{Endpoint, name::Name},
};

/// The configured candidates of one endpoint.
#[derive(Clone, Debug, Default)]
pub(in crate::endpoint) struct Configured {
    /// Host names, each with what DNS answers for it.
    hosts: Vec<(String, Vec<IpAddr>)>,
    literal: Vec<IpAddr>,
}

impl Configured {
    pub fn of(name: &Name, configured: &[Candidate]) -> Self {
        let mut known = Configured::default();
        for candidate in configured.iter().filter(|candidate| candidate.endpoint.matches(&name.host, name.port)) {
            match candidate.host.parse() {
                Ok(address) => known.literal.push(address),
                Err(_) => known.hosts.push((candidate.host.clone(), Vec::new())),
            }
        }
        known
    }

    /// The names among them, for which DNS has to be asked.
    pub fn hosts(&self) -> Vec<String> {
        self.hosts.iter().map(|(host, _)| host.clone()).collect()
    }

    /// In the order of the configuration, names after addresses.
    pub fn addresses(&self, port: u16) -> Vec<SocketAddr> {
        let named = self.hosts.iter().flat_map(|(_, addresses)| addresses);
        self.literal.iter().chain(named).map(|ip| SocketAddr::new(*ip, port)).collect()
    }
}

impl Endpoint {
    /// The application has named these hosts, this endpoint's among them, in one list: a connect of its goes to any of them. The
    /// others are candidates, as if the operator had named them.
    pub fn may_be_one_of<'a>(&self, hosts: impl Iterator<Item = &'a [u8]>) {
        for host in hosts {
            let host = host.split(|c| *c == b':').next().unwrap_or_default().trim_ascii();
            let literal = std::str::from_utf8(host).ok().and_then(|host| host.parse().ok());
            let mut state = self.lock();
            if let Some(address) = literal.filter(|address| !state.configured.literal.contains(address)) {
                state.configured.literal.push(address);
            }
            let Some(Name { host, .. }) = Name::of(host, self.name.port).filter(|name| *name != self.name) else {
                continue;
            };
            if state.configured.hosts.iter().all(|(known, _)| *known != host) {
                self.seek_host(&host);
                state.configured.hosts.push((host, Vec::new()));
            }
        }
    }

    /// DNS answered for some name, perhaps that of a configured candidate.
    pub fn on_candidate_answer(&self, host: &str, addresses: &[IpAddr]) {
        let mut state = self.lock();
        let ours = state.configured.hosts.iter_mut().filter(|(name, _)| name == host);
        ours.for_each(|(_, known)| *known = addresses.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(entries: &[&str]) -> Configured {
        let entries: Vec<_> = entries.iter().map(|entry| Candidate::parse(entry).unwrap()).collect();
        Configured::of(&Name::of(b"db.shop.example", 3307).unwrap(), &entries)
    }

    #[test]
    fn an_endpoint_has_only_the_candidates_that_name_it() {
        let known =
            known(&["db.shop.example=10.0.0.2", "DB.shop.example:3306=10.0.0.3", "users.shop.example=10.0.0.4"]);
        assert_eq!(known.addresses(3307), ["10.0.0.2:3307".parse().unwrap()]);
    }

    #[test]
    fn a_candidate_by_name_has_the_addresses_that_dns_answers() {
        let mut known = known(&["db.shop.example=standby.shop.example"]);
        assert!(known.addresses(3307).is_empty());
        known.hosts[0].1 = vec!["10.0.0.9".parse().unwrap()];
        assert_eq!(known.addresses(3307), ["10.0.0.9:3307".parse().unwrap()]);
    }
}
