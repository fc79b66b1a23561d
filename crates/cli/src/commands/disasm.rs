//! `whistler disasm FILE`: the instructions of a source or an object.

use super::Outcome;
use crate::args::DisasmArgs;
use crate::unit;

/// Prints the listing.
pub fn run(args: &DisasmArgs) -> Outcome {
    let Some((object, _)) = unit::object(&args.file, &args.target)? else { return Ok(false) };
    say_part!("{}", whistler_object::listing(&object, args.source));
    Ok(true)
}
