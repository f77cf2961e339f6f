//! Front ends: batch, REPL and TUI over one command language, and the plain subcommands.
//!
//! Must hold no rules of the domain: commands go to the engine, views come from `report`. Front ends do not import each
//! other.

pub mod batch;
mod bench;
mod builtin;
mod check;
pub mod client;
pub mod editor;
pub mod history;
pub mod interrupt;
pub mod launch;
pub mod lint;
pub mod models;
pub mod models_manage;
pub mod models_score;
pub mod names;
mod progress;
pub mod repl;
pub mod replay;
pub mod runner;
pub mod script;
pub mod sessions;
mod show;
mod transient;
pub mod tui;
mod watch;
mod words;

pub use client::Client;

/// How a front end is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The program ends with this exit code.
    Exit(u8),
    /// The user wants to continue in the full-screen front end.
    SwitchToTui,
    /// The user wants to continue at the prompt.
    SwitchToRepl,
}
