//! The net under the compiler: random programs, run by the reference
//! evaluator, the virtual machine and the kernel, which must agree.
//!
//! Programs are made of what [`generate`] knows and of the forms in `templates.txt`: a new form of the language is a
//! new line there. Each is compiled for three targets ([`campaign::targets`]), not optimised and optimised, and run on
//! packets one after the other; results, packets, maps, ring-buffer records and globals must be those of the
//! reference. `cargo test -p whistler-difftest` runs some hundred programs, other ones every day; a campaign is
//! `cargo run --release -p whistler-difftest -- 20000 1` (how many, from which seed), as root; two at once with
//! different seeds use two processors. What fails is made small and belongs into `tests/kept`.
//!
//! It must *not* share code with what it judges: programs reach the compiler as text.
#![forbid(unsafe_code)]

pub mod ast;
pub mod campaign;
pub mod coverage;
pub mod generate;
pub mod rng;
pub mod run;
pub mod shrink;
pub mod templates;
