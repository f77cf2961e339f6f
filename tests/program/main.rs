//! The integration tests that need no model, linked once: the real binary in files, pipes and pseudo-terminals, and the
//! house rules.
//!
//! Must hold no tests itself. What needs a model file is in `tests/model`.

#[path = "../common/mod.rs"]
mod common;

mod arguments;
mod check;
mod circles;
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
mod tidy;
mod tui_pty;
