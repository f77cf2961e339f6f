//! The command language: one table, one parser, one `Command` type for the TUI, the REPL and stdin.
//!
//! Must not execute anything and must not know of sessions, models or screens.

#[allow(clippy::module_inception)]
mod command;

pub use command::{Command, ExamineWhat, InfoTopic, SampleRef};
