//! From a module to code: the passes, then the back end, function by function.

use std::time::Duration;

use whistler_isa::Target;

use crate::code::{Code, CodegenError, OptLevel};
use crate::ir::Module;
use crate::mach;
use crate::passes;

/// What compiling took.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Stages in order, with the time spent in all functions.
    pub stages: Vec<(&'static str, Duration)>,
}

/// Compiles every function of a module, in its order. The module is left as the passes made it.
///
/// # Errors
/// The first function that no code can be made for.
pub fn compile(module: &mut Module, target: &Target, opt: OptLevel) -> Result<Vec<Code>, CodegenError> {
    compile_with_report(module, target, opt).map(|(code, _)| code)
}

/// The same, with the time each stage took.
///
/// # Errors
/// As [`compile`].
pub fn compile_with_report(
    module: &mut Module,
    target: &Target,
    opt: OptLevel,
) -> Result<(Vec<Code>, Report), CodegenError> {
    let mut stages = passes::run_pipeline(module, target, opt)?;
    let (mut times, mut allocator) = (mach::Times::default(), mach::Allocator::default());
    let mut codes = Vec::with_capacity(module.functions.len());
    for f in &module.functions {
        codes.push(mach::generate(f, &module.syms, target, &mut allocator, &mut times)?);
    }
    let mach::Times { select, allocate, finish, emit } = times;
    stages.extend([("selection", select), ("allocation", allocate), ("finishing", finish), ("encoding", emit)]);
    Ok((codes, Report { stages }))
}
