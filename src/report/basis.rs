//! `Basis`: the policies under which the values on the screen were made, and which answers no longer stand.
//!
//! Must show every step under the policy it was asked under, whatever is loaded now.

use crate::change::{self, Stale};
use crate::domain::Name;
use crate::policy::Policy;
use crate::session::state::Walk;
use crate::session::{Conditions, Policies, PolicyRecord, SessionState, Step};
use std::sync::Arc;

/// The policies behind the current walk, parsed. Rebuilt after every fact, and never kept longer.
#[derive(Clone, Debug, Default)]
pub struct Basis {
    /// The policy that is loaded: the one that is asked next.
    pub loaded: Option<Arc<Policy>>,
    /// The one that was loaded before it.
    pub before: Option<Arc<Policy>>,
    /// The policy of the current walk; without a walk the loaded one.
    pub policy: Option<Arc<Policy>>,
    steps: Vec<Under>,
    leaf_is_stale: bool,
}

/// The conditions of one step, and whether it still stands.
#[derive(Clone, Debug)]
struct Under {
    policy: Option<Arc<Policy>>,
    stale: Option<Stale>,
    /// The step itself.
    step: Arc<Step>,
}

impl Basis {
    /// That of a state and its current walk.
    pub fn of(state: &SessionState, policies: &Policies) -> Self {
        Self::of_walk(state, state.walk_now(), policies)
    }

    /// Becomes that of a state and its current walk, at the cost of the steps that are new.
    pub fn follow(&mut self, state: &SessionState, policies: &Policies) {
        let known = std::mem::take(self);
        *self = Self::after(known, state, state.walk_now(), policies);
    }

    /// That of any walk of a state.
    pub fn of_walk(state: &SessionState, walk: Option<&Walk>, policies: &Policies) -> Self {
        Self::after(Self::default(), state, walk, policies)
    }

    fn after(known: Self, state: &SessionState, walk: Option<&Walk>, policies: &Policies) -> Self {
        let parsed = |record: Option<&Arc<PolicyRecord>>| record.and_then(|record| policies.of(record));
        let loaded = parsed(state.policy.as_ref());
        let before = parsed(state.policy_before.as_ref());
        let Some(walk) = walk else {
            return Self { policy: loaded.clone(), loaded, before, ..Self::default() };
        };
        let policy = parsed(walk.conditions.policy.as_ref());
        let mut steps = if same(&known.loaded, &loaded) { known.steps } else { Vec::new() };
        // A step is made once: where two walks have the same one, all before it are the same too.
        let common = common(&steps, walk);
        steps.truncate(common);
        let mut last: Option<&Arc<Conditions>> = common.checked_sub(1).map(|place| walk.conditions_of(place));
        for (place, step) in walk.steps.iter().enumerate().skip(common) {
            let under = walk.conditions_of(place);
            let policy = match steps.last() {
                Some(step) if last.is_some_and(|last| Arc::ptr_eq(last, under)) => step.policy.clone(),
                _ => parsed(under.policy.as_ref()),
            };
            last = Some(under);
            let stale = policy.as_ref().zip(loaded.as_ref()).and_then(|(old, new)| stale(walk, place, old, new));
            steps.push(Under { policy, stale, step: Arc::clone(step) });
        }
        let leaf_is_stale = policy.as_ref().zip(loaded.as_ref()).is_some_and(|(old, new)| {
            let leaf = walk.leaf.as_ref().filter(|_| !Arc::ptr_eq(old, new));
            leaf.is_some_and(|leaf| old.leaf(leaf.id.as_str()) != new.leaf(leaf.id.as_str()))
        });
        Self { loaded, before, policy, steps, leaf_is_stale }
    }

    /// A basis of one policy, under which everything was made.
    pub fn only(policy: Arc<Policy>) -> Self {
        Self { loaded: Some(Arc::clone(&policy)), policy: Some(policy), ..Self::default() }
    }

    /// The policy that step `place` of the current walk, from 0, was made under; past the last one, that of the walk.
    pub fn of_step(&self, place: usize) -> Option<&Policy> {
        self.steps.get(place).map_or(self.policy.as_ref(), |step| step.policy.as_ref()).map(AsRef::as_ref)
    }

    /// Why step `place` of the current walk, from 0, no longer stands under the loaded policy.
    pub fn stale(&self, place: usize) -> Option<&Stale> {
        self.steps.get(place)?.stale.as_ref()
    }

    /// The first step that no longer stands, from 0.
    pub fn first_stale(&self) -> Option<usize> {
        self.steps.iter().position(|step| step.stale.is_some())
    }

    /// Whether the leaf that was reached says something else in the loaded policy, or is gone from it.
    pub fn leaf_is_stale(&self) -> bool {
        self.leaf_is_stale
    }

    /// Whether the walk on the screen was made under another policy than the loaded one.
    pub fn is_older(&self) -> bool {
        match (&self.policy, &self.loaded) {
            (Some(walk), Some(loaded)) => !Arc::ptr_eq(walk, loaded),
            _ => false,
        }
    }

    /// How the loaded policy asks a node otherwise that the walk has not asked yet.
    pub fn asks_otherwise(&self, node: &Name) -> Option<Stale> {
        if !self.is_older() {
            return None;
        }
        change::asks_otherwise(self.policy.as_deref()?, self.loaded.as_deref()?, node)
    }
}

/// How many steps, from the first, are the very ones of the walk.
fn common(steps: &[Under], walk: &Walk) -> usize {
    let is_common = |place: usize| {
        let pair = steps.get(place).zip(walk.steps.get(place));
        pair.is_some_and(|(known, step)| Arc::ptr_eq(&known.step, step))
    };
    let (mut from, mut to) = (0, steps.len().min(walk.steps.len()));
    if to.checked_sub(1).is_some_and(is_common) {
        return to;
    }
    while from < to {
        let middle = from + (to - from) / 2;
        if is_common(middle) { from = middle + 1 } else { to = middle }
    }
    from
}

fn same<T>(a: &Option<Arc<T>>, b: &Option<Arc<T>>) -> bool {
    a.as_ref().map(Arc::as_ptr) == b.as_ref().map(Arc::as_ptr)
}

fn stale(walk: &Walk, place: usize, old: &Arc<Policy>, new: &Arc<Policy>) -> Option<Stale> {
    if Arc::ptr_eq(old, new) {
        return None;
    }
    change::stale(old, new, walk.steps.get(place)?.answered())
}
