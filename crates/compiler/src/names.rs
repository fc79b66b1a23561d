//! Names of kernel things. Invariant: a name is found exactly as written, else without
//! regard to case and to `-`/`_` when that is unambiguous.

use rustc_hash::FxHashMap;
use whistler_lisp::{Package, Symbol};

/// The symbol under which all spellings of a kernel name meet: lower case, `-` for `_`, no package.
pub fn norm(symbol: Symbol) -> Symbol {
    match symbol.package_kind() {
        Package::Uninterned => return symbol,
        Package::None => {}
        Package::Keyword | Package::Cl | Package::Bpf => return norm(Symbol::intern(symbol.name())),
    }
    let name = symbol.name();
    if name.bytes().any(|b| b == b'_' || b.is_ascii_uppercase()) { Symbol::intern(&norm_str(name)) } else { symbol }
}

/// The spelling that all spellings of a kernel name share.
pub fn norm_str(name: &str) -> String {
    name.chars().map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// The name of a thing of the user's in objects, where linkers, the kernel and other tools see it: lower case, `_` for
/// what is no letter, and of letters beyond ASCII their code points, so that different names stay different.
pub fn symbol_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => out.push(c.to_ascii_lowercase()),
            c if c.is_ascii() => out.push('_'),
            c => out.push_str(&format!("u{:04x}", u32::from(c))),
        }
    }
    out
}

/// A table of declared things by name.
#[derive(Clone, Debug)]
pub struct Names<T> {
    exact: FxHashMap<Symbol, T>,
    /// Spellings that differ only in case and `-`/`_`; `None` when there are several.
    folded: FxHashMap<Symbol, Option<Symbol>>,
}

impl<T> Default for Names<T> {
    fn default() -> Names<T> {
        Names { exact: FxHashMap::default(), folded: FxHashMap::default() }
    }
}

impl<T> Names<T> {
    /// What the name stands for.
    pub fn get(&self, name: Symbol) -> Option<&T> {
        if self.exact.is_empty() {
            return None;
        }
        if let Some(t) = self.exact.get(&name) {
            return Some(t);
        }
        let only = (*self.folded.get(&norm(name))?)?;
        self.exact.get(&only)
    }

    /// The spelling under which `name` is declared.
    pub fn spelled(&self, name: Symbol) -> Option<Symbol> {
        if self.exact.contains_key(&name) {
            return Some(name);
        }
        *self.folded.get(&norm(name))?
    }

    /// Declares or redefines.
    pub fn insert(&mut self, name: Symbol, thing: T) {
        if self.exact.insert(name, thing).is_none() {
            self.folded.entry(norm(name)).and_modify(|n| *n = None).or_insert(Some(name));
        }
    }

    /// Takes a name out.
    pub fn remove(&mut self, name: Symbol) -> Option<T> {
        let thing = self.exact.remove(&name)?;
        let key = norm(name);
        let mut rest = self.exact.keys().copied().filter(|n| norm(*n) == key);
        match (rest.next(), rest.next()) {
            (None, _) => drop(self.folded.remove(&key)),
            (Some(only), None) => drop(self.folded.insert(key, Some(only))),
            (Some(_), Some(_)) => {}
        }
        Some(thing)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = Symbol> + '_ {
        self.exact.keys().copied()
    }

    /// All things.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.exact.values()
    }
}

/// A name that was found, with `-` and `_` as in the name that was written. Names in capitals stay as they are.
pub fn spelled_like(written: &str, found: &str) -> String {
    if found.bytes().any(|b| b.is_ascii_uppercase()) {
        return found.to_string();
    }
    match (written.contains('-'), written.contains('_')) {
        (false, true) => found.replace('-', "_"),
        _ => found.replace('_', "-"),
    }
}

/// What C's headers and other tools call words of our names.
const WORDS: &[(&str, &str)] = &[
    ("dport", "dst-port"),
    ("sport", "src-port"),
    ("daddr", "dst-addr"),
    ("saddr", "src-addr"),
    ("dest", "dst"),
    ("source", "src"),
    ("address", "addr"),
    ("proto", "protocol"),
    ("ip", "ipv4"),
    ("ip4", "ipv4"),
    ("ip6", "ipv6"),
    ("dst", "dst-addr"),
    ("src", "src-addr"),
    ("len", "length"),
    ("pid", "pid-tgid"),
    ("uid", "uid-gid"),
];

/// The words of a name in the order of the alphabet: the same for names that differ in the order of their words.
fn words_sorted(name: &str) -> Vec<&str> {
    let mut words: Vec<&str> = name.split('-').collect();
    words.sort_unstable();
    words
}

/// Whether a name is a longer one in the words of C: each of its words is the other's, or stands for some of them.
fn is_written_out(short: &str, long: &str) -> bool {
    let Some((word, rest)) = short.split_once('-').or((!short.is_empty()).then_some((short, ""))) else {
        return long.is_empty();
    };
    let goes_on = |as_written: &str| {
        let behind = long.strip_prefix(as_written);
        let behind = behind.and_then(|b| if b.is_empty() { Some(b) } else { b.strip_prefix('-') });
        behind.is_some_and(|b| is_written_out(rest, b))
    };
    goes_on(word) || WORDS.iter().any(|(theirs, ours)| *theirs == word && goes_on(ours))
}

