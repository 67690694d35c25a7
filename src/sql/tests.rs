//! What the classifier says of statements as people write them, and what it never says whatever they write.
use super::*;

fn class(sql: &str) -> Statement {
    classify(sql.as_bytes(), Dialect::default())
}

#[test]
fn a_plain_select_only_reads() {
    assert!(class("SELECT 1").only_reads);
}
