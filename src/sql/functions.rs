//! What the built-in functions do: a table, since a statement that calls one of them may be as harmless as a
//! plain SELECT, and one that calls anything else may do whatever its author thought of.
//!
//! A name that is not built into the server at hand is free there for a stored function, which may do anything: the other
//! family's functions are what people store under these names. How the lexer finds that a name is being called is the
//! business of `facts`.

use super::server::{NEVER, Server};

/// What calling a function means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    /// Not a function: a keyword before a parenthesis.
    Keyword,
    /// Computes its result from its arguments.
    Pure,
    /// Gives the same in a replay under the same `timestamp`, database and account, but belongs to its moment.
    Moment,
    /// Gives something else at every call, or on every server, and changes nothing.
    Varying,
    /// Speaks of the statement before: ROW_COUNT, FOUND_ROWS.
    Previous,
    /// LAST_INSERT_ID: `Previous` without an argument, a side effect with one.
    LastInsertId,
    /// LASTVAL: what NEXTVAL left for this session.
    LastValue,
    GetLock,
    SideEffect,
    /// A stored or loaded function, or one that we never heard of.
    Unknown,
}

/// Longer names are in no table.
const LONGEST: usize = 40;

/// What calling the name means on that server, in any case of letters.
pub(super) fn lookup(name: &[u8], server: Server) -> Function {
    let mut buffer = [0; LONGEST];
    let Some(upper) = buffer.get_mut(..name.len()) else { return Function::Unknown };
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    let found = |table: &[&str]| table.binary_search_by(|entry| entry.as_bytes().cmp(upper)).is_ok();
    match &*upper {
        _ if found(KEYWORDS) => Function::Keyword,
        _ if !is_built_in(upper, server) => Function::Unknown,
        _ if found(PURE) => Function::Pure,
        _ if found(MOMENT) => Function::Moment,
        _ if found(VARYING) => Function::Varying,
        b"ROW_COUNT" | b"FOUND_ROWS" => Function::Previous,
        b"LAST_INSERT_ID" => Function::LastInsertId,
        b"LASTVAL" => Function::LastValue,
        b"GET_LOCK" => Function::GetLock,
        _ if found(SIDE_EFFECTS) => Function::SideEffect,
        _ => Function::Unknown,
    }
}

fn is_built_in(upper: &[u8], server: Server) -> bool {
    match NOT_EVERYWHERE.binary_search_by(|entry| entry.0.as_bytes().cmp(upper)) {
        Ok(at) => server.has(NOT_EVERYWHERE[at].1, NOT_EVERYWHERE[at].2),
        Err(_) => true,
    }
}

/// With space before its parenthesis the name is a stored function's, unless IGNORE_SPACE is set (MySQL manual 11.2.5;
/// measured on MariaDB 10.11 and MySQL 9.7, taken together).
pub(super) fn is_another_behind_space(name: &[u8]) -> bool {
    let mut buffer = [0; LONGEST];
    let Some(upper) = buffer.get_mut(..name.len()) else { return false };
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    ANOTHER_BEHIND_SPACE.binary_search_by(|entry| entry.as_bytes().cmp(upper)).is_ok()
}

/// Keywords of every server alive: none of them can name a stored function without quotes or a qualifier.
#[rustfmt::skip]
static KEYWORDS: &[&str] = &[
    "ALL", "AND", "ANY", "AS", "BETWEEN", "BIGINT", "BINARY", "BIT", "BLOB", "BY", "CASE", "CHARACTER",
    "CHECK", "CROSS", "DATETIME", "DEC", "DECIMAL", "DISTINCT", "DISTINCTROW", "DIV", "DOUBLE", "ELSE",
    "ENUM", "EXISTS", "FIXED", "FLOAT", "FOR", "FORCE", "FROM", "GROUP", "HAVING", "IGNORE", "IN",
    "INDEX", "INNER", "INT", "INTEGER", "INTO", "IS", "JOIN", "KEY", "LIKE", "LIMIT", "MATCH", "MEDIUMINT",
    "NATIONAL", "NCHAR", "NOT", "NUMERIC", "NVARCHAR", "ON", "OR", "PARTITION", "REAL", "REGEXP", "RLIKE",
    "SELECT", "SET", "SIGNED", "SMALLINT", "SOME", "STRAIGHT_JOIN", "TEXT", "THEN", "TINYINT", "UNION", "UNIQUE",
    "UNSIGNED", "USE", "USING", "VALUE", "VALUES", "VARBINARY", "VARCHAR", "WHEN", "WHERE", "WITH", "XOR",
];