/// The candidate nearest to `wanted`, if one is near enough to be what was meant.
pub fn nearest<'a>(wanted: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = norm_str(wanted);
    let in_order = words_sorted(&wanted);
    let mut by_words: Option<&str> = None;
    let limit = (wanted.chars().count() / 3).clamp(1, 4);
    let bare = wanted.trim_matches('-');
    let mut by_edits: Option<(usize, &str)> = None;
    let mut by_part: Option<(usize, &str)> = None;
    for c in candidates {
        let name = norm_str(c);
        // The kernel marks what is renamed or internal by underscores in front.
        if name != wanted && !bare.is_empty() && name.trim_matches('-') == bare {
            return Some(c);
        }
        if name != wanted
            && (is_written_out(&wanted, &name) || (in_order.len() > 1 && words_sorted(&name) == in_order))
            && by_words.is_none_or(|best| c < best)
        {
            by_words = Some(c);
        }
        if name.len().abs_diff(wanted.len()) <= limit {
            let d = distance(&wanted, &name);
            if d <= limit && by_edits.is_none_or(|best| (d, c) < best) {
                by_edits = Some((d, c));
            }
        } else if is_part(&wanted, &name) || is_part(&name, &wanted) || leaves_words_out(&wanted, &name) {
            let d = name.len().abs_diff(wanted.len());
            if by_part.is_none_or(|best| (d, c) < best) {
                by_part = Some((d, c));
            }
        }
    }
    // A single edit is likelier than words of another language.
    let slip = by_edits.filter(|(d, _)| *d == 1).map(|(_, c)| c);
    slip.or(by_words).or(by_edits.or(by_part).map(|(_, c)| c))
}

/// Whether a name is the beginning of a longer one, or one or several of its words.
fn is_part(short: &str, long: &str) -> bool {
    const LEAST: usize = 4;
    short.len() >= LEAST
        && short.len() < long.len()
        && (long.starts_with(short)
            || long.match_indices(short).any(|(i, _)| {
                let end = i + short.len();
                long[..i].ends_with('-') && (end == long.len() || long[end..].starts_with('-'))
            }))
}

/// Whether a name of several words is a longer one without one or two of its words.
fn leaves_words_out(short: &str, long: &str) -> bool {
    let wanted: Vec<&str> = short.split('-').collect();
    let mut rest = long.split('-');
    wanted.len() > 1
        && long.split('-').count() <= wanted.len() + 2
        && wanted.iter().all(|w| rest.any(|word| word == *w))
}

/// Edits (insert, delete, replace, swap of neighbours) between two names.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            next[j] = (row[j] + 1).min(next[j - 1] + 1).min(row[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_unless_ambiguous() {
        let mut n = Names::default();
        n.insert(Symbol::intern("Task_Struct"), 1);
        assert_eq!(n.get(Symbol::intern("task-struct")), Some(&1));
        n.insert(Symbol::intern("task_struct"), 2);
        assert_eq!(n.get(Symbol::intern("task-struct")), None);
        assert_eq!(n.get(Symbol::intern("task_struct")), Some(&2));
        n.remove(Symbol::intern("Task_Struct"));
        assert_eq!(n.get(Symbol::intern("TASK-STRUCT")), Some(&2));
    }

    #[test]
    fn names_in_objects_are_distinct() {
        assert_eq!(symbol_name("Drop-count"), "drop_count");
        assert_eq!(symbol_name("größe"), "gru00f6u00dfe");
        assert_ne!(symbol_name("пакет"), symbol_name("ответ"));
    }

    #[test]
    fn near_names() {
        let known = ["map-lookup", "map-update", "ktime-get-ns"];
        assert_eq!(nearest("map-lokup", known.into_iter()), Some("map-lookup"));
        assert_eq!(nearest("ktime_get_sn", known.into_iter()), Some("ktime-get-ns"));
        assert_eq!(nearest("zebra", known.into_iter()), None);
        let types = ["hash", "lru-hash", "array", "percpu-array"];
        assert_eq!(nearest("hashmap", types.into_iter()), Some("hash"));
        assert_eq!(nearest("ifindex", ["ingress_ifindex", "data"].into_iter()), Some("ingress_ifindex"));
        assert_eq!(nearest("per", types.into_iter()), None);
        let helpers = ["get-current-pid-tgid", "get-ns-current-pid-tgid", "get-current-task"];
        assert_eq!(nearest("get-pid-tgid", helpers.into_iter()), Some("get-current-pid-tgid"));
        assert_eq!(nearest("get-current-tgid-pid", helpers.into_iter()), Some("get-current-pid-tgid"));
        let headers = ["tcp-doff", "tcp-dst-port", "udp-dst-port", "udp-src-port", "ipv4-src-addr", "ipv4-dst-addr"];
        assert_eq!(nearest("tcp-dport", headers.into_iter()), Some("tcp-dst-port"));
        assert_eq!(nearest("udp_sport", headers.into_iter()), Some("udp-src-port"));
        assert_eq!(nearest("ip-saddr", headers.into_iter()), Some("ipv4-src-addr"));
        assert_eq!(nearest("ipv4-dst", headers.into_iter()), Some("ipv4-dst-addr"));
        assert_eq!(nearest("state", ["stats", "__state", "rstate"].into_iter()), Some("__state"));
    }
}
