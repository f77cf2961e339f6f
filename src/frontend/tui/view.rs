//! `View`: what the panes may read of the session, and queries that several panes share.
//!
//! Must not change anything and must not be kept across events.

use crate::change::Stale;
use crate::domain::{Name, Target};
use crate::engine::SampleIds;
use crate::policy::{Node, Policy};
use crate::report::Basis;
use crate::session::state::Walk;
use crate::session::{SessionState, Step};

/// The session as the facts so far make it.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// What the facts add up to.
    pub state: &'a SessionState,
    /// The policies behind the walk, parsed.
    pub basis: &'a Basis,
    /// The ids of the loaded samples, for completion.
    pub samples: &'a SampleIds,
}

impl<'a> View<'a> {
    /// The policy that is shown: the walk's own; without a walk the loaded one.
    pub fn policy(self) -> Option<&'a Policy> {
        self.basis.policy.as_deref()
    }

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

    /// A node as it was asked, if the walk asked it; else as in the policy of the walk.
    pub fn node(self, id: &Name) -> Option<&'a Node> {
        let asked = self.step_of(id).and_then(|(place, _)| self.basis.of_step(place)?.node(id.as_str()));
        asked.or_else(|| self.policy()?.node(id.as_str()))
    }

    /// How the loaded policy asks a node otherwise than it was, or would be, asked in the walk on the screen.
    pub fn stale(self, id: &Name) -> Option<Stale> {
        match self.step_of(id) {
            Some((place, _)) => self.basis.stale(place).cloned(),
            None => self.basis.asks_otherwise(id),
        }
    }

    /// The gold answer of the current sample at `node`, if there is one.
    pub fn gold_answer(self, node: &Name) -> Option<&'a Name> {
        self.walk()?.gold_answer(node)
    }
}
