//! The log: one line per event, written with one system call, never waited for. Knows no event and keeps
//! no descriptor: each line opens, writes and closes, which survives fork, rotation and a host that closes
//! everything it finds.

use std::fmt::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::SystemTime;

use super::config::Config;
use super::counters::COUNTERS;
use super::line::Line;
use super::option::Sink;
use crate::host::{errno, files};

/// How much a line matters; the most important is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The library cannot do its work.
    Error,
    /// The application noticed something, or the operator should act.
    Warn,
    /// A switchover and what was done about it.
    Info,
    /// Every step.
    Debug,
}

impl Level {
    pub(super) const ALLOWED: &str = "error, warn, info or debug";

    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "error" => Some(Level::Error),
            "warn" => Some(Level::Warn),
            "info" => Some(Level::Info),
            "debug" => Some(Level::Debug),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
        }
    }

    /// Facility daemon (3) and the severity, as RFC 3164 adds them up.
    fn syslog_priority(self) -> u32 {
        24 + match self {
            Level::Error => 3,
            Level::Warn => 4,
            Level::Info => 6,
            Level::Debug => 7,
        }
    }
}

/// A sink and the least important level that it gets.
#[derive(Clone, Copy, Debug)]
pub struct Log<'a> {
    sink: &'a Sink,
    level: Level,
}

impl<'a> Log<'a> {
    pub fn new(config: &'a Config) -> Self {
        Self { sink: &config.log, level: config.log_level }
    }

    /// Whether lines of `level` are written at all.
    pub fn wants(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Writes one line `pointsman[PID] LEVEL: text`. Keeps errno, raises no SIGPIPE, and writes to standard error if the
    /// sink does not take the line at once (counted).
    pub fn write(&self, level: Level, text: fmt::Arguments<'_>) {
        if !self.wants(level) {
            return;
        }
        errno::kept(|| {
            let sent = match self.sink {
                Sink::Stderr => files::write_to_stderr(plain(level, text).finish()),
                Sink::File(path) => append(path, level, text),
                Sink::Syslog => files::send_to_syslog(syslog(level, text).finish()),
            };
            if let Err(reason) = sent {
                COUNTERS.log_lines_dropped.count();
                if *self.sink != Sink::Stderr {
                    self.complain_once(&reason);
                    let _ = files::write_to_stderr(plain(level, text).finish());
                }
            }
        });
    }

    /// A file or socket that cannot be written is told on stderr, once in the life of a process. Its lines go there as well.
    fn complain_once(&self, reason: &std::io::Error) {
        static TOLD: AtomicBool = AtomicBool::new(false);
        if TOLD.swap(true, Relaxed) {
            return;
        }
        let mut line = match self.sink {
            Sink::File(path) => plain(
                Level::Warn,
                format_args!("log: cannot append to {}: {reason}; such lines go to standard error", path.display()),
            ),
            _ => plain(
                Level::Warn,
                format_args!("log: /dev/log does not take messages: {reason}; such lines go to standard error"),
            ),
        };
        let _ = files::write_to_stderr(line.finish());
    }
}

fn plain(level: Level, text: fmt::Arguments<'_>) -> Line {
    let mut line = Line::new();
    let _ = write!(line, "pointsman[{}] {}: {text}", std::process::id(), level.name());
    line
}

fn append(path: &Path, level: Level, text: fmt::Arguments<'_>) -> std::io::Result<()> {
    let mut line = Line::new();
    line.push_time(SystemTime::now());
    let _ = write!(line, " pointsman[{}] {}: {text}", std::process::id(), level.name());
    files::append_to_file(path, line.finish())
}

fn syslog(level: Level, text: fmt::Arguments<'_>) -> Line {
    let mut line = Line::new();
    let (priority, name) = (level.syslog_priority(), level.name());
    let _ = write!(line, "<{priority}>pointsman[{}]: {name}: {text}", std::process::id());
    line
}

#[cfg(test)]
thread_local! {
    static MUTED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// From now on the log takes no line of this thread: a test that tells thousands of stories would fill a screen a second.
#[cfg(test)]
pub fn mute_this_thread() {
    MUTED.set(true);
}

/// Whether this process's log wants lines of `level`; `say!` asks before it formats anything.
pub fn enabled(level: Level) -> bool {
    #[cfg(test)]
    if MUTED.get() {
        return false;
    }
    let config = super::config();
    !config.off && Log::new(config).wants(level)
}

/// Writes one line to this process's log.
pub fn log(level: Level, text: fmt::Arguments<'_>) {
    Log::new(super::config()).write(level, text);
}

/// `say!(Level::Warn, "…", …)`: one line to the log, formatted only if the level is wanted.
macro_rules! say {
    ($level:expr, $($text:tt)+) => {
        if $crate::control::log::enabled($level) {
            $crate::control::log::log($level, format_args!($($text)+));
        }
    };
}
pub(crate) use say;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn to_file(path: &Path, level: Level) -> Config {
        Config { log: Sink::File(path.to_owned()), log_level: level, ..Config::default() }
    }

    fn scratch(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("pointsman-log-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn a_file_gets_a_timestamp_and_one_line_per_event_and_is_private() {
        let path = scratch("lines");
        let config = to_file(&path, Level::Info);
        Log::new(&config).write(Level::Warn, format_args!("suspect {}", "orders\nforged"));
        Log::new(&config).write(Level::Debug, format_args!("not wanted"));
        Log::new(&config).write(Level::Info, format_args!("moved"));
        let content = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = content.lines().collect();
        let pid = std::process::id();
        assert_eq!(lines.len(), 2, "{content}");
        assert!(lines[0].ends_with(&format!("Z pointsman[{pid}] WARN: suspect orders\\nforged")), "{content}");
        assert_eq!(&lines[0][4..5], "-");
        assert!(lines[1].ends_with(&format!("Z pointsman[{pid}] INFO: moved")), "{content}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_rotated_file_is_followed() {
        let path = scratch("rotated");
        let config = to_file(&path, Level::Info);
        Log::new(&config).write(Level::Info, format_args!("first"));
        std::fs::remove_file(&path).unwrap();
        Log::new(&config).write(Level::Info, format_args!("second"));
        assert!(std::fs::read_to_string(&path).unwrap().contains("second"));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_line_that_cannot_be_written_is_counted_and_errno_stays() {
        let config = to_file(Path::new("/proc/self/no such directory/log"), Level::Info);
        let before = COUNTERS.log_lines_dropped.get();
        errno::set(libc::EAGAIN);
        Log::new(&config).write(Level::Error, format_args!("lost"));
        assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EAGAIN));
        assert!(COUNTERS.log_lines_dropped.get() > before);
    }

    #[test]
    fn syslog_gets_the_priority_in_front() {
        let mut line = syslog(Level::Warn, format_args!("held"));
        let expected = format!("<28>pointsman[{}]: WARN: held\n", std::process::id());
        assert_eq!(line.finish(), expected.as_bytes());
    }
}
