//! The field's other answer beside us: a TCP proxy (HAProxy) between the application and its server.

use std::process::Stdio;

use pointsman_lab::{Kept, Lab, spawn};

/// The proxy's name in the lab's DNS.
pub const NAME: &str = "proxy.lab.test";

/// Starts it in front of blue; `None` if this machine has none.
pub fn start(lab: &Lab) -> Option<Kept> {
    let (address, port, blue) = (lab.spare_address(), lab.port(), lab.blue().ip());
    let config = lab.directory().join("haproxy.cfg");
    let text = format!(
        "global\n  nbthread 1\n  maxconn 4000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  \
         timeout server 1m\nlisten mysql\n  bind {address}:{port}\n  server blue {blue}:{port}\n"
    );
    std::fs::write(&config, text).expect("a configuration for haproxy");
    let mut command = lab.command("/usr/sbin/haproxy").ok()?;
    command.arg("-db").arg("-f").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let proxy = spawn(command).ok()?;
    lab.dns().set(NAME, &[address], 60).expect("a name for the proxy");
    pointsman_tests::wait_for("haproxy to listen", || std::net::TcpStream::connect((address, port)).is_ok());
    Some(proxy)
}