/// Every name that is told from a stored function's.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let others = ["ROW_COUNT", "FOUND_ROWS", "LAST_INSERT_ID", "LASTVAL", "GET_LOCK"];
    [KEYWORDS, PURE, MOMENT, VARYING, SIDE_EFFECTS].into_iter().flatten().copied().chain(others)
}

/// [`Function::Pure`]
#[rustfmt::skip]
static PURE: &[&str] = &[
    "ABS", "ACOS", "ADDDATE", "ADDTIME", "AES_DECRYPT", "AES_ENCRYPT", "ANY_VALUE", "ASCII", "ASIN", "ATAN",
    "ATAN2", "AVG", "BENCHMARK", "BIN", "BIN_TO_UUID", "BIT_AND", "BIT_COUNT", "BIT_LENGTH", "BIT_OR", "BIT_XOR",
    "CAST", "CEIL", "CEILING", "CHAR", "CHARACTER_LENGTH", "CHARSET", "CHAR_LENGTH", "COALESCE", "COERCIBILITY",
    "COLLATION", "COLUMN_ADD", "COLUMN_CHECK", "COLUMN_CREATE", "COLUMN_DELETE", "COLUMN_EXISTS", "COLUMN_GET",
    "COLUMN_JSON", "COLUMN_LIST", "COMPRESS", "CONCAT", "CONCAT_WS", "CONV", "CONVERT", "CONVERT_TZ", "COS", "COT",
    "COUNT", "CRC32", "CRC32C", "CUME_DIST", "DATE", "DATEDIFF", "DATE_ADD", "DATE_FORMAT", "DATE_SUB", "DAY",
    "DAYNAME", "DAYOFMONTH", "DAYOFWEEK", "DAYOFYEAR", "DEFAULT", "DEGREES", "DENSE_RANK", "ELT", "EXP",
    "EXPORT_SET", "EXTRACT", "EXTRACTVALUE", "FIELD", "FIND_IN_SET", "FIRST_VALUE", "FLOOR", "FORMAT",
    "FORMAT_BYTES", "FORMAT_PICO_TIME", "FROM_BASE64", "FROM_DAYS", "FROM_UNIXTIME", "GEOMCOLLECTION",
    "GEOMETRYCOLLECTION", "GET_FORMAT", "GREATEST", "GROUPING", "GROUP_CONCAT", "GTID_SUBSET", "GTID_SUBTRACT",
    "HEX", "HOUR", "IF", "IFNULL", "INET6_ATON", "INET6_NTOA", "INET_ATON", "INET_NTOA", "INSERT", "INSTR",
    "INTERVAL", "ISNULL", "IS_IPV4", "IS_IPV4_COMPAT", "IS_IPV4_MAPPED", "IS_IPV6", "IS_UUID", "JSON_ARRAY",
    "JSON_ARRAYAGG", "JSON_ARRAY_APPEND", "JSON_ARRAY_INSERT", "JSON_COMPACT", "JSON_CONTAINS",
    "JSON_CONTAINS_PATH", "JSON_DEPTH", "JSON_DETAILED", "JSON_EQUALS", "JSON_EXISTS", "JSON_EXTRACT",
    "JSON_INSERT", "JSON_KEYS", "JSON_LENGTH", "JSON_LOOSE", "JSON_MERGE", "JSON_MERGE_PATCH",
    "JSON_MERGE_PRESERVE", "JSON_NORMALIZE", "JSON_OBJECT", "JSON_OBJECTAGG", "JSON_OVERLAPS", "JSON_PRETTY",
    "JSON_QUERY", "JSON_QUOTE", "JSON_REMOVE", "JSON_REPLACE", "JSON_SCHEMA_VALID", "JSON_SCHEMA_VALIDATION_REPORT",
    "JSON_SEARCH", "JSON_SET", "JSON_STORAGE_FREE", "JSON_STORAGE_SIZE", "JSON_TABLE", "JSON_TYPE", "JSON_UNQUOTE",
    "JSON_VALID", "JSON_VALUE", "LAG", "LAST_DAY", "LAST_VALUE", "LCASE", "LEAD", "LEAST", "LEFT", "LENGTH",
    "LINESTRING", "LN", "LOCATE", "LOG", "LOG10", "LOG2", "LOWER", "LPAD", "LTRIM", "MAKEDATE", "MAKETIME",
    "MAKE_SET", "MAX", "MBRCONTAINS", "MBRCOVEREDBY", "MBRCOVERS", "MBRDISJOINT", "MBREQUALS", "MBRINTERSECTS",
    "MBROVERLAPS", "MBRTOUCHES", "MBRWITHIN", "MD5", "MEDIAN", "MICROSECOND", "MID", "MIN", "MINUTE", "MOD",
    "MONTH", "MONTHNAME", "MULTILINESTRING", "MULTIPOINT", "MULTIPOLYGON", "NAME_CONST", "NATURAL_SORT_KEY",
    "NTH_VALUE", "NTILE", "NULLIF", "NVL", "NVL2", "OCT", "OCTET_LENGTH", "ORD", "PERCENTILE_CONT",
    "PERCENTILE_DISC", "PERCENT_RANK", "PERIOD_ADD", "PERIOD_DIFF", "PI", "POINT", "POLYGON", "POSITION", "POW",
    "POWER", "QUARTER", "QUOTE", "RADIANS", "RANK", "REGEXP_INSTR", "REGEXP_LIKE", "REGEXP_REPLACE",
    "REGEXP_SUBSTR", "REPEAT", "REPLACE", "REVERSE", "RIGHT", "ROUND", "ROW", "ROW_NUMBER", "RPAD", "RTRIM",
    "SECOND", "SEC_TO_TIME", "SFORMAT", "SHA", "SHA1", "SHA2", "SIGN", "SIN", "SOUNDEX", "SPACE", "SQRT",
    "STATEMENT_DIGEST", "STATEMENT_DIGEST_TEXT", "STD", "STDDEV", "STDDEV_POP", "STDDEV_SAMP", "STRCMP",
    "STRING_TO_VECTOR", "STR_TO_DATE", "ST_AREA", "ST_ASBINARY", "ST_ASGEOJSON", "ST_ASTEXT", "ST_ASWKB",
    "ST_ASWKT", "ST_BUFFER", "ST_BUFFER_STRATEGY", "ST_CENTROID", "ST_COLLECT", "ST_CONTAINS", "ST_CONVEXHULL",
    "ST_CROSSES", "ST_DIFFERENCE", "ST_DIMENSION", "ST_DISJOINT", "ST_DISTANCE", "ST_DISTANCE_SPHERE",
    "ST_ENDPOINT", "ST_ENVELOPE", "ST_EQUALS", "ST_EXTERIORRING", "ST_FRECHETDISTANCE", "ST_GEOHASH",
    "ST_GEOMCOLLFROMTEXT", "ST_GEOMCOLLFROMWKB", "ST_GEOMETRYN", "ST_GEOMETRYTYPE", "ST_GEOMFROMGEOJSON",
    "ST_GEOMFROMTEXT", "ST_GEOMFROMWKB", "ST_HAUSDORFFDISTANCE", "ST_INTERIORRINGN", "ST_INTERSECTION",
    "ST_INTERSECTS", "ST_ISCLOSED", "ST_ISEMPTY", "ST_ISSIMPLE", "ST_ISVALID", "ST_LATFROMGEOHASH", "ST_LATITUDE",
    "ST_LENGTH", "ST_LINEFROMTEXT", "ST_LINEFROMWKB", "ST_LINEINTERPOLATEPOINT", "ST_LINEINTERPOLATEPOINTS",
    "ST_LONGFROMGEOHASH", "ST_LONGITUDE", "ST_MAKEENVELOPE", "ST_MLINEFROMTEXT", "ST_MPOINTFROMTEXT",
    "ST_MPOLYFROMTEXT", "ST_NUMGEOMETRIES", "ST_NUMINTERIORRING", "ST_NUMINTERIORRINGS", "ST_NUMPOINTS",
    "ST_OVERLAPS", "ST_POINTATDISTANCE", "ST_POINTFROMGEOHASH", "ST_POINTFROMTEXT", "ST_POINTFROMWKB", "ST_POINTN",
    "ST_POLYFROMTEXT", "ST_POLYFROMWKB", "ST_SIMPLIFY", "ST_SRID", "ST_STARTPOINT", "ST_SWAPXY", "ST_SYMDIFFERENCE",
    "ST_TOUCHES", "ST_TRANSFORM", "ST_UNION", "ST_VALIDATE", "ST_WITHIN", "ST_X", "ST_Y", "SUBDATE", "SUBSTR",
    "SUBSTRING", "SUBSTRING_INDEX", "SUBTIME", "SUM", "TAN", "TIME", "TIMEDIFF", "TIMESTAMP", "TIMESTAMPADD",
    "TIMESTAMPDIFF", "TIME_FORMAT", "TIME_TO_SEC", "TO_BASE64", "TO_DAYS", "TO_SECONDS", "TRIM", "TRUNCATE",
    "UCASE", "UNCOMPRESS", "UNCOMPRESSED_LENGTH", "UNHEX", "UPDATEXML", "UPPER", "UUID_TO_BIN", "VARIANCE",
    "VAR_POP", "VAR_SAMP", "VECTOR_DIM", "VECTOR_TO_STRING", "VEC_DISTANCE", "VEC_DISTANCE_COSINE",
    "VEC_DISTANCE_EUCLIDEAN", "VEC_FROMTEXT", "VEC_TOTEXT", "WEEK", "WEEKDAY", "WEEKOFYEAR", "WEIGHT_STRING",
    "YEAR", "YEARWEEK",
];

