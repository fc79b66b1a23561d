//! The live image: definitions, what of them runs in the kernel, and the Lisp
//! forms that look at it and change it. Works without a terminal: the prompt,
//! `run` and later servers all drive this.
//!
//! It must *not* know terminals, command lines or colours.
#![forbid(unsafe_code)]

mod args;
mod btf_types;
mod codec;
mod define;
mod emits;
mod failure;
mod forms;
mod handles;
mod image;
mod live;
mod missing;
mod order;
mod print;
mod recorded;
mod reload;
mod replay;
mod swap;
mod tests;
mod unit;

pub use codec::Codec;
pub use failure::load_report;
pub use image::{Image, Mode, Options, Purpose, Reached, Refusal, Step};
pub use missing::missing_for_live;
pub use replay::{ReplayError, Replayed, replay, too_short};
pub use tests::{CHECK_FAILED, DISAGREE, Run, TestReport, Verdict, disagreements};
