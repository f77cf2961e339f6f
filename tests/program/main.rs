//! The integration tests that need no model, linked once: the real binary in files, pipes and pseudo-terminals.
//!
//! Must hold no tests itself. Tests that need a model file are in `tests/model`, the house rules in `tests/tidy.rs`.

#[path = "../common/mod.rs"]
mod common;

mod arguments;
mod check;
mod content;
mod crash;
mod exit_codes;
mod hostile_pty;
mod parity;
mod paths;
mod pty_harness;
mod repl;
mod scripts;
mod sessions;
mod terminal_end;
mod tui_pty;
