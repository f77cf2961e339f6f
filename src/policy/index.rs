//! Resolves the ids of a policy once, so that code that lays out trees or counts over them works with numbers.
//!
//! Must not judge the policy and must not depend on what is drawn.

use super::tree::Policy;
use crate::domain::Target;
use std::collections::HashMap;

/// A node or leaf by its place in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spot {
    /// A node.
    Node(usize),
    /// A leaf.
    Leaf(usize),
}

/// The position of each id of a policy.
pub struct Index<'p> {
    nodes: HashMap<&'p str, usize>,
    leaves: HashMap<&'p str, usize>,
}

impl<'p> Index<'p> {
    /// Of all nodes and leaves of `policy`.
    pub fn new(policy: &'p Policy) -> Self {
        Self {
            nodes: policy.nodes.iter().enumerate().map(|(i, n)| (n.id.as_str(), i)).collect(),
            leaves: policy.leaves.iter().enumerate().map(|(i, l)| (l.id.as_str(), i)).collect(),
        }
    }

    /// The place of a node.
    pub fn node(&self, id: &str) -> Option<usize> {
        self.nodes.get(id).copied()
    }

    /// Where an edge leads.
    pub fn spot(&self, target: &Target) -> Option<Spot> {
        match target {
            Target::Node(id) => self.node(id.as_str()).map(Spot::Node),
            Target::Leaf(id) => self.leaves.get(id.as_str()).copied().map(Spot::Leaf),
        }
    }
}