/// [`Function::Moment`]
#[rustfmt::skip]
static MOMENT: &[&str] = &[
    "CURDATE", "CURRENT_DATE", "CURRENT_ROLE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "CURTIME",
    "DATABASE", "LOCALTIME", "LOCALTIMESTAMP", "NOW", "SCHEMA", "SESSION_USER", "SYSTEM_USER", "UNIX_TIMESTAMP",
    "USER", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP",
];

/// [`Function::Varying`]
#[rustfmt::skip]
static VARYING: &[&str] = &[
    "BINLOG_GTID_POS", "CONNECTION_ID", "ENCRYPT", "ICU_VERSION", "IS_FREE_LOCK", "IS_USED_LOCK", "LOAD_FILE",
    "PS_CURRENT_THREAD_ID", "PS_THREAD_ID", "RAND", "RANDOM_BYTES", "SLEEP", "SYSDATE", "SYS_GUID", "UUID",
    "UUID_SHORT", "UUID_V4", "UUID_V7", "VALIDATE_PASSWORD_STRENGTH", "VERSION",
];

/// [`Function::SideEffect`]
#[rustfmt::skip]
static SIDE_EFFECTS: &[&str] = &[
    "MASTER_GTID_WAIT", "MASTER_POS_WAIT", "NEXTVAL", "RELEASE_ALL_LOCKS", "RELEASE_LOCK", "SETVAL", "SOURCE_POS_WAIT",
    "WAIT_FOR_EXECUTED_GTID_SET", "WAIT_UNTIL_SQL_THREAD_AFTER_GTIDS",
];

