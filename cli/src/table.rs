//! A plain-text table: the first column to the left, numbers to the right.

/// Rows of cells under a heading, columns as wide as their widest cell.
pub fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let heading = heading.map(str::to_owned);
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().chain([&heading]).map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    });
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned() + "\n"
    };
    let rule = widths.map(|width| "─".repeat(width)).join("───") + "\n";
    line(&heading) + &rule + &rows.iter().map(line).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_left_and_numbers_right_in_columns_as_wide_as_their_widest_cell() {
        let rows = [["failed", "412", "0"], ["worst stall", "1.25 s", "480 ms"]].map(|row| row.map(str::to_owned));
        let expected = [
            "                bare   protected",
            "────────────────────────────────",
            "failed           412           0",
            "worst stall   1.25 s      480 ms",
        ];
        assert_eq!(table(["", "bare", "protected"], &rows).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_table_without_rows_is_its_heading() {
        assert_eq!(table(["a", "b"], &[]), "a   b\n─────\n");
    }
}
