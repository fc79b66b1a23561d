//! The declaring forms as they are looked up: how each is written, and what it is for. Invariant: every form of
//! [`super::DECLARATIONS`] has a row.

/// Name, usage, meaning.
pub const DECLARATION_USES: &[(&str, &str, &str)] = &[
    (
        "defstruct",
        "(defstruct name (field type)…)",
        "A struct with C's layout; options: (name :packed), (name :align n).",
    ),
    ("defunion", "(defunion name struct…)", "A place that holds one of several structs."),
    (
        "defenum",
        "(defenum name (:member value)…)",
        "Named numbers: constants +name-member+, keywords where the type is known.",
    ),
    (
        "defstruct-ops",
        "(defstruct-ops name (:type struct [:link nil]) (member value)…)",
        "An object of the kernel whose functions are programs, as a congestion control.",
    ),
    (
        "defmap",
        "(defmap name :type :hash :key type :value type :max-entries n)",
        "A map that programs and the host share; :key-size and :value-size instead of types, :inner, :values, :pin.",
    ),
    (
        "defglobal",
        "(defglobal name type [value])",
        "A variable that programs and the host read and write: (global-ref name).",
    ),
    (
        "defparam",
        "(defparam name type value)",
        "A number for programs that is set before they are loaded, and constant then.",
    ),
    ("defsubprog", "(defsubprog name ((parameter type)…) type form…)", "A function for programs."),
    (
        "defprog",
        "(defprog name (:type :xdp :section \"xdp\" :license \"GPL\") form…)",
        "A program; the value of its last form is its result.",
    ),
    ("deftracepoint", "(deftracepoint category/event field…)", "The fields of a tracepoint, read as (tp-field)."),
    (
        "import-kernel-struct",
        "(import-kernel-struct name field…)",
        "A struct of the kernel: (name-field pointer), +name-size+.",
    ),
    ("import-kernel-enum", "(import-kernel-enum name)", "An enum of the kernel: its members as constants."),
    (
        "defheader",
        "(defheader name (field :offset n :type type [:net-order t])…)",
        "A packet's header: (name-field pointer).",
    ),
    ("deftest", "(deftest name form…)", "A test for `whistler test`; (is form [text]) says what must be true."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declaration_has_a_row() {
        for name in crate::session::DECLARATIONS {
            assert!(
                DECLARATION_USES.iter().any(|(n, usage, _)| n == name && usage.starts_with(&format!("({name} "))),
                "{name}"
            );
        }
    }
}
