//! What the classifier never says, whatever the text: properties over arbitrary bytes and over soups of SQL tokens.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const READS: &[&str] = &[
    "SELECT 1",
    "SELECT a, COUNT(*) FROM t WHERE b IN (1, 'x') GROUP BY a",
    "(SELECT 1) UNION (SELECT 2)",
    "WITH c (x) AS (SELECT 1) SELECT * FROM c",
    "SHOW TABLES",
    "EXPLAIN SELECT 1",
    "SET @x = 1",
    "USE shop",
    "BEGIN",
    "DO 1",
];

const WRITES: &[&str] = &[
    "INSERT INTO t (a) VALUES (1)",
    "REPLACE INTO t SELECT 1",
    "UPDATE t SET a = 1",
    "DELETE FROM t",
    "DROP TABLE t",
    "CREATE TEMPORARY TABLE t (a INT)",
    "ALTER TABLE t ADD b INT",
    "TRUNCATE t",
    "CALL p()",
    "LOAD DATA INFILE 'x' INTO TABLE t",
    "GRANT ALL ON *.* TO a",
    "SET GLOBAL a = 1",
    "COMMIT",
    "SELECT * FROM t FOR UPDATE",
    "SELECT GET_LOCK('a', 1)",
    "SELECT 1 INTO @x",
];

#[rustfmt::skip]
const TOKENS: &[&str] = &[
    "SELECT", "INSERT", "INTO", "UPDATE", "DELETE", "REPLACE", "FROM", "WHERE", "SET", "STATEMENT", "FOR", "SHARE",
    "LOCK", "IN", "TABLES", "UNLOCK", "BEGIN", "COMMIT", "ROLLBACK", "AND", "NO", "CHAIN", "WORK", "START",
    "TRANSACTION", "CREATE", "DEFINER", "PROCEDURE", "TRIGGER", "TEMPORARY", "TABLE", "WITH", "AS", "VALUES", "USE",
    "SHOW", "EXPLAIN", "ANALYZE", "XA", "CALL", "NAMES", "GLOBAL", "SESSION", "autocommit", "GET_LOCK", "NOW", "uuid",
    "LAST_INSERT_ID", "f", "@x", "@@sql_mode", "@@global.a", "@", "@@", ":=", "=", ",", ".", "*", "(", ")", ";", "1",
    "1.", "1e5", ".5", "0x1f", "'a'", "\"b\"", "`c`", "'", "\"", "`", "\\", "\\N", "/*", "*/", "/*!", "/*!50000",
    "/*M!", "/*+", "--", "#", "\n", "\0", "é", "$$",
];

/// What may stand between two tokens.
const GAPS: &[&str] = &[" ", "\n", "\t ", "/* a */", " /**/ ", "-- it's\n", "# \"\n", "/*+ hint */"];

const DIALECTS: [Dialect; 4] = [
    Dialect { no_backslash_escapes: false, ascii_unsafe_charset: false, server: Server::Unknown },
    Dialect { no_backslash_escapes: true, ascii_unsafe_charset: false, server: Server::MariaDb(101106) },
    Dialect { no_backslash_escapes: false, ascii_unsafe_charset: true, server: Server::MySql(90700) },
    Dialect { no_backslash_escapes: true, ascii_unsafe_charset: true, server: Server::Unknown },
];

fn soup() -> impl Strategy<Value = String> {
    vec((select(TOKENS), select(&["", " "][..])), 0..40)
        .prop_map(|tokens| tokens.into_iter().map(|(token, gap)| format!("{token}{gap}")).collect())
}

/// Soups that are mostly plain: what the close look looks for, among words that mean nothing to it.
fn plain_soup() -> impl Strategy<Value = String> {
    let verb = select(&["SELECT ", "insert into ", "INSERT INTO t ", "UPDATE ", "delete ", " Select"][..]);
    (verb, vec((select(PLAIN_TOKENS), select(&["", " ", "\n"][..])), 0..24)).prop_map(|(verb, tokens)| {
        let rest: String = tokens.into_iter().map(|(token, gap)| format!("{token}{gap}")).collect();
        format!("{verb}{rest}")
    })
}

