//! Places in a policy tree: where an edge leads and where a breakpoint stops.
//!
//! Must not know whether the place exists.

use super::Name;

/// Where an edge leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// To a node.
    Node(Name),
    /// To a leaf.
    Leaf(Name),
}

impl Target {
    /// The id of the node or leaf.
    pub fn id(&self) -> &Name {
        match self {
            Self::Node(id) | Self::Leaf(id) => id,
        }
    }
}

/// Where a breakpoint stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BreakAt {
    /// A node (before it is asked; after, where there is a condition) or a leaf: whatever has that id.
    Place(Name),
    /// When `.0` was answered `.1`.
    Answer(Name, Name),
    /// `*`: every node; sensible with a condition.
    Anywhere,
}
