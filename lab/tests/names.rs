//! Names: what the lab's DNS server answers, and that its programs ask nobody else.

use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{Resolver, TokioResolver};
use pointsman_lab::{DnsMood, ENDPOINT, Flavor, Lab};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;

fn lab() -> Option<Lab> {
    match Lab::builder().blue(Flavor::MariaDb).single().start() {
        Err(error) if error.is_unavailable() => {
            println!("skipped: {error}");
            None
        }
        lab => Some(lab.unwrap()),
    }
}

fn getent(mut command: Command, name: &str) -> Option<IpAddr> {
    // Not `ahosts`: that one finds no address on a machine whose only interface is the loopback.
    let output = command.args(["hosts", name]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next()?.parse().ok()
}

fn resolver(lab: &Lab) -> TokioResolver {
    let server = NameServerConfig::udp_and_tcp(lab.dns().address().ip());
    let config = ResolverConfig::from_parts(None, vec![], vec![server]);
    Resolver::builder_with_config(config, TokioRuntimeProvider::default()).build().unwrap()
}

#[test]
fn dns_answers_what_was_set_with_its_ttl() {
    let Some(lab) = lab() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ask = || {
        let lookup = runtime.block_on(resolver(&lab).lookup_ip(format!("{ENDPOINT}."))).unwrap();
        let records = lookup.as_lookup().answers().iter();
        records
            .filter_map(|record| match &record.data {
                RData::A(address) => Some((address.0, record.ttl)),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(ask(), [(lab.blue().ip(), 1)]);
    let (one, two) = (Ipv4Addr::new(127, 0, 0, 8), Ipv4Addr::new(127, 0, 0, 9));
    lab.dns().set(ENDPOINT, &[one, two], 7).unwrap();
    let mut answer = ask();
    answer.sort();
    assert_eq!(answer, [(one, 7), (two, 7)]);
    assert!(lab.dns().queries(ENDPOINT) >= 2);
}

#[test]
fn the_sandbox_sees_only_the_lab_resolver() {
    let Some(lab) = lab() else { return };
    assert_eq!(getent(lab.command("getent").unwrap(), ENDPOINT), Some(lab.blue().ip().into()));
    let localhost = getent(lab.command("getent").unwrap(), "localhost");
    assert!(localhost.is_some_and(|ip| ip.is_loopback()));
    let hosts = "127.0.0.3 db.lab.test\n";
    let named = lab.command_with_hosts("getent", hosts).unwrap();
    assert_eq!(getent(named, ENDPOINT), Some(Ipv4Addr::new(127, 0, 0, 3).into()));
    assert_eq!(getent(Command::new("getent"), ENDPOINT), None, "the machine's own view has changed");
    lab.dns().set_mood(DnsMood::NxDomain);
    assert_eq!(getent(lab.command("getent").unwrap(), ENDPOINT), None);
}

#[test]
fn the_sid_root_sees_the_lab_resolver_and_the_given_paths() {
    let Some(lab) = lab() else { return };
    let shared = Path::new(env!("CARGO_MANIFEST_DIR"));
    let getent_inside = match lab.sid_command("/usr/bin/getent", &[shared]) {
        Err(error) if error.is_unavailable() => return println!("skipped: {error}"),
        command => command.unwrap(),
    };
    assert_eq!(getent(getent_inside, ENDPOINT), Some(lab.blue().ip().into()));
    let listing = lab.sid_command("/usr/bin/ls", &[shared]).unwrap().arg(shared).output().unwrap();
    assert!(String::from_utf8(listing.stdout).unwrap().contains("Cargo.toml"));
}
