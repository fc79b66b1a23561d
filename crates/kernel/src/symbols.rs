//! Names and addresses of the kernel's symbols (`/proc/kallsyms`).

use rustc_hash::FxHashMap;

/// The kernel's symbols.
#[derive(Debug, Default)]
pub struct Symbols {
    by_name: FxHashMap<Box<str>, u64>,
    /// Addresses with names, ascending; empty where the kernel hides addresses.
    sorted: Vec<(u64, Box<str>)>,
}

impl Symbols {
    /// Reads the text of `/proc/kallsyms`: `ADDRESS TYPE NAME [MODULE]` a line.
    pub fn parse(text: &str) -> Symbols {
        let mut s = Symbols::default();
        for line in text.lines() {
            let mut parts = line.split_ascii_whitespace();
            let (Some(address), Some(_), Some(name)) = (parts.next(), parts.next(), parts.next()) else { continue };
            let Ok(address) = u64::from_str_radix(address, 16) else { continue };
            if address != 0 {
                s.sorted.push((address, name.into()));
            }
            s.by_name.entry(name.into()).or_insert(address);
        }
        s.sorted.sort();
        s
    }

    /// The address of a symbol: 0 where the kernel hides it (needs CAP_SYSLOG), `None` where there is no such symbol.
    pub fn address(&self, name: &str) -> Option<u64> {
        self.by_name.get(name).copied()
    }

    /// Whether addresses are shown.
    pub fn has_addresses(&self) -> bool {
        !self.sorted.is_empty()
    }

    /// The symbol at or below an address, and how far into it the address is.
    pub fn at(&self, address: u64) -> Option<(&str, u64)> {
        let i = self.sorted.partition_point(|(a, _)| *a <= address).checked_sub(1)?;
        let (start, name) = &self.sorted[i];
        Some((name, address - start))
    }

    /// All names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(|n| &**n)
    }
}

/// The names nearest to one that is not there, best first, at most `max`: what was meant?
pub fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>, max: usize) -> Vec<&'a str> {
    let limit = (wanted.len() / 3).clamp(1, 4);
    let mut found: Vec<(usize, &str)> = names
        .filter_map(|n| {
            // The compiler's clones (`f.isra.0`, `f.constprop.0`) are what a lost name has become.
            if n.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.')) {
                return Some((0, n));
            }
            let d = distance(wanted.as_bytes(), n.as_bytes(), limit)?;
            Some((d, n))
        })
        .collect();
    found.sort();
    found.dedup();
    found.into_iter().take(max).map(|(_, n)| n).collect()
}

/// Whether a name fits a pattern of `*` (any letters) and `?` (one letter).
pub fn matches_glob(pattern: &str, name: &str) -> bool {
    let (p, n) = (pattern.as_bytes(), name.as_bytes());
    let (mut i, mut j) = (0, 0);
    // Where to go on if the letters taken by the last `*` were too few.
    let mut retry = None;
    while j < n.len() {
        match p.get(i) {
            Some(b'*') => {
                retry = Some((i, j));
                i += 1;
            }
            Some(c) if *c == b'?' || *c == n[j] => (i, j) = (i + 1, j + 1),
            _ => match retry {
                Some((star, taken)) => {
                    retry = Some((star, taken + 1));
                    (i, j) = (star + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    p.get(i..).unwrap_or_default().iter().all(|c| *c == b'*')
}

/// Edit distance, if it is at most `limit`.
fn distance(a: &[u8], b: &[u8], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit || a.len() > 255 {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        let mut best = row[0];
        for (j, y) in b.iter().enumerate() {
            let cost = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = cost;
            best = best.min(cost);
        }
        if best > limit {
            return None;
        }
    }
    row.last().copied().filter(|d| *d <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_by_name_and_address() {
        let s = Symbols::parse("ffff0010 T do_exit\nffff0000 t start [mod]\nbad line\n0 d hidden\n");
        assert_eq!(s.address("do_exit"), Some(0xffff_0010));
        assert_eq!(s.address("hidden"), Some(0));
        assert_eq!(s.address("none"), None);
        assert_eq!(s.at(0xffff_0014), Some(("do_exit", 4)));
        assert_eq!(s.at(1), None);
    }

    #[test]
    fn globs() {
        for (pattern, name, want) in [
            ("vfs_*", "vfs_read", true),
            ("vfs_*", "vf_read", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("*_r?ad*", "vfs_read_iter", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?", "", false),
        ] {
            assert_eq!(matches_glob(pattern, name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn what_was_meant() {
        let names = ["do_sys_openat2", "do_sys_open", "vfs_read", "vfs_write", "vfs_read.isra.0"];
        assert_eq!(nearest("do_sys_opnat2", names.into_iter(), 3), ["do_sys_openat2", "do_sys_open"]);
        assert_eq!(nearest("vfs_red", names.into_iter(), 3), ["vfs_read"]);
        assert_eq!(nearest("vfs_read", names.into_iter(), 1), ["vfs_read"]);
        assert_eq!(nearest("", names.into_iter(), 3), Vec::<&str>::new());
    }
}
