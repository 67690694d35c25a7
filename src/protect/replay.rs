//! Replaying an open transaction: its log is run again on a verified writer, and every reply is compared.
//!
//! The ids that the application was told are chosen for the same INSERTs (`SET insert_id`), because ids of rolled-back
//! inserts are never replicated, so that the new writer would generate others. On MySQL a chosen id that an INSERT did not
//! take, since it names its own, waits for the next INSERT of the session, and nothing but a fresh connection ends that:
//! `SET insert_id = 0` makes a row with the id 0, and there is no DEFAULT. So which ids were not taken is written down by
//! the server in a user variable, at no statement's cost, and such a transaction is replayed once more without them.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{
    line::{Answer, Executed, Protected},
    probe::BorrowedConnection,
    restore::restore,
};
use crate::{
    endpoint::prober::Prober,
    session::{
        execution::Act,
        transaction::{Digesting, Entry, Reply},
    },
    verdict::{Evidence, evidence, failure::Failure},
};

/// Why a transaction could not be replayed.
pub enum Unreplayed {
    /// The server itself is not the writer any more, or gone.
    Refused(Evidence),
    /// It would not be the same transaction.
    Different(String),
}

/// Runs the log again and compares every reply. On `Err` nothing of it is left on the server: it was rolled back, or its
/// connection has ended.
pub fn replay(guest: &dyn Protected, lent: &mut BorrowedConnection<'_>, entries: &[Entry]) -> Result<(), Unreplayed> {
    let mut explicit = BTreeSet::new();
    loop {
        let mut run = Run { guest, entries, chosen: Vec::new(), sets_timestamp: false };
        let outcome = run.all(&explicit);
        let rolled_back = outcome.is_err().then(|| guest.query(b"ROLLBACK").is_ok());
        let left = if rolled_back == Some(false) { Left::Unknown } else { run.clean_up() };
        match (outcome, left) {
            (Ok(()), Left::Nothing) => return Ok(()),
            // All its replies are right, but an id is left to the next INSERT. It was not taken a second time.
            (Ok(()), Left::Ids(ids)) if explicit.is_empty() && guest.query(b"ROLLBACK").is_ok() => {
                explicit = ids;
                if !has_a_fresh_session(guest, lent) {
                    return Err(Unreplayed::Refused(Evidence::NotSent));
                }
            }
            (Ok(()), _) => {
                guest.end_connection();
                return Err(Unreplayed::Different("what it leaves in the session cannot be told".to_owned()));
            }
            (Err(difference), left) => {
                let refused = matches!(difference, Unreplayed::Refused(_));
                if !matches!(left, Left::Nothing) && (refused || !has_a_fresh_session(guest, lent)) {
                    guest.end_connection();
                }
                return Err(difference);
            }
        }
    }
}

/// Replaces the connection by another one to the same server. False: the connection has ended.
fn has_a_fresh_session(guest: &dyn Protected, lent: &mut BorrowedConnection<'_>) -> bool {
    let Some(server) = ({ guest.state().peer }) else { return false };
    // The session was restored in between, and its statements have got further.
    lent.fresh = false;
    let fresh = lent.dial(server).is_ok() && restore(guest).is_ok();
    if !fresh {
        guest.end_connection();
    }
    fresh
}

/// What a run has left in the session.
enum Left {
    Nothing,
    /// An id that was chosen for an INSERT and not taken. These entries have taken none.
    Ids(BTreeSet<usize>),
    Unknown,
}

/// One run through the log.
struct Run<'a> {
    guest: &'a dyn Protected,
    entries: &'a [Entry],
    /// The entries for which an id was chosen.
    chosen: Vec<usize>,
    sets_timestamp: bool,
}

/// Where the server writes down which chosen ids were not taken.
const NOT_TAKEN: &str = "@pointsman_not_taken";

