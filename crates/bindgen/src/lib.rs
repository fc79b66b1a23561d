//! What an [`Object`](whistler_object::Object) shares with user space, for other languages: structs with the layout
//! that the programs use, constants, maps by name with the types of their keys and values. Every output checks sizes
//! and offsets when it is compiled (Python: imported), so a wrong layout can't go unnoticed.
//!
//! It must *not* know Lisp or the compiler, and writes no files.
#![forbid(unsafe_code)]

mod c;
mod go;
mod layout;
mod lisp;
mod model;
mod names;
mod python;
mod rust;

pub use model::{BindgenError, Composite, Enumeration, Field, GlobalInfo, MapInfo, Model, Scalar, Type};

use whistler_object::Object;

/// An output language.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// A header for C and C++.
    C,
    /// A Go file.
    Go,
    /// A Rust module without dependencies.
    Rust,
    /// A Python module on `ctypes`.
    Python,
    /// A file for this language itself.
    Lisp,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 5] = [Language::C, Language::Go, Language::Rust, Language::Python, Language::Lisp];

    /// How its files end.
    pub fn extension(self) -> &'static str {
        match self {
            Language::C => "h",
            Language::Go => "go",
            Language::Rust => "rs",
            Language::Python => "py",
            Language::Lisp => "lisp",
        }
    }
}

/// The text of the bindings. `unit` is what they are called after: a Go package, a C include guard. Errors: the
/// object's types can't be read, or have no counterpart.
pub fn generate(object: &Object, language: Language, unit: &str) -> Result<String, BindgenError> {
    let model = Model::new(object)?;
    Ok(match language {
        Language::C => c::write(&model, unit),
        Language::Go => go::write(&model, unit),
        Language::Rust => rust::write(&model, unit),
        Language::Python => python::write(&model, unit),
        Language::Lisp => lisp::write(&model, unit),
    })
}
