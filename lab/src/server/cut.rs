//! A server that the network has swallowed: its packets are dropped both ways, without a RST, by rules of nftables that
//! match the lab's own addresses only.
//!
//! The rules live in a table that the kernel removes with the process that made it: an `nft` that we keep, and that ends
//! with us. So they are gone after a drop, and after a crash too.

use crate::error::Error;
use crate::ground::slot;
use crate::process::child::{self, Kept};
use crate::process::wait;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Command, Stdio};
use std::time::Duration;

const NFT: [&str; 2] = ["/usr/sbin/nft", "/sbin/nft"];
const SOON: Duration = Duration::from_secs(3);

/// Packets to and from one server are dropped while this value lives.
#[derive(Debug)]
pub(crate) struct Cut {
    _nft: Kept,
    // `nft` ends when its standard input does.
    _stdin: std::process::ChildStdin,
}

impl Cut {
    /// Drops them from now on; else says why this machine cannot.
    pub(crate) fn make(server: SocketAddrV4) -> Result<Self, String> {
        let rules = rules(server)?;
        let program = NFT.iter().find(|path| std::path::Path::new(path).exists()).ok_or("nft is not installed")?;
        let mut command = Command::new(program);
        // Interactive: it reads line by line, and stays.
        command.arg("-i").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let nft = child::spawn(command).map_err(|error| error.to_string())?;
        let mut stdin = nft.take_stdin().expect("nft's standard input is a pipe");
        stdin.write_all(rules.as_bytes()).map_err(|error| format!("nft takes no rules: {error}"))?;
        let table = table(*server.ip());
        let there = || -> Result<Option<()>, Error> {
            let listing = Command::new(program).args(["list", "table", "inet", &table]).output();
            // Both rules, or it is no black hole yet.
            let drops = listing.map_or(0, |listing| String::from_utf8_lossy(&listing.stdout).matches(" drop").count());
            Ok((drops == 2).then_some(()))
        };
        wait::until("a rule of nftables", SOON, String::new, there).map_err(|_| "nft refuses our rules".to_owned())?;
        Ok(Self { _nft: nft, _stdin: stdin })
    }
}

fn table(server: Ipv4Addr) -> String {
    let [_, net, slot, host] = server.octets();
    format!("pointsman_lab_{net}_{slot}_{host}")
}

/// On the way in, not out: there a drop would be an error of the sender's system call.
fn rules(server: SocketAddrV4) -> Result<String, String> {
    let (ip, port) = (server.ip(), server.port());
    if !slot::is_ours(*ip) {
        return Err(format!("{ip} is no address of a lab"));
    }
    let table = table(*ip);
    Ok(format!(
        "add table inet {table} {{ flags owner; }}\n\
         add chain inet {table} arrivals {{ type filter hook input priority 0; policy accept; }}\n\
         add rule inet {table} arrivals iifname \"lo\" ip daddr {ip} tcp dport {port} drop\n\
         add rule inet {table} arrivals iifname \"lo\" ip saddr {ip} tcp sport {port} drop\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::slot::{PORT, Slot};
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_rule_matches_the_labs_own_addresses_and_port_only() {
        let ours = SocketAddrV4::new(Ipv4Addr::new(127, 77, 3, 1), 3306);
        let text = rules(ours).unwrap();
        let drops: Vec<_> = text.lines().filter(|line| line.ends_with(" drop")).collect();
        assert_eq!(drops.len(), 2);
        for rule in drops {
            assert!(rule.contains("\"lo\"") && rule.contains("127.77.3.1 ") && rule.contains("port 3306 "), "{rule}");
        }
        for foreign in [[127, 0, 0, 1], [10, 0, 0, 1], [127, 78, 3, 1], [0, 0, 0, 0]] {
            assert!(rules(SocketAddrV4::new(foreign.into(), 3306)).is_err(), "{foreign:?}");
        }
    }

    #[test]
    fn nothing_arrives_behind_a_cut_and_everything_does_after_its_end() {
        let slot = Slot::take().unwrap();
        let (cut, other) = (SocketAddrV4::new(slot.blue(), PORT), SocketAddrV4::new(slot.green(), PORT));
        let _servers = (TcpListener::bind(cut).unwrap(), TcpListener::bind(other).unwrap());
        let reach = |address: SocketAddrV4| TcpStream::connect_timeout(&address.into(), Duration::from_millis(200));
        let hole = match Cut::make(cut) {
            Err(reason) => return println!("skipped: {reason}"),
            Ok(hole) => hole,
        };
        assert_eq!(reach(cut).unwrap_err().kind(), ErrorKind::TimedOut);
        reach(other).unwrap();
        drop(hole);
        reach(cut).unwrap();
    }
}
