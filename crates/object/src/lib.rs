//! The narrow waist: [`Object`], a compiled unit in memory, and ELF in and out.
//!
//! Whatever makes eBPF ends in an `Object`, whatever uses eBPF starts from one.
//! This crate must *not* know Lisp, the compiler, or what a file descriptor is.
//!
//! An `Object` stays symbolic: maps, globals and subprograms are named by its
//! relocations, and sections are laid out only by the ELF writer and the loader.
#![forbid(unsafe_code)]

pub mod elf;
pub mod emit;
mod error;
mod listing;
mod model;

pub use error::ObjectError;
pub use listing::listing;
pub use model::{
    CoreRelocation, ExportedType, Exports, Function, Global, Location, Map, Mutability, Object, Place, Program,
    Registration, Relocation, StructOps, Symbol, VarRange,
};
