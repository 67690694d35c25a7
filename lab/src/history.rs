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
        self.check_across(&[writer])
    }

    /// The same with what is on all of them together, where none replicates to another: a row on two is there twice.
    pub fn check_across(&self, servers: &[&Server]) -> Result<Verdict> {
        let mut rows = Rows::new();
        for server in servers {
            let listing = server.sql("SELECT worker, seq, COUNT(*) FROM shop.orders GROUP BY worker, seq")?;
            for line in listing.lines() {
                let mut numbers = line.split('\t').map(str::parse);
                let mut next = || numbers.next()?.ok();
                if let (Some(worker), Some(seq), Some(count)) = (next(), next(), next()) {
                    *rows.entry((worker, seq)).or_default() += count;
                }
            }
        }
        Ok(Verdict::of(self, &rows))
    }
}