#[rustfmt::skip]
const PLAIN_TOKENS: &[&str] = &[
    "a", "b1", "t", "t.", "`c`", "`", "'x'", "'", "é", "'é'", "$", "1", "12", "1.", ".5", "1.e", "1e5", "0x1f", "0b1", "N", "e", ".", ",",
    "(", "(", ")", "*", "=", "+", "-", "--", "/", "/*", "*/", "<", ">", "?", "!", "%", "|", "&", "~", "^", "{", "}", "[", ":", ":=", "@",
    "FROM", "DUAL", "WHERE", "IN", "AND", "OR", "VALUES", "VALUE", "ON", "DUPLICATE", "KEY", "UPDATE", "SET", "AS", "ORDER", "BY", "LIMIT", "INTO",
    "OUTFILE", "FOR", "SHARE", "LOCK", "MODE", "SELECT", "INSERT", "REPLACE", "DELETE", "TABLE", "WITH", "UNION", "IGNORE", "RETURNING",
    "COUNT", "count", "SUM", "NOW", "f", "uuid", "SLEEP", "LAST_INSERT_ID", "ROW_COUNT", "GET_LOCK", "RELEASE_ALL_LOCKS", "RELEASE_LOCK",
    "NEXT", "PREVIOUS", "NEXTVAL", "CURRVAL", "SYSDATE", "CURRENT_DATE", "current_timestamp", "LOCALTIME", "localtimestamp", "UTC_DATE",
    "STATEMENT", "OVER", "NULLS", "OF", "MEMBER", "LATERAL", "JOIN", "EXCEPT", "INTERSECT", "PROCEDURE", "ANALYSE", "HIGH_PRIORITY", "_utf8",
    "SQL_CALC_FOUND_ROWS", "END", "BEGIN", ";", "#", "\\", "\"", "\0",
];

/// What changes a text a little, mostly its numbers.
const EDITS: &[&str] = &["", "0", "1", "22", "345678", "9", " ", "a", "e", ".", "'", "(", "@", "5 ", " 5"];

/// The text with other gaps at its spaces and other letters, both outside of quotes.
fn disguised(text: &str, gaps: &[&str], upper: bool) -> String {
    let mut gaps = gaps.iter().cycle();
    let mut quoted = false;
    let mut out = String::new();
    for letter in text.chars() {
        quoted ^= letter == '\'';
        match letter {
            ' ' if !quoted => out.push_str(gaps.next().unwrap_or(&" ")),
            _ if quoted => out.push(letter),
            _ if upper => out.push(letter.to_ascii_uppercase()),
            _ => out.push(letter.to_ascii_lowercase()),
        }
    }
    out
}