impl Run<'_> {
    /// `explicit`: entries that name their ids themselves.
    fn all(&mut self, explicit: &BTreeSet<usize>) -> Result<(), Unreplayed> {
        let clock = self.clock()?;
        self.sets_timestamp = clock.is_some();
        for (at, entry) in self.entries.iter().enumerate() {
            let id = entry.id_to_choose().filter(|_| !explicit.contains(&at));
            let mut set = Vec::new();
            if id.is_some() {
                set.push(format!("{NOT_TAKEN} = CONCAT_WS(',', {NOT_TAKEN}, @@insert_id)"));
            }
            if let Some((clock, moment)) = clock.zip(entry.moment) {
                // What NOW() said then (MySQL manual, `timestamp`).
                let then = clock.at(moment);
                set.push(format!("timestamp = {}.{:06}", then.as_secs(), then.subsec_micros()));
            }
            if let Some(id) = id {
                // MySQL manual, `insert_id`: the value for the following INSERT.
                set.push(format!("insert_id = {id}"));
                self.chosen.push(at);
            }
            if !set.is_empty() {
                let set = format!("SET {}", set.join(", "));
                self.guest.query(set.as_bytes()).map_err(|failure| failed(at, &failure))?;
            }
            self.compare(at, entry)?;
        }
        Ok(())
    }

    fn compare(&self, at: usize, entry: &Entry) -> Result<(), Unreplayed> {
        match (run(self.guest, &entry.act), &entry.reply) {
            (Ok(Executed::Done { affected, insert_id }), Reply::Done { affected: told, insert_id: told_id }) => {
                if affected != *told {
                    return Err(different(at, "another number of affected rows"));
                }
                if insert_id != *told_id {
                    return Err(different(at, "another insert id"));
                }
                Ok(())
            }
            (Ok(Executed::Rows(rows)), Reply::Rows { digest: told, .. }) if rows == *told => Ok(()),
            (Ok(Executed::Rows(_)), Reply::Rows { .. }) => Err(different(at, "other rows")),
            (Err(failure), Reply::Failed(told)) if failure.number == *told => Ok(()),
            (Err(failure), _) => Err(failed(at, &failure)),
            (Ok(_), _) => Err(different(at, "another kind of reply")),
        }
    }

    /// The server's clock. `None` if it stands still in this session, because an init command has set it: a SET of the
    /// application's own pins.
    fn clock(&self) -> Result<Option<Clock>, Unreplayed> {
        let (first, second) = (self.time()?, self.time()?);
        Ok((first.now != second.now).then_some(second))
    }

    fn time(&self) -> Result<Clock, Unreplayed> {
        let answer = self.guest.query(b"SELECT @@timestamp").map_err(|failure| failed(0, &failure))?;
        let now = match &answer {
            Answer::Rows(rows) => rows.first().and_then(|row| time_of(row.first()?.as_deref()?)),
            Answer::Done { .. } => None,
        };
        let now = now.ok_or_else(|| Unreplayed::Different("the server does not say what time it is".to_owned()))?;
        Ok(Clock { now, read: self.guest.now() })
    }

    /// The session is as the application has set it up, but for the transaction.
    fn clean_up(&self) -> Left {
        let time = if self.sets_timestamp { "timestamp = DEFAULT" } else { "" };
        if self.chosen.is_empty() {
            let clean = time.is_empty() || self.guest.query(format!("SET {time}").as_bytes()).is_ok();
            return if clean { Left::Nothing } else { Left::Unknown };
        }
        let question = format!("SELECT @@insert_id, {NOT_TAKEN}");
        let Ok(Answer::Rows(rows)) = self.guest.query(question.as_bytes()) else { return Left::Unknown };
        let [row] = rows.as_slice() else { return Left::Unknown };
        let [Some(waiting), written] = row.as_slice() else { return Left::Unknown };
        let time = if time.is_empty() { String::new() } else { format!(", {time}") };
        if self.guest.query(format!("SET {NOT_TAKEN} = NULL{time}").as_bytes()).is_err() {
            return Left::Unknown;
        }
        // MariaDB has a default, MySQL has none (error 1230).
        if waiting == b"0" || self.guest.query(b"SET insert_id = DEFAULT").is_ok() {
            return Left::Nothing;
        }
        Left::Ids(not_taken(&self.chosen, written.as_deref().unwrap_or_default()))
    }
}

/// The entries whose chosen id was not taken, the last of them among them. `written`: before each of `chosen`, the id that
/// was still waiting then.
fn not_taken(chosen: &[usize], written: &[u8]) -> BTreeSet<usize> {
    let waiting = written.split(|byte| *byte == b',').skip(1).map(|id| id != b"0").chain([true]);
    chosen.iter().zip(waiting).filter_map(|(at, waits)| waits.then_some(*at)).collect()
}

/// What the server's clock said at a moment.
#[derive(Clone, Copy)]
struct Clock {
    /// Since 1970.
    now: Duration,
    read: Instant,
}

impl Clock {
    /// What it would have said at an earlier one.
    fn at(self, moment: Instant) -> Duration {
        self.now.saturating_sub(self.read.saturating_duration_since(moment))
    }
}

/// `1796038215.368030`
fn time_of(text: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(text).ok()?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Some(Duration::new(seconds.parse().ok()?, micros.parse::<u32>().ok()? * 1000))
}

/// Prepared statements are executed on one of our own: the application's has results of the first run.
fn run(guest: &dyn Protected, act: &Act) -> Result<Executed, Failure> {
    let text = match act {
        Act::Text(text) => text,
        Act::Execution { text, values } => return guest.execute(text, values),
    };
    Ok(match guest.query(text)? {
        Answer::Done { affected, insert_id } => Executed::Done { affected, insert_id },
        Answer::Rows(rows) => {
            let mut digesting = Digesting::default();
            for row in &rows {
                digesting.row(&row.iter().map(Option::as_deref).collect::<Vec<_>>());
            }
            Executed::Rows(digesting.finish())
        }
    })
}

fn different(at: usize, why: &str) -> Unreplayed {
    Unreplayed::Different(format!("statement {at} of the transaction: {why}"))
}

fn failed(at: usize, failure: &Failure) -> Unreplayed {
    match evidence::of_error(failure.number, &failure.text) {
        Some(evidence) => Unreplayed::Refused(evidence),
        None => different(at, &format!("error {}: {}", failure.number, String::from_utf8_lossy(&failure.text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_down_says_which_chosen_ids_were_not_taken() {
        let set = |entries: &[usize]| entries.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(not_taken(&[3], b"0"), set(&[3]));
        assert_eq!(not_taken(&[1, 4, 5, 9], b"0,0,70,0"), set(&[4, 9]));
        assert_eq!(not_taken(&[1, 4, 5], b"0,70,71"), set(&[1, 4, 5]));
    }

    #[test]
    fn rows_are_dated_by_the_servers_clock_less_what_has_passed_by_ours() {
        let now = Instant::now();
        let read = now + Duration::from_secs(10);
        let clock = Clock { now: time_of(b"1796038215.36803").unwrap(), read };
        assert_eq!(clock.at(now), Duration::new(1_796_038_205, 368_030_000));
        assert_eq!(clock.at(read), clock.now);
        assert_eq!(time_of(b"5"), Some(Duration::from_secs(5)));
        assert_eq!(time_of(b""), None);
    }
}
