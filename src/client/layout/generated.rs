//! The generated id in the rows of INSERT … RETURNING, of which neither library tells otherwise.

use super::{
    native::{ActiveStatement, Native},
    statements::on_statement,
    sys::*,
};

/// A column that the server generates values for (MySQL manual, C API, `MYSQL_FIELD`).
const AUTO_INCREMENT_FLAG: u32 = 512;

impl Native {
    /// What the first row of a result just stored has in a generated column; 0 if there is no such column.
    pub fn generated_id(&self, result: *mut MYSQL_RES) -> u64 {
        let Some((at, _)) = self.generated_column(result) else { return 0 };
        let mut id = None;
        self.each_row(result, |row| {
            id.get_or_insert_with(|| row.get(at).copied().flatten().and_then(number).unwrap_or(0));
        });
        id.unwrap_or(0)
    }

    /// What the first stored row of the statement has in a generated column; 0 if there is no such column.
    pub fn generated_id_of_statement(&self, statement: ActiveStatement) -> u64 {
        let statement = statement.pointer();
        let told = on_statement!(self.mysql_stmt_result_metadata(statement));
        if told.is_null() {
            return 0;
        }
        let column = self.generated_column(told);
        // SAFETY: just made, and freed once; the numbers in `column` are copies.
        unsafe { (self.api().mysql_free_result)(told) };
        let Some((at, kinds)) = column else { return 0 };
        let row = on_statement!(self.mysql_stmt_row_tell(statement));
        if row.is_null() {
            return 0;
        }
        // SAFETY: a stored row with so many bytes (libmysqlclient leaves out the first, and counts it all the same).
        let bytes = unsafe {
            let left_out = usize::from(self.api().mariadb_reconnect.is_none());
            std::slice::from_raw_parts((*row).data, ((*row).length as usize).saturating_sub(left_out))
        };
        let row = if self.api().mariadb_reconnect.is_some() { bytes.get(1..).unwrap_or_default() } else { bytes };
        value_of(row, &kinds, at).unwrap_or(0)
    }

    /// Which column of the result is generated, and the types of all columns.
    fn generated_column(&self, result: *mut MYSQL_RES) -> Option<(usize, Vec<i32>)> {
        let api = self.api();
        // SAFETY: a valid result; it has as many columns as it says.
        let columns = unsafe {
            let columns = (api.mysql_fetch_fields)(result);
            if columns.is_null() {
                return None;
            }
            std::slice::from_raw_parts(columns, (api.mysql_num_fields)(result) as usize)
        };
        let at = columns.iter().position(|column| column.flags & AUTO_INCREMENT_FLAG != 0)?;
        Some((at, columns.iter().map(|column| column.kind).collect()))
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The number in the column `at` of a binary row (MySQL source documentation, "Binary Protocol Resultset Row"), without the
/// row's first byte: a map of NULLs, two bits of which stand for no column, then the values that are not NULL.
fn value_of(row: &[u8], kinds: &[i32], at: usize) -> Option<u64> {
    let (nulls, mut values) = row.split_at_checked((kinds.len() + 9) / 8)?;
    let is_null = |column: usize| nulls[(column + 2) / 8] & 1 << ((column + 2) % 8) != 0;
    for (column, kind) in kinds.iter().enumerate().take(at + 1) {
        if is_null(column) {
            continue;
        }
        let length = match *kind {
            kind::TINY => 1,
            kind::SHORT | kind::YEAR => 2,
            kind::LONG | kind::INT24 | kind::FLOAT => 4,
            kind::LONGLONG | kind::DOUBLE => 8,
            kind::DATE | kind::TIME | kind::DATETIME | kind::TIMESTAMP => 1 + usize::from(*values.first()?),
            _ => length_of_text(values)?,
        };
        let (value, rest) = values.split_at_checked(length)?;
        if column == at {
            let mut bytes = [0; 8];
            let whole = matches!(*kind, kind::TINY | kind::SHORT | kind::LONG | kind::INT24 | kind::LONGLONG);
            bytes.get_mut(..length).filter(|_| whole)?.copy_from_slice(value);
            return Some(u64::from_le_bytes(bytes));
        }
        values = rest;
    }
    None
}

/// The bytes of a text that has its length before it.
fn length_of_text(values: &[u8]) -> Option<usize> {
    let number = |bytes: usize| {
        let mut length = [0; 8];
        length[..bytes].copy_from_slice(values.get(1..=bytes)?);
        usize::try_from(u64::from_le_bytes(length)).ok()?.checked_add(1 + bytes)
    };
    match *values.first()? {
        252 => number(2),
        253 => number(3),
        254 => number(8),
        short => Some(1 + usize::from(short)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: i32 = 253;

    #[test]
    fn the_number_is_found_behind_columns_of_every_length_and_behind_nulls() {
        // Two columns are NULL: the second and the tenth.
        let kinds =
            [TEXT, TEXT, kind::LONG, kind::DATETIME, kind::TINY, kind::DOUBLE, TEXT, kind::YEAR, TEXT, kind::DATE];
        let kinds: Vec<i32> = kinds.into_iter().chain([kind::LONGLONG]).collect();
        let mut row = vec![0b0000_1000, 0b0000_1000];
        row.extend([2, b'a', b'b']);
        row.extend([1, 0, 0, 0]);
        row.extend([4, 0, 0, 0, 0]);
        row.extend([7]);
        row.extend([0; 8]);
        row.extend([252, 3, 0, b'x', b'y', b'z']);
        row.extend([0, 0]);
        row.extend([0]);
        row.extend(258u64.to_le_bytes());
        assert_eq!(value_of(&row, &kinds, 10), Some(258));
        assert_eq!(value_of(&row, &kinds, 4), Some(7));
        assert_eq!(value_of(&row, &kinds, 0), None, "no number");
        for short in 0..row.len() {
            assert_eq!(value_of(&row[..short], &kinds, 10), None);
        }
    }
}
