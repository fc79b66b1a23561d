//! What random programs were made of: how many of them had each form, map type, way to loop and template. Invariant:
//! what never occurs stands in the report, too, unless `not-random.txt` says why it can't.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use whistler_isa::{LoopWay, MapType, Target};

use crate::ast::{Hook, Linkage, Program};
use crate::templates::templates;

/// Forms and map types that no random program has, and why: a name and a reason on each line.
pub fn not_random() -> BTreeMap<&'static str, &'static str> {
    let lines = include_str!("not-random.txt").lines().filter(|l| !l.starts_with(';') && !l.trim().is_empty());
    lines.map(|l| l.split_once(' ').unwrap_or((l, ""))).map(|(name, why)| (name, why.trim())).collect()
}

/// Counts of programs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coverage {
    programs: u64,
    /// Compilations that met a limit which is fair to meet.
    pub(crate) excused: u64,
    /// Compilations by default that were too much for the verifier or the reference: which, and what was said. Each is
    /// a shortfall.
    pub limits: Vec<String>,
    /// By form.
    forms: BTreeMap<&'static str, u64>,
    /// By the keyword of a map's type.
    maps: BTreeMap<&'static str, u64>,
    /// What else a program can be.
    kinds: BTreeMap<&'static str, u64>,
    /// Compilations by way to loop.
    ways: BTreeMap<&'static str, u64>,
    templates: BTreeMap<&'static str, u64>,
}

impl Default for Coverage {
    fn default() -> Coverage {
        let kinds = ["xdp", "tc", "newest instruction set", "long loops", "subprogram", "global subprogram"];
        let all = templates();
        let lines = all.exprs.iter().chain(&all.stmts).map(|t| (t.line.as_str(), 0));
        Coverage {
            programs: 0,
            excused: 0,
            limits: Vec::new(),
            forms: whistler_compiler::forms::names().map(|n| (n, 0)).collect(),
            maps: MapType::ALL.iter().map(|t| (t.keyword(), 0)).collect(),
            kinds: kinds.into_iter().map(|k| (k, 0)).collect(),
            ways: LoopWay::NAMES.iter().map(|(name, _)| (*name, 0)).collect(),
            templates: lines.collect(),
        }
    }
}

/// The heads of the lists in a text.
fn heads(text: &str) -> BTreeSet<&str> {
    let starts = text.match_indices('(').map(|(i, _)| &text[i + 1..]);
    starts.filter_map(|s| s.split([' ', ')', '\n', '(']).next()).collect()
}

fn one_more<'k>(counts: &mut BTreeMap<&'static str, u64>, names: impl IntoIterator<Item = &'k str>) {
    for name in names {
        if let Some(n) = counts.get_mut(name) {
            *n += 1;
        }
    }
}

impl Coverage {
    /// Counts a program.
    pub fn add(&mut self, program: &Program, text: &str) {
        self.programs += 1;
        one_more(&mut self.forms, heads(text));
        let maps = text.lines().filter(|l| l.starts_with("(defmap "));
        let types: BTreeSet<&str> = maps.filter_map(|l| l.split_once(":type :")?.1.split([' ', ')']).next()).collect();
        one_more(&mut self.maps, types);
        one_more(&mut self.templates, program.used.iter().copied());
        let global = program.subs.iter().any(|s| s.linkage == Linkage::Global);
        let kinds = [
            (program.hook == Hook::Xdp, "xdp"),
            (program.hook == Hook::Tc, "tc"),
            (program.newest, "newest instruction set"),
            (program.long, "long loops"),
            (!program.subs.is_empty(), "subprogram"),
            (global, "global subprogram"),
        ];
        one_more(&mut self.kinds, kinds.into_iter().filter(|(is, _)| *is).map(|(_, name)| name));
    }

    /// Counts a compilation.
    pub fn add_target(&mut self, target: Target) {
        let name = LoopWay::NAMES.iter().find(|(_, way)| *way == target.loops);
        one_more(&mut self.ways, name.map(|(name, _)| *name));
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        [&self.forms, &self.maps, &self.kinds, &self.templates].into_iter().flatten().map(|(name, n)| (*name, *n))
    }

    /// What can occur and did not.
    pub fn missing(&self) -> Vec<&'static str> {
        let known = not_random();
        self.all().filter(|(name, n)| *n == 0 && !known.contains_key(name)).map(|(name, _)| name).collect()
    }

    /// What is said not to occur, and did or is nothing that could.
    pub fn stale(&self) -> Vec<&'static str> {
        let there: BTreeMap<&str, u64> = self.all().collect();
        not_random().into_keys().filter(|name| there.get(name) != Some(&0)).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = not_random();
        let groups = [
            ("programs", &self.kinds),
            ("programs by form", &self.forms),
            ("programs by map type", &self.maps),
            ("compilations by way to loop", &self.ways),
        ];
        for (title, counts) in groups {
            writeln!(f, "{title}:")?;
            let mut counts: Vec<_> = counts.iter().filter(|(name, _)| !known.contains_key(*name)).collect();
            counts.sort_by_key(|(name, n)| (std::cmp::Reverse(**n), **name));
            let texts: Vec<String> = counts.iter().map(|(name, n)| format!("{n} {name}")).collect();
            for line in texts.chunks(8) {
                writeln!(f, "  {}", line.join(" · "))?;
            }
        }
        let used = self.templates.values().filter(|n| **n > 0).count();
        writeln!(f, "templates used: {used} of {}", self.templates.len())?;
        writeln!(f, "at a limit of stack, verifier or machine, unoptimised or in a way asked for: {}", self.excused)?;
        writeln!(f, "too much for the verifier or the reference as compiled by default: {}", self.limits.len())?;
        for limit in &self.limits {
            writeln!(f, "  {limit}")?;
        }
        let missing = self.missing();
        if !missing.is_empty() {
            writeln!(f, "never: {}", missing.join(" · "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::generate;

    /// As many as a run of the suite makes.
    const SAMPLE: u64 = 600;

    #[test]
    fn every_form_that_can_be_random_is() {
        let mut coverage = Coverage::default();
        let more = |coverage: &mut Coverage, seeds| {
            for seed in seeds {
                let program = generate(seed);
                coverage.add(&program, &program.text());
            }
        };
        more(&mut coverage, 1..=SAMPLE);
        let forms: Vec<&str> =
            coverage.missing().into_iter().filter(|name| !coverage.templates.contains_key(name)).collect();
        assert_eq!(forms, Vec::<&str>::new(), "these never occur in {SAMPLE} programs");
        // There are about as many templates as programs.
        more(&mut coverage, SAMPLE + 1..=3 * SAMPLE);
        assert_eq!(coverage.missing(), Vec::<&str>::new(), "these never occur in {} programs", 3 * SAMPLE);
        assert_eq!(coverage.stale(), Vec::<&str>::new(), "not-random.txt names what is random, or nothing");
    }

    #[test]
    fn heads_of_lists() {
        assert_eq!(heads("(a (b c)\n (d))(e\n)"), BTreeSet::from(["a", "b", "d", "e"]));
    }
}
