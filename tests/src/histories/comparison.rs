//! What two connections were told that lived through the same history, one of which was moved: may it differ, and why?

use std::collections::BTreeMap;

use super::{
    grammar::{Mark, Step},
    reasons::{OPEN, PREVIOUS, Reason, Session},
};

/// How a history ended for the moved twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Told the same as the other to the end.
    Alike,
    /// The same, and a transaction was open when it was moved.
    AlikeInTransaction,
    /// By an error, because of this.
    Lost(Reason),
}

/// How often each end was met.
pub type Ends = BTreeMap<End, u64>;

/// What both were told; a step's answer stands one behind its number.
pub struct Pair<'a> {
    pub steps: &'a [Step],
    pub at: usize,
    pub bare: &'a [String],
    pub moved: &'a [String],
}

impl Pair<'_> {
    /// The first step with another answer. A transaction with nothing in it, of which no answer told before the move, is not
    /// missed behind it, until both have told the same.
    pub fn first_difference(&self) -> Option<usize> {
        let mut in_vain = self.session(self.at).began_in_vain();
        (0..self.steps.len()).find(|&step| {
            let (bare, moved) = (&self.bare[step + 1], &self.moved[step + 1]);
            if bare == moved {
                // An error does not tell, nor does what no server hears of. Of rows, the client library has its own idea.
                let tells = self.steps[step].verb == "query" && bare.starts_with("[ok ");
                in_vain &= !(tells && step >= self.at);
                return false;
            }
            let begins_one =
                ["INSERT", "UPDATE", "DELETE", "REPLACE"].iter().any(|it| self.steps[step].rest.starts_with(it));
            let tells_of_it = bare.strip_suffix(" in-transaction") == Some(moved) && !begins_one;
            !(in_vain && step >= self.at && tells_of_it)
        })
    }

    fn session(&self, before: usize) -> Session {
        Session::after(&self.steps[..before], &self.bare[1..=before])
    }

    pub fn alike(&self, kept: &str, made: &str) -> Result<End, String> {
        match (kept == made, self.session(self.at).open()) {
            (true, false) => Ok(End::Alike),
            (true, true) => Ok(End::AlikeInTransaction),
            _ => Err(format!("the tables: {kept}\n  but {made}")),
        }
    }

    fn differs(&self, step: usize, why: &str) -> String {
        let (bare, moved) = (&self.bare[step + 1], &self.moved[step + 1]);
        format!("{why}: step {step}, {}\n  bare:  {bare}\n  moved: {moved}", self.steps[step])
    }

    /// Whether the step is one that a server hears of.
    fn is_heard(&self, step: usize) -> bool {
        let answers = [&self.bare[step + 1], &self.moved[step + 1]];
        !answers.iter().any(|answer| answer.starts_with("[none]")) && self.steps[step].verb != "unprepare"
    }

    /// Whether it is the first that the server would have heard behind the move.
    fn is_first_behind_the_move(&self, step: usize) -> bool {
        (self.at..self.steps.len()).find(|step| self.is_heard(*step)) == Some(step)
    }

    /// The first step behind the server's end of the connection, or one that asks for what is not there any more, is lost,
    /// and so is all behind it.
    pub fn reason_for_a_loss(&self, step: usize) -> Result<Reason, String> {
        if !is_loss(&self.moved[step + 1]) {
            return Err(self.differs(step, "another answer"));
        }
        let session = self.session(step);
        let asks = (self.steps[step].mark == Mark::AsksPrevious && step >= self.at).then_some(PREVIOUS);
        let obstacle = session.obstacle().or(session.open().then_some(OPEN));
        let reason = obstacle.filter(|_| self.is_first_behind_the_move(step)).or(asks);
        let Some(reason) = reason else { return Err(self.differs(step, "a loss for no reason")) };
        // libmysqlclient sets the character set of a lost handle for the next connect.
        let must_be_lost = |step: &usize| self.is_heard(*step) && self.steps[*step].verb != "set_names";
        match (step..self.steps.len()).filter(must_be_lost).find(|later| !is_loss(&self.moved[later + 1])) {
            Some(later) => Err(self.differs(later, "got through after the loss")),
            None => Ok(reason),
        }
    }

    /// The switchover has refused the step, or it found its connection gone.
    pub fn reason_for_an_end(&self, step: usize) -> Result<Reason, String> {
        let answer = &self.moved[step + 1];
        let session = self.session(step);
        let asks = (self.steps[step].mark == Mark::AsksPrevious).then_some(PREVIOUS);
        let several = self.steps[step].rest.contains("; ").then_some("several statements in one text");
        let victim = answer.contains("[error 1213 ") && answer.contains("(the server changed)");
        let reason = match () {
            _ if step < self.at => None,
            _ if victim => session.spoilt_with(&self.steps[step]).then_some("a transaction that cannot be replayed"),
            _ if is_loss(answer) => {
                session.obstacle().filter(|_| self.is_first_behind_the_move(step)).or(asks).or(several)
            }
            _ if answer.contains("[error 1290 ") => session.obstacle().or(asks).or(several),
            _ => None,
        };
        let Some(reason) = reason else { return Err(self.differs(step, "another answer")) };
        if answer.contains("[error 1290 ") && several.is_none() {
            let next = (step + 1..self.steps.len()).find(|step| self.is_heard(*step));
            if let Some(next) = next.filter(|next| !is_loss(&self.moved[next + 1])) {
                return Err(self.differs(next, "got through after the refusal"));
            }
        }
        Ok(reason)
    }
}

fn is_loss(answer: &str) -> bool {
    answer.starts_with("[error 2006 ") || answer.starts_with("[error 2013 ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_with_nothing_in_it_is_not_missed_until_both_have_told_the_same() {
        const IN_VAIN: &str = "[error 1062 23000 …] utf8mb4";
        const OPEN: &str = "[ok 0 0 0 -] utf8mb4 in-transaction";
        const NOT_OPEN: &str = "[ok 0 0 0 -] utf8mb4";
        let first_difference = |text: &str, bare: &[&str], moved: &[&str]| {
            let failed = Step::query("INSERT INTO t VALUES (1)", Mark::Plain);
            let steps: Vec<_> =
                [failed].into_iter().chain(bare.iter().skip(1).map(|_| Step::query(text, Mark::Plain))).collect();
            let told =
                |answers: &[&str]| [&["connected"], answers].concat().iter().map(|it| (*it).to_owned()).collect();
            let (bare, moved): (Vec<String>, Vec<String>) = (told(bare), told(moved));
            Pair { steps: &steps, at: 1, bare: &bare, moved: &moved }.first_difference()
        };
        let set = "SET NAMES utf8mb4";
        assert_eq!(first_difference(set, &[IN_VAIN, IN_VAIN, OPEN], &[IN_VAIN, IN_VAIN, NOT_OPEN]), None);
        assert_eq!(first_difference(set, &[IN_VAIN, OPEN, OPEN], &[IN_VAIN, OPEN, NOT_OPEN]), Some(2));
        assert_eq!(first_difference(set, &[IN_VAIN, NOT_OPEN], &[IN_VAIN, OPEN]), Some(1), "none is made up");
        assert_eq!(first_difference(set, &[NOT_OPEN, OPEN], &[NOT_OPEN, NOT_OPEN]), Some(1));
        let insert = "INSERT INTO t VALUES (2)";
        assert_eq!(first_difference(insert, &[IN_VAIN, OPEN], &[IN_VAIN, NOT_OPEN]), Some(1), "it begins one itself");
    }
}
