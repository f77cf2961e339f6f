//! The integration tests that need a real model, linked once.
//!
//! Must hold no tests itself. What needs no model file is in `tests/program`.
#![allow(clippy::print_stdout, reason = "tests print what they measured, and why one was skipped")]

#[path = "../common/mod.rs"]
mod common;

mod golden;
mod golden_committed;
mod golden_logprobs;
mod golden_tokens;
mod local_judge;
mod real_model;
