//! The shape the kernel's enumerations take here: one list of rows makes the
//! Rust enum and the static table of its facts, so the two can't disagree.
//! Invariant: row `i` of a table describes the value with number `i`.

/// Makes a fieldless enum with numbers 0.. and a `static` table of facts, row by row.
macro_rules! kernel_enum {
    (
        $(#[$meta:meta])*
        $name:ident, $info:ident, $table:ident;
        $( $variant:ident = $number:literal, $row:expr; )*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum $name { $( $variant = $number, )* }

        /// One row for each value, in the order of the numbers.
        pub static $table: &[$info] = &[ $( $row, )* ];

        impl $name {
            /// All of them, in the order of the kernel's numbers.
            pub const ALL: &'static [$name] = &[ $( $name::$variant, )* ];

            /// The kernel's number.
            pub const fn number(self) -> u32 {
                self as u32
            }

            /// The one with this number, if we know it.
            pub fn from_number(number: u32) -> Option<$name> {
                Self::ALL.get(number as usize).copied()
            }

            /// What is known about it.
            pub fn info(self) -> &'static $info {
                &$table[self as usize]
            }

            /// The kernel's name, as in `linux/bpf.h`.
            pub fn kernel_name(self) -> &'static str {
                self.info().kernel_name
            }

            /// The one with this kernel name.
            pub fn by_kernel_name(name: &str) -> Option<$name> {
                Self::ALL.iter().copied().find(|x| x.kernel_name() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.kernel_name())
            }
        }
    };
}
pub(crate) use kernel_enum;

/// Compares names as Whistler does: `-` and `_` are the same letter.
pub fn same_name(a: &str, b: &str) -> bool {
    compare_names(a, b) == std::cmp::Ordering::Equal
}

/// The order the name tables are sorted in: bytes, with `-` taken as `_`.
pub(crate) fn compare_names(a: &str, b: &str) -> std::cmp::Ordering {
    let fold = |c: u8| if c == b'-' { b'_' } else { c };
    a.bytes().map(fold).cmp(b.bytes().map(fold))
}
