//! Sessions: what happened as facts, the state they add up to, and the journal that keeps them.
//!
//! Must not need a model or a policy tree: a session is replayed from its facts alone.

pub mod fact;
pub mod state;

pub use fact::{
    Breakpoint, Fact, FailureKind, LeafReached, NodeRef, PolicyRecord, SourceFile, Step, Subject, Taken, WalkId,
};
pub use state::SessionState;
