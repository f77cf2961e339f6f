//! What changes when a policy does: version against version, node by node.
//!
//! Must not know walks or sessions: it compares policies, and its callers say what that means for what was recorded.

pub mod diff;
pub mod stale;

pub use diff::{Change, Part, PolicyDiff, diff};
pub use stale::{Stale, asks_otherwise, stale};
