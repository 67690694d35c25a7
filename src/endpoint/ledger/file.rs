//! Keeps the [`Ledger`] of a host and user in a file that all their processes share. Knows no rule.
//!
//! A process opens it only when it is about to log in by itself, to ask a server for its greeting, or to tell how that ended:
//! one in which no connection was ever lost never touches it. No thread waits long for the file (20 ms). A process that cannot have it (no
//! such place, rights, a full disk, rubbish in it) says so once and goes on with a ledger of its own; so does a program with
//! other rights than its caller's, which must not be told by anybody.

use std::{
    io::{Error, ErrorKind},
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{Ledger, SIZE};
use crate::{
    control::{
        config,
        log::{Level::*, say},
    },
    endpoint::Endpoint,
    host::{
        errno,
        files::{self, Locked},
        signals::with_signals_blocked,
    },
};

/// The user, plus 1, for whom the file cannot be had: not tried again by this process.
static UNUSABLE_FOR: AtomicU64 = AtomicU64::new(0);

impl Endpoint {
    /// Does `work` on the ledger, at the moment that it is given. Must not be called while the endpoint's state is locked.
    pub(in crate::endpoint) fn on_ledger<R>(&self, work: impl Fn(&mut Ledger, u64) -> R) -> R {
        errno::kept(|| {
            let mut result = None;
            // The time is asked when the file is locked: another process may have written down a later moment until then.
            let shared =
                self.around.on_shared_ledger(&mut |ledger| result = Some(work(ledger, self.around.wall_clock())));
            let result = result.filter(|_| shared);
            result.unwrap_or_else(|| work(&mut self.ledger.lock(), self.around.wall_clock()))
        })
    }

    /// A login at `server` has succeeded, if anything was ever written down of this process's handshakes there.
    pub(in crate::endpoint) fn tell_of_login(&self, server: SocketAddr) {
        let noted = self.lock().greetings.on_login(server);
        if noted {
            self.on_ledger(|ledger, _| ledger.logged_in(server));
        }
    }
}

/// Does `work` on the ledger that all processes of this host and user share. False: its file could not be had, or not be
/// written, and what `work` did counts for nothing.
pub fn on_shared_ledger(work: &mut dyn FnMut(&mut Ledger)) -> bool {
    // A handler of the application must not leave with the file locked.
    place().is_some_and(|place| with_signals_blocked(|| exchange(place, work)).is_some())
}

fn place() -> Option<&'static Path> {
    let shared = !files::has_others_rights() && UNUSABLE_FOR.load(Relaxed) != user();
    config().state_dir.as_deref().filter(|_| shared)
}

fn user() -> u64 {
    u64::from(files::effective_user()) + 1
}

/// `None`: the file could not be had.
fn exchange<R>(place: &Path, work: impl FnOnce(&mut Ledger) -> R) -> Option<R> {
    let outcome = Locked::open(place).and_then(|file| {
        let rubbish = || Error::new(ErrorKind::InvalidData, "there is something else in it");
        let before = Ledger::read(&file.read(SIZE)?).ok_or_else(rubbish)?;
        let mut ledger = before.clone();
        let result = work(&mut ledger);
        if ledger != before {
            file.write(&ledger.write())?;
        }
        Ok(result)
    });
    outcome.map_err(|error| complain(place, &error)).ok()
}

fn complain(place: &Path, error: &Error) {
    if error.kind() != ErrorKind::WouldBlock && UNUSABLE_FOR.swap(user(), Relaxed) != user() {
        say!(
            Warn,
            "state_dir: {}/pointsman-{}/budgets cannot be used ({error}): each process of this host counts its own \
             refused logins and aborted greetings",
            place.display(),
            files::effective_user()
        );
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::endpoint::ledger::{End, Turn};

    const NOW: u64 = 1_800_000_000_000;

    #[test]
    fn what_one_process_was_refused_another_one_knows_and_rubbish_is_left_alone() {
        let place = std::env::temp_dir().join(format!("pointsman-host-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir(&place).unwrap();
        let server = SocketAddr::from(([10, 0, 0, 1], 3306));
        assert!(files::succeeds_in_child(|| {
            exchange(&place, |ledger| ledger.end_login(server, 7, End::Refused(1045), false, NOW)).is_some()
        }));
        let begin = |ledger: &mut Ledger| ledger.begin_login(server, 7, NOW);
        assert_eq!(exchange(&place, begin), Some(Turn::Refused(1045)));

        let file = place.join(format!("pointsman-{}/budgets", files::effective_user()));
        fs::write(&file, "something of somebody else's").unwrap();
        assert!(files::succeeds_in_child(|| exchange(&place, begin).is_none()));
        assert_eq!(fs::read_to_string(&file).unwrap(), "something of somebody else's");
        fs::remove_dir_all(place).unwrap();
    }
}
