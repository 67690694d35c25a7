//! The field's other answers beside us, each between the application and its server: a TCP proxy (HAProxy), and MySQL's own
//! (MySQL Router).

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Command, Stdio},
};

use pointsman_lab::{Kept, Lab, spawn};
use pointsman_tests::wait_for;

pub struct Peer {
    pub name: &'static str,
    /// Its name in the lab's DNS.
    pub host: &'static str,
    _process: Kept,
}

/// Those that this machine has, in front of blue.
pub fn start_all(lab: &Lab) -> Vec<Peer> {
    let [a, b, c, last] = lab.spare_address().octets();
    [haproxy(lab, lab.spare_address()), router(lab, Ipv4Addr::new(a, b, c, last + 1))].into_iter().flatten().collect()
}

fn haproxy(lab: &Lab, address: Ipv4Addr) -> Option<Peer> {
    let config = lab.directory().join("haproxy.cfg");
    let (port, blue) = (lab.port(), lab.blue().ip());
    let text = format!(
        "global\n  nbthread 1\n  maxconn 4000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  \
         timeout server 1m\nlisten mysql\n  bind {address}:{port}\n  server blue {blue}:{port}\n"
    );
    fs::write(&config, text).expect("a configuration for haproxy");
    let mut command = lab.command("/usr/sbin/haproxy").ok()?;
    command.arg("-db").arg("-f").arg(&config);
    started(lab, "haproxy", "haproxy.lab.test", address, command)
}

fn router(lab: &Lab, address: Ipv4Addr) -> Option<Peer> {
    let config = lab.directory().join("router.conf");
    let (port, blue, directory) = (lab.port(), lab.blue().ip(), lab.directory().display());
    let text = format!(
        "[DEFAULT]\nlogging_folder={directory}\nruntime_folder={directory}\ndata_folder={directory}\n[routing:bench]\n\
         bind_address={address}\nbind_port={port}\ndestinations={blue}:{port}\nrouting_strategy=first-available\n\
         protocol=classic\nclient_ssl_mode=PASSTHROUGH\nserver_ssl_mode=AS_CLIENT\nmax_connections=400\n"
    );
    fs::write(&config, text).expect("a configuration for the router");
    let mut command = lab.sid_command(Path::new("/usr/bin/mysqlrouter"), &[]).ok()?;
    command.arg("--config").arg(&config);
    started(lab, "router", "router.lab.test", address, command)
}

fn started(lab: &Lab, name: &'static str, host: &'static str, address: Ipv4Addr, mut command: Command) -> Option<Peer> {
    let output = fs::File::create(lab.directory().join(name)).expect("a file for what it says");
    command.stdin(Stdio::null()).stdout(output.try_clone().ok()?).stderr(output);
    let listens = || TcpStream::connect((address, lab.port())).is_ok();
    let process = spawn(command).ok().inspect(|process| {
        wait_for(&format!("{name} to listen, or to end"), || listens() || process.ended().is_some());
    });
    let Some(process) = process.filter(|process| process.ended().is_none()) else {
        let said = fs::read_to_string(lab.directory().join(name)).unwrap_or_default();
        println!("skipped: {name} beside us: it cannot be started here {}", said.lines().last().unwrap_or_default());
        return None;
    };
    lab.dns().set(host, &[address], 60).expect("a name for it");
    Some(Peer { name, host, _process: process })
}
