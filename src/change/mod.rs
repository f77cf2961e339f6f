//! Compares two versions of a policy, node by node.
//!
//! Must not know walks or sessions: callers decide what a difference means for recorded answers.

pub mod diff;
pub mod stale;

pub use diff::{Change, Part, PolicyDiff, diff};
pub use stale::{Stale, asks_otherwise, stale};
