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

/// What the slots of a histogram count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scale {
    /// Slot `n` values from 2ⁿ to 2ⁿ⁺¹ − 1; slot 0 also 0.
    PowersOfTwo,
    /// Steps of a size; the first slot what is below, the last what is not below `high`.
    Steps {
        /// Where the second slot begins.
        low: i128,
        /// Where the last one begins.
        high: i128,
        /// How much each holds.
        step: i128,
    },
}

impl Scale {
    /// The slot of what is not below the highest, for a scale of steps.
    fn top(self) -> Option<usize> {
        let Scale::Steps { low, high, step } = self else { return None };
        usize::try_from((high - low + step - 1) / step + 1).ok()
    }

    /// The least and greatest value of a slot, as text.
    fn range(self, n: usize, last: usize) -> (String, String) {
        match self {
            Scale::PowersOfTwo => {
                let from = if n == 0 { 0 } else { 1u128 << n.min(100) };
                (from.to_string(), ((1u128 << (n + 1).min(100)) - 1).to_string())
            }
            Scale::Steps { low, .. } if n == 0 => (String::new(), (low - 1).to_string()),
            Scale::Steps { low, high, step } if n == last => {
                // A map with fewer slots counts all above in its last.
                let from = low + (n as i128 - 1) * step;
                (from.min(high).to_string(), String::new())
            }
            Scale::Steps { low, high, step } => {
                let from = low + (n as i128 - 1) * step;
                (from.to_string(), (from + step - 1).min(high - 1).to_string())
            }
        }
    }
}

/// What counts are too many for the slots of a scale: they were not made by it.
pub(crate) fn other_scale(slots: &[u64], scale: Scale) -> Option<usize> {
    let top = scale.top()?;
    slots.iter().rposition(|n| *n > 0).filter(|last| *last > top)
}

/// Counts as text bars.
pub(crate) fn histogram(slots: &[u64], scale: Scale, unit: &str) -> String {
    let Some(last) = slots.iter().rposition(|n| *n > 0) else { return format!("no values ({unit})\n") };
    let first = slots.iter().position(|n| *n > 0).unwrap_or(0);
    let most = slots.iter().copied().max().unwrap_or(1).max(1);
    let mut out = format!("{:>25}  {:>10}\n", unit, "count");
    for (n, count) in slots.iter().enumerate().take(last + 1).skip(first) {
        let (from, to) = scale.range(n, scale.top().map_or(usize::MAX, |top| top.min(slots.len() - 1)));
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
    fn steps_have_ends() {
        let text = histogram(&[1, 0, 1, 1], Scale::Steps { low: 10, high: 25, step: 10 }, "ms");
        let ranges: Vec<&str> = text.lines().skip(1).map(|l| l[..26].trim()).collect();
        assert_eq!(ranges, ["… 9", "10 … 19", "20 … 24", "25 …"]);
    }

    #[test]
    fn no_row_ends_before_it_begins() {
        let scale = Scale::Steps { low: 0, high: 40, step: 10 };
        let of = |slots: &[u64]| {
            let text = histogram(slots, scale, "ms");
            text.lines().skip(1).map(|l| l[..26].trim().to_string()).collect::<Vec<_>>()
        };
        // A map with more slots than the steps need, and one with fewer.
        assert_eq!(of(&[0, 1, 0, 0, 0, 1, 0, 0]), ["0 … 9", "10 … 19", "20 … 29", "30 … 39", "40 …"]);
        assert_eq!(of(&[0, 0, 1, 1]), ["10 … 19", "20 …"]);
        assert_eq!(other_scale(&[0, 1, 0, 0, 0, 1, 0, 0], scale), None);
        assert_eq!(other_scale(&[0, 1, 0, 0, 0, 1, 0, 1], scale), Some(7));
    }

    #[test]
    fn bars_are_as_long_as_counts() {
        let text = histogram(&[0, 1, 2, 0, 0], Scale::PowersOfTwo, "µs");
        let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
        let (half, whole) = ("█".repeat(BAR / 2), "█".repeat(BAR));
        assert_eq!(lines, [vec!["µs", "count"], vec!["2", "…", "3", "1", &half], vec!["4", "…", "7", "2", &whole]]);
        assert_eq!(histogram(&[0, 0], Scale::PowersOfTwo, "ns"), "no values (ns)\n");
    }
}
