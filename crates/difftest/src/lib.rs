//! The net under the compiler: random programs, run by the reference
//! evaluator, the virtual machine and the kernel, which must agree.
//!
//! It must *not* share code with what it judges: programs reach the compiler as text.
#![forbid(unsafe_code)]

pub mod ast;
pub mod campaign;
pub mod generate;
pub mod rng;
pub mod run;
pub mod shrink;
pub mod templates;
