//! Code shared by several test binaries.
#![allow(
    dead_code,
    clippy::panic,
    clippy::print_stdout,
    reason = "each test program uses a part of it, a failed wait has to show the screen, and a skip says why"
)]

pub mod clock;
pub mod model;
pub mod pty;
pub mod schema;
