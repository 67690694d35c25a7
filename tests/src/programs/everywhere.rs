//! A program where /etc/ld.so.preload names the library for every program, in a name space of its own: as any user, with
//! the rights that its file gives it.

use std::{path::Path, process::Command};

use pointsman_lab::Lab;

use super::run;
use crate::library;

/// By whom the loader is told of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Nobody,
    /// LD_PRELOAD.
    Environment,
    /// /etc/ld.so.preload.
    System,
}

/// `program`, copied to a place that everybody may enter, where `/mnt/open` takes everybody's files. Its user is nobody, its
/// file root's with this mode.
pub fn command(lab: &Lab, program: &Path, mode: &str, told: Told) -> Command {
    const SCRIPT: &str = r#"
        set -e
        program=$1 library=$2 mode=$3 told=$4
        mount -t tmpfs -o mode=755 none /mnt
        mkdir -m 777 /mnt/open
        cp "$program" /mnt/program
        chmod "$mode" /mnt/program
        cp "$library" /mnt/libpointsman.so
        chmod 755 /mnt/libpointsman.so
        if [ "$told" = System ]; then
            cp -a /etc /mnt/etc
            echo /mnt/libpointsman.so >/mnt/etc/ld.so.preload
            mount --bind /mnt/etc /etc
        fi
        [ "$told" != Environment ] || LD_PRELOAD=/mnt/libpointsman.so
        export LD_PRELOAD
        status=0
        setpriv --reuid=65534 --regid=65534 --clear-groups /mnt/program || status=$?
        find /mnt/open -type f
        exit $status
    "#;
    let mut command = run::command(lab, "sh", run::Preload::Bare);
    command.args(["-c", SCRIPT, "sh"]).arg(program).arg(library()).arg(mode).arg(format!("{told:?}"));
    command.env("LD_PRELOAD", "");
    command
}
