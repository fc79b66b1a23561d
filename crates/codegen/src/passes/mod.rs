//! The passes over the IR. Invariants: every pass leaves a function valid and its meaning as it
//! was; passes know nothing of each other's order, which stands in [`PIPELINE`] alone. What the
//! kernel's verifier learned in the source's order it must still learn:
//!
//! - pointers are only moved and compared as the source did it;
//! - what is added to a pointer or passed to a call is the very value that was tested: nothing is
//!   computed before a test of its operands that was computed after it ([`facts::Roles`]);
//! - no load moves; none is made where there was none.

mod again;
mod bits;
mod bounds;
mod checks;
mod cleanup;
mod compact;
mod dce;
mod facts;
mod fold;
mod fuse;
mod gvn;
mod ifconv;
mod inline;
mod memory;
mod narrow;
mod params;
mod reuse;
mod rewrite;
mod sccp;
mod simplify;
mod slots;
mod stack;
mod stores;
mod tails;

use std::time::{Duration, Instant};

use whistler_isa::Target;

use crate::code::{CodegenError, OptLevel};
use crate::ir::{Function, Module, SymData, validate};

/// What a pass may look at besides its function.
#[derive(Clone, Copy, Debug)]
pub struct PassContext<'a> {
    /// The module's symbols.
    pub syms: &'a [SymData],
    /// What code is made for.
    pub target: &'a Target,
}

/// A pass over one function, or over all.
#[derive(Clone, Copy)]
pub enum Run {
    /// Says whether it changed something.
    Function(fn(&mut Function, &PassContext<'_>) -> bool),
    /// The same.
    Module(fn(&mut Module, &Target) -> bool),
}

/// A pass.
#[derive(Clone, Copy)]
pub struct Pass {
    /// Its name, for timers, tests and messages.
    pub name: &'static str,
    /// The least level at which it runs.
    pub level: OptLevel,
    /// What it does.
    pub run: Run,
}

const fn pass(name: &'static str, level: OptLevel, run: fn(&mut Function, &PassContext<'_>) -> bool) -> Pass {
    Pass { name, level, run: Run::Function(run) }
}

use OptLevel::{Full, None as Always};

/// What runs, in order.
pub const PIPELINE: &[Pass] = &[
    pass("compact", Always, compact::run),
    pass("params", Always, params::run),
    pass("simplify", Full, simplify::run),
    pass("cleanup", Full, cleanup::run),
    Pass { name: "inline", level: Full, run: Run::Module(inline::run) },
    pass("compact", Always, compact::run),
    pass("slots", Full, slots::run),
    pass("params", Full, params::run),
    pass("sccp", Full, sccp::run),
    pass("simplify", Full, simplify::run),
    pass("cleanup", Full, cleanup::run),
    pass("gvn", Full, gvn::run),
    pass("checks", Full, checks::run),
    pass("cleanup", Full, cleanup::run),
    pass("bounds", Full, bounds::run),
    pass("cleanup", Full, cleanup::run),
    pass("compact", Full, compact::run),
    pass("params", Full, params::run),
    pass("sccp", Full, sccp::run),
    pass("ifconv", Full, ifconv::run),
    pass("cleanup", Full, cleanup::run),
    pass("gvn", Full, gvn::run),
    pass("simplify", Full, simplify::run),
    pass("narrow", Full, narrow::run),
    pass("stores", Full, stores::run),
    pass("dce", Full, dce::run),
    pass("cleanup", Full, cleanup::run),
    pass("compact", Full, compact::run),
    pass("params", Full, params::run),
    pass("keys", Full, reuse::run_same),
    pass("again", Full, again::run),
    pass("reuse", Always, reuse::run),
    pass("tails", Full, tails::run),
    pass("cleanup", Full, cleanup::run),
    pass("compact", Full, compact::run),
    pass("params", Full, params::run),
    pass("fuse", Always, fuse::run),
    pass("dce", Always, dce::run),
    pass("compact", Always, compact::run),
];

/// The pass of that name.
pub fn by_name(name: &str) -> Option<&'static Pass> {
    PIPELINE.iter().find(|p| p.name == name)
}

impl Pass {
    /// Runs it over a module.
    ///
    /// # Errors
    /// [`CodegenError::Invalid`] when it left a function that breaks the validator's rules; that is
    /// looked at only in builds with debug assertions.
    pub fn run_on(&self, module: &mut Module, target: &Target) -> Result<bool, CodegenError> {
        let changed = match self.run {
            Run::Function(run) => {
                let mut changed = false;
                for f in &mut module.functions {
                    changed |= run(f, &PassContext { syms: &module.syms, target });
                }
                changed
            }
            Run::Module(run) => run(module, target),
        };
        if cfg!(debug_assertions) {
            check(module, self.name)?;
        }
        Ok(changed)
    }
}

/// Runs every pass of the level; returns the time each took.
///
/// # Errors
/// [`CodegenError::Invalid`] when the module broke the validator's rules before or after a pass.
pub fn run_pipeline(
    module: &mut Module,
    target: &Target,
    level: OptLevel,
) -> Result<Vec<(&'static str, Duration)>, CodegenError> {
    check(module, "lowering")?;
    let mut times: Vec<(&'static str, Duration)> = Vec::new();
    for pass in PIPELINE.iter().filter(|p| p.level == OptLevel::None || level == OptLevel::Full) {
        let start = Instant::now();
        pass.run_on(module, target)?;
        let took = start.elapsed();
        match times.iter_mut().find(|(name, _)| *name == pass.name) {
            Some((_, sum)) => *sum += took,
            None => times.push((pass.name, took)),
        }
    }
    Ok(times)
}

/// Every function by the validator.
fn check(module: &Module, stage: &str) -> Result<(), CodegenError> {
    for f in &module.functions {
        if let Err(all) = validate(f, module) {
            let what: Vec<String> = all.iter().map(ToString::to_string).collect();
            return Err(CodegenError::Invalid { function: f.name.clone(), stage: stage.into(), what: what.join("; ") });
        }
    }
    Ok(())
}
