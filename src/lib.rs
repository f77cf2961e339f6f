//! crossexam: a debugger for content-moderation policies. ARCHITECTURE.md is the map.
//!
//! Must hold nothing but the list of modules.

pub mod change;
pub mod cli;
pub mod command;
pub mod domain;
pub mod engine;
pub mod frontend;
#[doc(hidden)]
pub mod fuzz;
pub mod judge;
pub mod llm;
pub mod policy;
pub mod record;
pub mod report;
pub mod session;
pub mod stats;
pub mod text;

#[cfg(test)]
#[path = "../tests/common/schema.rs"]
mod schema;
