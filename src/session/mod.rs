//! Sessions: what happened as facts, the state they add up to, and the journal that keeps them.
//!
//! Must not need a model or a policy tree: a session is replayed from its facts alone.

#[cfg(test)]
pub(crate) mod arbitrary;
mod disk;
pub mod expr;
pub mod fact;
pub mod journal;
pub mod persistent;
pub mod policies;
mod record;
mod recover;
mod recovery;
pub mod replay;
pub mod review;
#[cfg(test)]
mod sim_disk;
pub mod state;
pub mod wire;

pub use disk::private_folder;
pub use fact::{
    Breakpoint, Fact, FailureKind, LeafReached, NodeRef, PolicyRecord, SourceFile, Stamp, Step, Subject, Taken, WalkId,
};
pub use journal::{Journal, JournalError};
pub use persistent::Persistent;
pub use policies::Policies;
pub use recovery::{Damage, Recovery, Tail, UnknownKind};
pub use replay::{Replay, Stride};
pub use review::Reviewer;
pub use state::{Conditions, SessionState};
