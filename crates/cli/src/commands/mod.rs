//! The subcommands, one file each. All return whether everything was fine, or why they could not work at all.

pub mod btf;
pub mod check;
pub mod compile;
pub mod disasm;
pub mod doctor;
pub mod eval;
pub mod explain;
pub mod repl;
pub mod replay;
pub mod run;
pub mod test;
pub mod test_run;
pub mod vm_run;

/// What a command comes to: whether there was nothing wrong, or why it could not be tried.
pub type Outcome = Result<bool, String>;
