//! The command language: one table, one parser, one `Command` type for the TUI, the REPL and stdin.
//!
//! Must not execute anything and must not know of sessions, models or screens.

pub mod arg;
#[allow(clippy::module_inception)]
mod command;
pub mod complete;
pub mod help;
pub mod lex;
mod parse;
mod resolve;
pub mod spec;
#[cfg(test)]
mod tests;

pub use command::{Command, ExamineWhat, InfoTopic, SampleRef};
pub use complete::{Completion, Names, Wanted, complete, hint};
pub use parse::{ParseError, parse};
pub use spec::{CommandSpec, Scope, TABLE};
