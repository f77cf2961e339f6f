//! Front ends: batch, REPL and TUI over one command language, and the plain subcommands.
//!
//! Must hold no rules of the domain: commands go to the engine, views come from `report`. Front ends do not import each other.

mod builtin;
mod check;
mod check_record;
pub mod client;
pub mod fetch_view;
pub mod launch;
pub mod lint;
pub mod models;
pub mod models_manage;
pub mod names;
pub mod replay;
pub mod tui;

pub use client::Client;

/// How a front end ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The program ends with this exit code.
    Exit(u8),
    /// The user wants to go on in the full-screen front end.
    SwitchToTui,
    /// The user wants to go on at the prompt.
    SwitchToRepl,
}