/// Names of the above that are not built into every server since MySQL 5.7 and MariaDB 10.2: since which version of MySQL,
/// until which, and since which version of MariaDB. Older servers count as those.
#[rustfmt::skip]
static NOT_EVERYWHERE: &[(&str, (u32, u32), u32)] = &[
    ("ANY_VALUE", (50700, NEVER), NEVER),
    ("BINLOG_GTID_POS", (NEVER, NEVER), 0),
    ("BIN_TO_UUID", (80000, NEVER), NEVER),
    ("COLUMN_ADD", (NEVER, NEVER), 0),
    ("COLUMN_CHECK", (NEVER, NEVER), 0),
    ("COLUMN_CREATE", (NEVER, NEVER), 0),
    ("COLUMN_DELETE", (NEVER, NEVER), 0),
    ("COLUMN_EXISTS", (NEVER, NEVER), 0),
    ("COLUMN_GET", (NEVER, NEVER), 0),
    ("COLUMN_JSON", (NEVER, NEVER), 0),
    ("COLUMN_LIST", (NEVER, NEVER), 0),
    ("CRC32C", (NEVER, NEVER), 100800),
    ("CUME_DIST", (80004, NEVER), 0),
    ("CURRENT_ROLE", (80004, NEVER), 0),
    ("DENSE_RANK", (80004, NEVER), 0),
    ("ENCRYPT", (0, 80003), 0),
    ("FIRST_VALUE", (80004, NEVER), 0),
    ("FORMAT_BYTES", (80016, NEVER), NEVER),
    ("FORMAT_PICO_TIME", (80016, NEVER), NEVER),
    ("GEOMCOLLECTION", (80000, NEVER), NEVER),
    ("GROUPING", (80004, NEVER), NEVER),
    ("GTID_SUBSET", (50700, NEVER), NEVER),
    ("GTID_SUBTRACT", (50700, NEVER), NEVER),
    ("ICU_VERSION", (80004, NEVER), NEVER),
    ("IS_UUID", (80000, NEVER), NEVER),
    ("JSON_ARRAYAGG", (50722, NEVER), 100500),
    ("JSON_COMPACT", (NEVER, NEVER), 0),
    ("JSON_DETAILED", (NEVER, NEVER), 0),
    ("JSON_EQUALS", (NEVER, NEVER), 100700),
    ("JSON_EXISTS", (NEVER, NEVER), 0),
    ("JSON_LOOSE", (NEVER, NEVER), 0),
    ("JSON_MERGE_PATCH", (50722, NEVER), 100405),
    ("JSON_MERGE_PRESERVE", (50722, NEVER), 100405),
    ("JSON_NORMALIZE", (NEVER, NEVER), 100700),
    ("JSON_OBJECTAGG", (50722, NEVER), 100500),
    ("JSON_OVERLAPS", (80017, NEVER), 100900),
    ("JSON_PRETTY", (50722, NEVER), 101000),
    ("JSON_QUERY", (NEVER, NEVER), 0),
    ("JSON_SCHEMA_VALID", (80017, NEVER), 110101),
    ("JSON_SCHEMA_VALIDATION_REPORT", (80017, NEVER), NEVER),
    ("JSON_STORAGE_FREE", (80000, NEVER), NEVER),
    ("JSON_STORAGE_SIZE", (80000, NEVER), NEVER),
    ("JSON_TABLE", (80004, NEVER), 100600),
    ("JSON_VALUE", (80021, NEVER), 0),
    ("LAG", (80004, NEVER), 0),
    ("LASTVAL", (NEVER, NEVER), 100303),
    ("LAST_VALUE", (80004, NEVER), 0),
    ("LEAD", (80004, NEVER), 0),
    ("MASTER_GTID_WAIT", (NEVER, NEVER), 0),
    ("MBRCOVEREDBY", (50700, NEVER), NEVER),
    ("MBRCOVERS", (50700, NEVER), NEVER),
    ("MD5", (0, 90600), 0),
    ("MEDIAN", (NEVER, NEVER), 100303),
    ("NATURAL_SORT_KEY", (NEVER, NEVER), 100700),
    ("NEXTVAL", (NEVER, NEVER), 100303),
    ("NTH_VALUE", (80004, NEVER), 0),
    ("NTILE", (80004, NEVER), 0),
    ("NVL", (NEVER, NEVER), 100303),
    ("NVL2", (NEVER, NEVER), 100303),
    ("PERCENTILE_CONT", (NEVER, NEVER), 100303),
    ("PERCENTILE_DISC", (NEVER, NEVER), 100303),
    ("PERCENT_RANK", (80004, NEVER), 0),
    ("PS_CURRENT_THREAD_ID", (80016, NEVER), NEVER),
    ("PS_THREAD_ID", (80016, NEVER), NEVER),
    ("RANDOM_BYTES", (50700, NEVER), 101000),
    ("RANK", (80004, NEVER), 0),
    ("REGEXP_INSTR", (80004, NEVER), 0),
    ("REGEXP_LIKE", (80004, NEVER), NEVER),
    ("REGEXP_REPLACE", (80004, NEVER), 0),
    ("REGEXP_SUBSTR", (80004, NEVER), 0),
    ("RELEASE_ALL_LOCKS", (50705, NEVER), 100502),
    ("ROW_NUMBER", (80004, NEVER), 0),
    ("SETVAL", (NEVER, NEVER), 100303),
    ("SFORMAT", (NEVER, NEVER), 100700),
    ("SHA", (0, 90600), 0),
    ("SHA1", (0, 90600), 0),
    ("SOURCE_POS_WAIT", (80026, NEVER), NEVER),
    ("STATEMENT_DIGEST", (80004, NEVER), NEVER),
    ("STATEMENT_DIGEST_TEXT", (80004, NEVER), NEVER),
    ("STRING_TO_VECTOR", (90000, NEVER), NEVER),
    ("ST_BUFFER_STRATEGY", (50700, NEVER), NEVER),
    ("ST_COLLECT", (80024, NEVER), NEVER),
    ("ST_DISTANCE_SPHERE", (50700, NEVER), 100509),
    ("ST_FRECHETDISTANCE", (80024, NEVER), NEVER),
    ("ST_GEOHASH", (50700, NEVER), NEVER),
    ("ST_HAUSDORFFDISTANCE", (80024, NEVER), NEVER),
    ("ST_ISVALID", (50700, NEVER), NEVER),
    ("ST_LATFROMGEOHASH", (50700, NEVER), NEVER),
    ("ST_LATITUDE", (80013, NEVER), NEVER),
    ("ST_LINEINTERPOLATEPOINT", (80024, NEVER), NEVER),
    ("ST_LINEINTERPOLATEPOINTS", (80024, NEVER), NEVER),
    ("ST_LONGFROMGEOHASH", (50700, NEVER), NEVER),
    ("ST_LONGITUDE", (80013, NEVER), NEVER),
    ("ST_MAKEENVELOPE", (50700, NEVER), NEVER),
    ("ST_NUMINTERIORRING", (50700, NEVER), NEVER),
    ("ST_POINTATDISTANCE", (80024, NEVER), NEVER),
    ("ST_POINTFROMGEOHASH", (50700, NEVER), NEVER),
    ("ST_SIMPLIFY", (50700, NEVER), NEVER),
    ("ST_SWAPXY", (80013, NEVER), NEVER),
    ("ST_TRANSFORM", (80013, NEVER), NEVER),
    ("ST_VALIDATE", (50700, NEVER), NEVER),
    ("SYS_GUID", (NEVER, NEVER), 100601),
    ("UUID_TO_BIN", (80000, NEVER), NEVER),
    ("UUID_V4", (NEVER, NEVER), 110701),
    ("UUID_V7", (NEVER, NEVER), 110701),
    ("VALIDATE_PASSWORD_STRENGTH", (50700, NEVER), NEVER),
    ("VECTOR_DIM", (90000, NEVER), NEVER),
    ("VECTOR_TO_STRING", (90000, NEVER), NEVER),
    ("VEC_DISTANCE", (NEVER, NEVER), 110701),
    ("VEC_DISTANCE_COSINE", (NEVER, NEVER), 110701),
    ("VEC_DISTANCE_EUCLIDEAN", (NEVER, NEVER), 110701),
    ("VEC_FROMTEXT", (NEVER, NEVER), 110701),
    ("VEC_TOTEXT", (NEVER, NEVER), 110701),
    ("WAIT_FOR_EXECUTED_GTID_SET", (50700, NEVER), NEVER),
    ("WAIT_UNTIL_SQL_THREAD_AFTER_GTIDS", (50700, 80400), NEVER),
];

