//! What several test programs share.
#![allow(
    dead_code,
    clippy::panic,
    reason = "each test program uses a part of it, and a failed wait has to show the screen"
)]

pub mod model;
pub mod pty;
