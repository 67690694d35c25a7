//! Any bytes, in every dialect: no panic, no hang, and what must hold of every class.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pointsman::sql::{Dialect, classify};

fuzz_target!(|sql: &[u8]| {
    for bits in 0..4 {
        let dialect = Dialect { no_backslash_escapes: bits & 1 != 0, ascii_unsafe_charset: bits & 2 != 0, ..Dialect::default() };
        let class = classify(sql, dialect);
        assert!(class.session.len() <= 24);
        if dialect.ascii_unsafe_charset && !sql.is_ascii() {
            assert!(!class.only_reads && !class.atomic);
        }
        // A second statement that writes is never hidden by what stands before it, unless that swallows it.
        let mut followed = sql.to_vec();
        followed.extend_from_slice(b"\n;DELETE FROM t");
        let whole = classify(&followed, dialect);
        assert!(!whole.only_reads || !class.only_reads || swallows(sql, dialect));
    }
});

/// The text leaves a comment or literal open, so that what is appended is not code.
fn swallows(sql: &[u8], dialect: Dialect) -> bool {
    let mut probe = sql.to_vec();
    probe.extend_from_slice(b"\n;)");
    classify(&probe, dialect).only_reads
}
