//! Project chores: [`tidy`] checks the rules of ARCHITECTURE.md that no compiler
//! checks, [`vm`] runs binaries on other kernels in a virtual machine, [`mutants`]
//! asks whether the suite catches mistakes.
//!
//! It must *not* know anything of the product but where its files are.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

pub mod core_oracle;
mod dedup_oracle;
pub mod mutants;
pub mod tidy;
pub mod vm;

/// The root of the workspace.
pub fn root() -> PathBuf {
    // This crate stands directly under it.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}