#[rustfmt::skip]
static ANOTHER_BEHIND_SPACE: &[&str] = &[
    "ADDDATE", "BIT_AND", "BIT_OR", "BIT_XOR", "CAST", "COUNT", "CUME_DIST", "CURDATE", "CURTIME", "DATE_ADD",
    "DATE_SUB", "DENSE_RANK", "EXTRACT", "FIRST_VALUE", "GROUP_CONCAT", "JSON_ARRAYAGG", "JSON_OBJECTAGG",
    "JSON_TABLE", "LAG", "LEAD", "MAX", "MEDIAN", "MID", "MIN", "NOW", "NTH_VALUE", "NTILE", "PERCENTILE_CONT",
    "PERCENTILE_DISC", "PERCENT_RANK", "POSITION", "RANK", "SESSION_USER", "STD", "STDDEV", "STDDEV_POP",
    "STDDEV_SAMP", "ST_COLLECT", "SUBDATE", "SUBSTR", "SUBSTRING", "SUM", "SYSDATE", "SYSTEM_USER", "TRIM",
    "VARIANCE", "VAR_POP", "VAR_SAMP",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_sorted_and_no_name_stands_in_two() {
        let tables = [KEYWORDS, PURE, MOMENT, VARYING, SIDE_EFFECTS];
        assert!(tables.iter().all(|table| table.is_sorted()));
        let mut all = tables.concat();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.iter().all(|name| name.len() <= LONGEST && *name == name.to_ascii_uppercase()));
        assert!(NOT_EVERYWHERE.is_sorted() && ANOTHER_BEHIND_SPACE.is_sorted());
        assert!(NOT_EVERYWHERE.iter().all(|entry| names().any(|name| name == entry.0)));
        assert!(ANOTHER_BEHIND_SPACE.iter().all(|space| names().any(|name| name == *space)));
    }

    #[test]
    fn the_other_familys_functions_and_those_of_later_versions_are_unknown() {
        use Server::{MariaDb, MySql};
        for (name, knows, does_not) in [
            ("uuid_to_bin", MySql(80036), MariaDb(110800)),
            ("UUID_TO_BIN", MySql(80000), MySql(50744)),
            ("natural_sort_key", MariaDb(101106), MySql(90700)),
            ("json_overlaps", MariaDb(101106), MariaDb(100600)),
            ("md5", MySql(80036), MySql(90600)),
            ("nextval", MariaDb(100600), MySql(80036)),
            ("sys_guid", MariaDb(101106), MySql(80036)),
            ("rank", MySql(80036), MySql(50744)),
        ] {
            assert_ne!(lookup(name.as_bytes(), knows), Function::Unknown, "{name}");
            for server in [does_not, Server::Unknown] {
                assert_eq!(lookup(name.as_bytes(), server), Function::Unknown, "{name}");
            }
        }
    }

    #[test]
    fn names_are_found_in_any_case_and_long_ones_are_unknown() {
        assert_eq!(lookup(b"ConCat", Server::Unknown), Function::Pure);
        assert_eq!(lookup(b"now", Server::Unknown), Function::Moment);
        assert_eq!(lookup(b"sleep", Server::Unknown), Function::Varying);
        assert_eq!(lookup(b"Get_Lock", Server::Unknown), Function::GetLock);
        assert_eq!(lookup(b"transfer_money", Server::Unknown), Function::Unknown);
        assert_eq!(lookup(&[b'A'; 500], Server::Unknown), Function::Unknown);
        assert_eq!(lookup(b"", Server::Unknown), Function::Unknown);
    }
}
