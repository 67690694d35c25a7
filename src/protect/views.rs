//! A read whose answer was lost, and that may have changed something all the same: by way of a view.
//!
//! What a view calls does not show in the text of a statement that reads it: a stored function may write, GET_LOCK takes a lock.
//! The server that the statement would be run on again has the same views, and is asked. That costs one question for each
//! answer that was lost.

use super::line::{Answer, Protected};
use crate::{
    sql::{Statement, names_in},
    verdict::Evidence,
};

impl dyn Protected + '_ {
    /// The statement was perhaps executed, and is about to be run again since it only reads: may it have changed something? When
    /// in doubt, yes.
    pub(super) fn may_write_by_a_view(&self, evidence: Evidence, statement: &Statement) -> bool {
        let text = self.state().failing.take();
        if evidence == Evidence::NotSent || evidence.is_refusal() || statement.vouched || statement.command {
            return false;
        }
        let Some(question) = text.and_then(|text| question(&text)) else { return true };
        match self.asks(|| self.query(&question)) {
            Ok(Answer::Rows(rows)) => !rows.is_empty(),
            Ok(Answer::Done { .. }) | Err(_) => true,
        }
    }
}

/// Is a view among the names in the text? Tables and columns of that name count as well, as far as it is about their database.
/// (An account that may read a view sees it there, on both servers.)
fn question(text: &[u8]) -> Option<Vec<u8>> {
    let mut list = Vec::with_capacity(2 * text.len());
    for name in names_in(text) {
        if name.iter().any(|byte| matches!(byte, b'\'' | b'\\')) {
            return None;
        }
        list.extend_from_slice(if list.is_empty() { b"'" } else { b",'" });
        list.extend_from_slice(&name);
        list.push(b'\'');
    }
    if list.is_empty() {
        list.extend_from_slice(b"''");
    }
    let parts: [&[u8]; 5] = [
        b"SELECT 1 FROM information_schema.VIEWS WHERE TABLE_SCHEMA <> 'information_schema' AND TABLE_NAME IN (",
        &list,
        b") AND (TABLE_SCHEMA = DATABASE() OR TABLE_SCHEMA IN (",
        &list,
        b")) LIMIT 1",
    ];
    Some(parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_put_between_quotes_are_in_doubt() {
        assert!(question(b"SELECT a FROM `it's`").is_none());
        let asked = question(b"SELECT 1 FROM `v w`").unwrap();
        assert!(String::from_utf8(asked).unwrap().contains("TABLE_NAME IN ('FROM','SELECT','v w')"));
    }
}
