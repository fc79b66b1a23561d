//! Project chores: `cargo xtask tidy`, `cargo xtask vm`.
fn main() {}
