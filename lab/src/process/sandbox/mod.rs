//! Programs that see only the lab's resolver: a private mount name space with our resolv.conf over the system's.

mod inside;
mod names;
mod plan;

pub(crate) use inside::command as command_inside;
pub use plan::SandboxKind;
pub(crate) use plan::die_with_parent;

use crate::error::Result;
use plan::{Bind, Plan};
use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

/// A program that asks `dns` for names, unless its `own` files say otherwise.
pub(crate) fn command(program: &OsStr, directory: &Path, dns: Ipv4Addr, own: &[(&str, &str)]) -> Result<Command> {
    let kind = SandboxKind::of_this_machine()?;
    let binds = names::binds(Path::new("/"), directory, dns, own)?;
    let mut command = Command::new(program);
    apart(&mut command, directory);
    Plan::new(kind, binds).apply(&mut command);
    Ok(command)
}

/// What a protected program writes down of servers for others stays in its lab: the next lab has the same addresses.
fn apart(command: &mut Command, directory: &Path) {
    command.env("POINTSMAN_STATE_DIR", directory);
}