/// Names keep their case, which is the one thing that the disguise changes.
fn caseless(mut statement: Statement) -> Statement {
    for effect in &mut statement.session {
        if let SessionEffect::Use(name) | SessionEffect::Hold(_, Name { name, .. }) = effect {
            name.make_ascii_lowercase();
        }
    }
    statement
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..300)) {
        for dialect in DIALECTS {
            classify(&bytes, dialect);
        }
    }

    #[test]
    fn no_soup_of_tokens_makes_it_panic_or_swells_the_session(text in soup()) {
        for dialect in DIALECTS {
            let statement = classify(text.as_bytes(), dialect);
            prop_assert!(statement.session.len() <= 24);
        }
    }

    #[test]
    fn what_is_plain_is_classified_as_by_a_close_look(text in prop_oneof![soup(), plain_soup()]) {
        if let Some(plain) = plain::classify(text.as_bytes()) {
            for dialect in &DIALECTS[..2] {
                prop_assert_eq!(Statement::from(plain.traits), classify_closely(text.as_bytes(), *dialect), "{}", text);
            }
        }
    }

    #[test]
    fn a_text_like_the_one_before_is_classified_as_if_it_were_the_first(
        text in plain_soup(),
        edits in vec((any::<prop::sample::Index>(), select(EDITS), any::<bool>()), 0..3),
    ) {
        let mut other = text.clone().into_bytes();
        for (at, with, instead) in edits {
            let at = at.index(other.len());
            other.splice(at..at + usize::from(instead), with.bytes());
        }
        let mut familiar = Familiar::default();
        familiar.learn(text.as_bytes(), Dialect::default);
        let second = familiar.recognizes(&other).map_or_else(|| familiar.learn(&other, Dialect::default), Statement::from);
        prop_assert_eq!(second, classify(&other, Dialect::default()), "{} / {}", text, String::from_utf8_lossy(&other));
    }

    #[test]
    fn what_is_unsafe_to_lex_is_never_trusted(bytes in vec(any::<u8>(), 0..60)) {
        let statement = classify(&bytes, Dialect { ascii_unsafe_charset: true, ..Dialect::default() });
        prop_assert!(bytes.is_ascii() || !statement.only_reads && !statement.atomic);
    }

    #[test]
    fn gaps_and_case_never_change_the_class(
        text in select([READS, WRITES].concat()),
        gaps in vec(select(GAPS), 1..8),
        upper in any::<bool>(),
    ) {
        let plain = caseless(classify(text.as_bytes(), Dialect::default()));
        let other = disguised(text, &gaps, upper);
        prop_assert_eq!(caseless(classify(other.as_bytes(), Dialect::default())), plain, "{}", other);
    }

    #[test]
    fn a_quoted_text_never_makes_a_select_write_or_pin(text in prop_oneof![soup(), any::<String>()]) {
        let plain = classify(b"SELECT 'x' FROM t", Dialect::default());
        let escaped = text.replace('\\', "\\\\").replace('\'', "''");
        let statement = classify(format!("SELECT '{escaped}' FROM t").as_bytes(), Dialect::default());
        prop_assert_eq!(statement, plain.clone());
        let doubled = text.replace('\'', "''");
        let dialect = Dialect { no_backslash_escapes: true, ..Dialect::default() };
        prop_assert_eq!(classify(format!("SELECT '{doubled}' FROM t").as_bytes(), dialect), plain.clone());
        let name = text.replace('`', "``");
        prop_assert_eq!(classify(format!("SELECT `{name}` FROM t").as_bytes(), Dialect::default()), plain);
    }

    #[test]
    fn what_starts_with_a_write_verb_never_only_reads(
        verb in select(&["INSERT", "update", "DELETE", "REPLACE", "DROP", "CREATE", "ALTER", "TRUNCATE", "CALL", "LOAD",
            "GRANT", "COMMIT", "EXECUTE", "PREPARE", "LOCK", "FLUSH", "HANDLER", "XA", "SET GLOBAL a ="][..]),
        gap in select(GAPS),
        text in soup(),
    ) {
        let statement = classify(format!("{verb}{gap}{text}").as_bytes(), Dialect::default());
        prop_assert!(!statement.only_reads);
    }

    #[test]
    fn a_read_before_or_behind_a_write_never_makes_it_read(
        read in select(READS), write in select(WRITES), gap in select(GAPS),
    ) {
        for text in [format!("{read}{gap};{gap}{write}"), format!("{write}{gap};{gap}{read};")] {
            let statement = classify(text.as_bytes(), Dialect::default());
            prop_assert!(!statement.only_reads && !statement.atomic, "{}", text);
        }
    }

    #[test]
    fn code_that_only_some_servers_run_never_makes_a_write_read(
        write in select(WRITES), read in select(READS), opening in select(&["/*!", "/*!50000 ", "/*!99999 ", "/*M!100100 "][..]),
    ) {
        for text in [format!("{opening}{write} */"), format!("{opening}{read} ; */ {write}"), format!("{read} {opening}; {write} */")] {
            prop_assert!(!classify(text.as_bytes(), Dialect::default()).only_reads, "{}", text);
        }
    }
}

#[test]
fn time_grows_no_faster_than_the_text() {
    let repeated = [
        "(",
        "/*!",
        "/*",
        "'a' ",
        "\"\\\"",
        "@@a.",
        "SELECT(",
        ";",
        "USE a;",
        "SET @x=1;",
        "1.",
        "`a`.",
        "OR ",
        "--\n",
    ];
    for piece in repeated {
        for start in ["", "SELECT ", "SET ", "CREATE ", "INSERT ", "EXPLAIN ", "SET STATEMENT "] {
            let text = format!("{start}{}", piece.repeat(100_000 / piece.len()));
            let begun = std::time::Instant::now();
            classify(text.as_bytes(), Dialect::default());
            assert!(begun.elapsed().as_secs() < 5, "{start}{piece}… took {:?}", begun.elapsed());
        }
    }
}
