//! The engine: takes commands, asks the judge, walks the tree, and says what happened as facts.
//!
//! Must not print, must not know screens, and must not parse command lines.

pub mod host;

/// What a judge reports while it works; front ends take it from here, not from `model`.
pub use crate::model::Progress;
pub use host::{Event, Failure, Host, Notice, Stop, Ticket};
