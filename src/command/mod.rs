//! The command language: one table, one parser, one `Command` type for the TUI, the REPL and stdin.
//!
//! Must not execute anything and must not know of sessions, models or screens.

pub mod arg;
pub mod complete;
mod field;
pub mod help;
pub mod lex;
pub mod need;
mod parse;
mod resolve;
pub mod spec;
#[cfg(test)]
mod tests;
mod values;

pub use complete::{Completion, Names, Wanted, complete, hint};
pub use need::{Has, Need};
pub use parse::{ParseError, parse};
pub use spec::{Command, CommandSpec, EngineCommand, FrontendCommand, Scope, TABLE, ViewCommand};
pub use values::{ExamineWhat, InfoTopic, SampleRef, Times};
