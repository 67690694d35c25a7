//! `/etc/hosts`, as the `files` service of nsswitch reads it: a name found there is not asked of DNS at all, in no
//! address family. Written by hand since hickory's reader skips names with underscores, which containers like, and
//! asks DNS for the family that the file does not have.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::answer::Found;
use super::families::Families;

/// The file has no TTL: it is looked at as often as the longest one that we honour.
const TTL: Duration = Duration::from_secs(5);

/// Names in lower case and their addresses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hosts(BTreeMap<String, Vec<IpAddr>>);

impl Hosts {
    /// Reads `address name…` lines; comments and whatever is not such a line are skipped, as glibc does.
    pub fn parse(content: &str) -> Self {
        let mut names = BTreeMap::<String, Vec<IpAddr>>::new();
        for line in content.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let Some(Ok(address)) = words.next().map(str::parse) else {
                continue;
            };
            for name in words {
                let addresses = names.entry(name.to_lowercase()).or_default();
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        names.values_mut().for_each(|addresses| addresses.sort_by_key(IpAddr::is_ipv6));
        Self(names)
    }

    /// The addresses of exactly this name; the search list does not apply.
    pub fn find(&self, name: &str) -> Option<Found> {
        let name = name.strip_suffix('.').unwrap_or(name).to_lowercase();
        let addresses = self.0.get(&name)?.clone();
        Some(Found { addresses, ttl: TTL, families: Families::Both })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_are_found_in_any_case_with_all_their_addresses() {
        let hosts = Hosts::parse(
            "# db\n::1 orders.db\n10.0.0.7\tOrders.DB orders # alias\n10.0.0.7 orders.db\n10.0.0.8 orders.db my_db\n",
        );
        let addresses = |name| hosts.find(name).map(|found| found.addresses);
        let all: Vec<IpAddr> = ["10.0.0.7", "10.0.0.8", "::1"].map(|ip| ip.parse().unwrap()).into();
        assert_eq!(addresses("ORDERS.db."), Some(all));
        assert_eq!(addresses("orders"), Some(vec!["10.0.0.7".parse().unwrap()]));
        assert_eq!(addresses("my_db"), Some(vec!["10.0.0.8".parse().unwrap()]));
        assert_eq!(addresses("alias"), None);
    }

    #[test]
    fn broken_lines_are_skipped() {
        assert_eq!(Hosts::parse("10.0.0 a\nb\n\n10.0.0.9\n#10.0.0.1 a\n"), Hosts::default());
    }
}
