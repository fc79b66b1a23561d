//! Tables and histograms as text.

/// Columns under their names, numbers to the right.
pub(crate) struct Table {
    widths: Vec<usize>,
    numeric: Vec<bool>,
}

impl Table {
    /// The head line, and the table that rows are laid out by; widths grow with the first row.
    pub fn new(names: &[&str], first: &[String], numeric: &[bool]) -> (Table, String) {
        let widths: Vec<usize> = names
            .iter()
            .enumerate()
            .map(|(i, n)| {
                let least = if numeric.get(i).copied().unwrap_or(false) { 7 } else { 12 };
                n.chars().count().max(first.get(i).map_or(0, |s| s.chars().count())).max(least)
            })
            .collect();
        let table = Table { widths, numeric: numeric.to_vec() };
        let upper: Vec<String> = names.iter().map(|n| n.to_uppercase()).collect();
        let head = table.row(&upper);
        (table, head)
    }

    /// One line.
    pub fn row(&self, cells: &[String]) -> String {
        let mut out = String::new();
        for (i, cell) in cells.iter().enumerate() {
            let width = self.widths.get(i).copied().unwrap_or(0);
            let numeric = self.numeric.get(i).copied().unwrap_or(false);
            if i > 0 {
                out.push_str("  ");
            }
            if numeric {
                out.push_str(&format!("{cell:>width$}"));
            } else {
                out.push_str(&format!("{cell:<width$}"));
            }
        }
        out.trim_end().to_string()
    }
}

/// Width of the longest bar.
const BAR: usize = 40;

/// Counts per power of two as text bars. Slot `n` counts values from 2ⁿ to 2ⁿ⁺¹ − 1; slot 0 also counts 0.
pub(crate) fn histogram(slots: &[u64], unit: &str) -> String {
    let Some(last) = slots.iter().rposition(|n| *n > 0) else { return format!("no values ({unit})\n") };
    let first = slots.iter().position(|n| *n > 0).unwrap_or(0);
    let most = slots.iter().copied().max().unwrap_or(1).max(1);
    let mut out = format!("{:>25}  {:>10}\n", unit, "count");
    for (n, count) in slots.iter().enumerate().take(last + 1).skip(first) {
        let from = if n == 0 { 0 } else { 1u128 << n };
        let to = (1u128 << (n + 1)) - 1;
        let len = (u128::from(*count) * BAR as u128 / u128::from(most)) as usize;
        let bar = "█".repeat(len);
        out.push_str(&format!("{from:>11} … {to:<11}  {count:>10}  {bar}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_line_up() {
        let first = ["7".to_string(), "sh".to_string()];
        let (table, head) = Table::new(&["pid", "comm"], &first, &[true, false]);
        assert_eq!(head, "    PID  COMM");
        assert_eq!(table.row(&first), "      7  sh");
    }

    #[test]
    fn bars_are_as_long_as_counts() {
        let text = histogram(&[0, 1, 2, 0, 0], "µs");
        let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
        let (half, whole) = ("█".repeat(BAR / 2), "█".repeat(BAR));
        assert_eq!(lines, [vec!["µs", "count"], vec!["2", "…", "3", "1", &half], vec!["4", "…", "7", "2", &whole]]);
        assert_eq!(histogram(&[0, 0], "ns"), "no values (ns)\n");
    }
}
