//! Places in a policy tree: where an edge leads and where a breakpoint stops.
//!
//! Must not know whether the place exists.

use super::Name;
use super::wire::{NodeAnswer, Pair};
use serde::{Deserialize, Serialize};

/// Where an edge leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BreakAt {
    /// A node (before it is asked; after, where there is a condition) or a leaf: whatever has that id.
    Place(Name),
    /// When `.0` was answered `.1`.
    #[serde(with = "Pair::<NodeAnswer>")]
    Answer(Name, Name),
    /// `*`: every node; sensible with a condition.
    Anywhere,
}

/// An answered node, as far as a change of the policy can make it stale.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The node.
    pub node: &'a Name,
    /// The answer that was followed, or the most probable one where the `unsure` route was taken.
    pub answer: &'a Name,
    /// The margin between the two most probable answers; `None` where a person answered.
    pub margin: Option<f64>,
    /// Where it led.
    pub target: &'a Target,
}
