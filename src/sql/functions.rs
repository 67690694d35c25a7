//! What the built-in functions do: a table, since a statement that calls one of them may be as harmless as a
//! plain SELECT, and one that calls anything else may do whatever its author thought of.
//!
//! It knows names only. How the lexer finds that a name is being called is the business of `facts`.

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
    GetLock,
    SideEffect,
    /// A stored or loaded function, or one that we never heard of.
    Unknown,
}

/// Longer names are in no table.
const LONGEST: usize = 40;

/// Looks the name up, in any case of letters.
pub(super) fn lookup(name: &[u8]) -> Function {
    let mut buffer = [0; LONGEST];
    let Some(upper) = buffer.get_mut(..name.len()) else { return Function::Unknown };
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    let found = |table: &[&str]| table.binary_search_by(|entry| entry.as_bytes().cmp(upper)).is_ok();
    match &*upper {
        _ if found(KEYWORDS) => Function::Keyword,
        _ if found(PURE) => Function::Pure,
        _ if found(MOMENT) => Function::Moment,
        _ if found(VARYING) => Function::Varying,
        b"ROW_COUNT" | b"FOUND_ROWS" => Function::Previous,
        b"LAST_INSERT_ID" => Function::LastInsertId,
        b"GET_LOCK" => Function::GetLock,
        _ if found(SIDE_EFFECTS) => Function::SideEffect,
        _ => Function::Unknown,
    }
}

/// Keywords of every server alive: none of them can name a stored function without quotes or a qualifier.
#[rustfmt::skip]
static KEYWORDS: &[&str] = &[
    "AGAINST", "ALL", "AND", "ANY", "AS", "BETWEEN", "BIGINT", "BINARY", "BIT", "BLOB", "BY", "CASE", "CHARACTER",
    "CHECK", "COLUMNS", "CROSS", "DATETIME", "DEC", "DECIMAL", "DISTINCT", "DISTINCTROW", "DIV", "DOUBLE", "ELSE",
    "ENUM", "ESCAPE", "EXISTS", "FIXED", "FLOAT", "FOR", "FORCE", "FROM", "GROUP", "HAVING", "IGNORE", "IN",
    "INDEX", "INNER", "INT", "INTEGER", "INTO", "IS", "JOIN", "KEY", "LIKE", "LIMIT", "MATCH", "MEDIUMINT",
    "NATIONAL", "NCHAR", "NOT", "NUMERIC", "NVARCHAR", "ON", "OR", "PARTITION", "REAL", "REGEXP", "RLIKE",
    "SELECT", "SET", "SIGNED", "SMALLINT", "SOME", "STRAIGHT_JOIN", "TEXT", "THEN", "TINYINT", "UNION", "UNIQUE",
    "UNSIGNED", "USE", "USING", "VALUE", "VALUES", "VARBINARY", "VARCHAR", "WHEN", "WHERE", "WITH", "XOR",
];

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
    }

    #[test]
    fn names_are_found_in_any_case_and_long_ones_are_unknown() {
        assert_eq!(lookup(b"ConCat"), Function::Pure);
        assert_eq!(lookup(b"now"), Function::Moment);
        assert_eq!(lookup(b"sleep"), Function::Varying);
        assert_eq!(lookup(b"Get_Lock"), Function::GetLock);
        assert_eq!(lookup(b"transfer_money"), Function::Unknown);
        assert_eq!(lookup(&[b'A'; 500]), Function::Unknown);
        assert_eq!(lookup(b""), Function::Unknown);
    }
}
