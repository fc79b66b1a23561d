//! What can be wrong with an object, in memory or in a file. Invariant: every
//! malformed input ends as one of these and names its place.

use whistler_btf::BtfError;

/// Why an object could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The file is not one of ours at all.
    #[error("this is no eBPF object file: {0}")]
    NotBpf(String),
    /// A section, or something at an offset in it, makes no sense.
    #[error("section `{section}`{}: {what}", at(*offset))]
    Section {
        /// The section's name.
        section: String,
        /// Bytes from its start, where that is known.
        offset: Option<u64>,
        /// What is wrong.
        what: String,
    },
    /// Type information that can't be read.
    #[error("section `{section}`: {source}")]
    Btf {
        /// `.BTF` or `.BTF.ext`.
        section: &'static str,
        /// What is wrong with it.
        source: BtfError,
    },
    /// Something that is well formed, but that we don't take.
    #[error("section `{section}`: {what}")]
    Unsupported {
        /// The section's name.
        section: String,
        /// What it is and what to use instead.
        what: String,
    },
    /// An ELF object has one licence for all its programs.
    #[error(
        "programs `{first}` (licence \"{first_license}\") and `{second}` (licence \"{second_license}\") can't be in one \
         object file: an ELF object has one licence for all its programs"
    )]
    Licenses {
        /// A program.
        first: String,
        /// Its licence.
        first_license: String,
        /// One that differs.
        second: String,
        /// Its licence.
        second_license: String,
    },
    /// A definition that can't be written.
    #[error("{kind} `{name}`: {what}")]
    Definition {
        /// `program`, `subprogram`, `map` or `global`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// An instruction that can't be written.
    #[error("`{function}`, instruction {insn}: {what}")]
    Insn {
        /// The function it is in.
        function: String,
        /// Its slot.
        insn: u32,
        /// What is wrong.
        what: String,
    },
}

fn at(offset: Option<u64>) -> String {
    offset.map(|o| format!(" at byte {o:#x}")).unwrap_or_default()
}

impl ObjectError {
    pub(crate) fn section(section: &str, offset: impl Into<Option<u64>>, what: impl Into<String>) -> ObjectError {
        ObjectError::Section { section: section.to_string(), offset: offset.into(), what: what.into() }
    }

    pub(crate) fn definition(kind: &'static str, name: &str, what: impl Into<String>) -> ObjectError {
        ObjectError::Definition { kind, name: name.to_string(), what: what.into() }
    }

    pub(crate) fn insn(function: &str, insn: u32, what: impl Into<String>) -> ObjectError {
        ObjectError::Insn { function: function.to_string(), insn, what: what.into() }
    }

    pub(crate) fn btf(source: BtfError) -> ObjectError {
        ObjectError::Btf { section: ".BTF", source }
    }

    pub(crate) fn ext(source: BtfError) -> ObjectError {
        ObjectError::Btf { section: ".BTF.ext", source }
    }
}
