//! What an application did, statement by statement, and the check whether the final writer agrees.

mod record;
mod verdict;

pub use record::{Outcome, Statement, StatementKind};
pub use verdict::{ErrorCount, Verdict};

use crate::{Result, Server};
use std::collections::HashMap;

/// Everything that one workload attempted, in the order in which it ended.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct History {
    pub statements: Vec<Statement>,
}

/// How often each (worker, seq) is in the table.
pub(crate) type Rows = HashMap<(u32, u32), u32>;

impl History {
    /// Compares what was acknowledged with what is on `writer`.
    pub fn check(&self, writer: &Server) -> Result<Verdict> {
        let listing = writer.sql("SELECT worker, seq, COUNT(*) FROM shop.orders GROUP BY worker, seq")?;
        let rows = listing.lines().filter_map(|line| {
            let mut numbers = line.split('\t').map(str::parse);
            let mut next = || numbers.next()?.ok();
            Some(((next()?, next()?), next()?))
        });
        Ok(Verdict::of(self, &rows.collect()))
    }
}
