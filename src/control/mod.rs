//! The operator's side of the library: configuration in, log and counters out.
//!
//! Every other room may call in here; this room knows none of them. Nothing here starts a thread, holds a lock or
//! runs before it is asked, so it works at any moment of the host's life, after a fork included.

pub mod complaint;
pub mod config;
pub mod counters;
pub mod duration;
pub mod endpoint_name;
pub mod line;
pub mod log;
pub mod option;
pub mod source;

use std::path::Path;

use once_cell::race::OnceBox;

use crate::host::{errno, files};

use self::complaint::Complaint;
use self::config::Config;
use self::log::{Level, say};

/// Where the configuration file is, unless `POINTSMAN_CONFIG` names another.
pub const CONFIG_FILE: &str = "/etc/pointsman.toml";

static CONFIG: OnceBox<Config> = OnceBox::new();

/// The configuration of this process: read at the first call, the same ever after. Threads that race for the first
/// call may read it twice; one result wins, and only its complaints are logged.
#[inline]
pub fn config() -> &'static Config {
    CONFIG.get().unwrap_or_else(read_config)
}

#[cold]
#[inline(never)]
fn read_config() -> &'static Config {
    let (config, complaints) = errno::kept(|| load(Path::new(CONFIG_FILE)));
    let off = config.off;
    if CONFIG.set(Box::new(config)).is_ok() && !off {
        complaints.iter().for_each(report);
    }
    CONFIG.get_or_init(Box::default)
}

/// Reads the environment and the configuration file: `POINTSMAN_CONFIG` if it is set, else `default_file`.
pub fn load(default_file: &Path) -> (Config, Vec<Complaint>) {
    let environment = source::environment();
    let file = source::config_file(&environment, default_file);
    // A process that is switched off opens no file.
    let content = match source::is_off(&environment) {
        true => None,
        false => Some((file, files::read_file(file))),
    };
    Config::from_sources(&environment, content)
}

fn report(complaint: &Complaint) {
    say!(Level::Warn, "{complaint}");
}
