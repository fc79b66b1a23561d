//! The loader against a real kernel (and, in `faults`, against a scripted one).
//!
//! One binary without need of anything outside it, so that it can be linked statically and run as the
//! only program of a virtual machine. Each test says what it requires.

mod calls;
mod child;
mod core;
mod dispatch;
mod faults;
mod links;
mod load;
mod maps;
mod net;
mod rings;
mod support;
mod tables;
