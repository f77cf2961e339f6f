//! `View`: what the panes may read of the session, and the few questions several panes ask of it.
//!
//! Must not change anything and must not be kept across events.

use crate::domain::{Name, Target};
use crate::policy::{Node, Policy};
use crate::session::state::Walk;
use crate::session::{SessionState, Step};

/// The session as the facts so far make it.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// What the facts add up to.
    pub state: &'a SessionState,
    /// The loaded policy, parsed.
    pub policy: Option<&'a Policy>,
}

impl<'a> View<'a> {
    /// The walk commands act on.
    pub fn walk(self) -> Option<&'a Walk> {
        self.state.walk_now()
    }

    /// The node that is asked next; `None` at a leaf or without a walk.
    pub fn next_node(self) -> Option<Name> {
        let walk = self.walk()?;
        match walk.frontier() {
            Target::Node(id) if walk.leaf.is_none() => Some(id),
            _ => None,
        }
    }

    /// The last step of the current walk that answered `node`.
    pub fn step_of(self, node: &Name) -> Option<(usize, &'a Step)> {
        let steps = &self.walk()?.steps;
        steps.iter().enumerate().rev().find(|(_, s)| s.node.id == *node).map(|(i, s)| (i, s.as_ref()))
    }

    /// A node of the policy.
    pub fn node(self, id: &Name) -> Option<&'a Node> {
        self.policy?.node(id.as_str())
    }

    /// The gold answer of the current sample at `node`, where somebody gave one.
    pub fn gold_answer(self, node: &Name) -> Option<&'a Name> {
        self.walk()?.sample.gold.path.iter().find(|(n, _)| n == node).map(|(_, a)| a)
    }
}
