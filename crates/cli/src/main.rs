//! The `whistler` binary.
fn main() {}
