//! What an application did, statement by statement, and the check whether the final writer agrees.

mod audit;
mod record;
mod transaction;

pub use audit::{Audit, ErrorCount};
pub use record::{Outcome, Statement, StatementKind};
pub use transaction::Transaction;

use crate::error::Result;
use crate::server::Server;
use std::collections::HashMap;
use transaction::Stored;

/// Everything that one workload attempted, in the order in which it ended.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct History {
    pub statements: Vec<Statement>,
}

/// What the table has of each (worker, seq).
pub(crate) type Rows = HashMap<(u32, u32), Stored>;

/// Enough for the numbers of every row of a transaction.
const LISTING: &str = "SET SESSION group_concat_max_len = 4096; \
    SELECT worker, seq, COUNT(*), COUNT(DISTINCT note), GROUP_CONCAT(DISTINCT note) FROM shop.orders GROUP BY worker, seq";

impl History {
    /// Compares what was acknowledged with what is on `writer`.
    pub fn check(&self, writer: &Server) -> Result<Audit> {
        self.check_across(&[writer])
    }

    /// The same with what is on all of them together, where none replicates to another: a row on two is there twice.
    pub fn check_across(&self, servers: &[&Server]) -> Result<Audit> {
        let mut rows = Rows::new();
        for server in servers {
            for line in server.sql(LISTING)?.lines() {
                let fields: Vec<_> = line.split('\t').collect();
                let [worker, seq, count, distinct, notes] = fields[..] else { continue };
                let (Ok(worker), Ok(seq)) = (worker.parse(), seq.parse()) else { continue };
                let stored = rows.entry((worker, seq)).or_default();
                stored.rows += count.parse().unwrap_or(0);
                stored.distinct = stored.distinct.max(distinct.parse().unwrap_or(0));
                stored.parts.extend(notes.split(',').filter_map(|note| note.parse::<u32>().ok()));
            }
        }
        Ok(Audit::of(self, &rows))
    }
}
