//! Runs a walk: step, next, finish, until, continue, back, and `set answer`.
//!
//! Must take an edge only through [`walk::choose`] or because a person chose it.

use super::{Engine, Execution, Failure, Notice, Stop, meant, walk};
use crate::change;
use crate::command::{Has, Need};
use crate::domain::{Name, Target};
use crate::judge::{JudgeError, Progress};
use crate::policy::Policy;
use crate::session::{Fact, Step, Taken, WalkId, state::Walk};
use std::sync::Arc;

/// How deep in included policies an id is.
fn depth(id: &Name) -> usize {
    id.as_str().matches('/').count()
}

/// What a walk stands before.
enum Frontier {
    Node(Name),
    Leaf(Name),
}

impl Engine {
    pub(super) fn current_walk(&self) -> Result<&Walk, Failure> {
        self.state
            .walk_now()
            .ok_or_else(|| Failure::missing(Need::Walk, Has { samples: self.samples.is_some(), ..Has::default() }))
    }

    fn frontier(&self) -> Result<Frontier, Failure> {
        let walk = self.current_walk()?;
        Ok(match (&walk.leaf, walk.frontier()) {
            (Some(leaf), _) => Frontier::Leaf(leaf.id.clone()),
            (None, Target::Node(id)) => Frontier::Node(id),
            (None, Target::Leaf(id)) => Frontier::Leaf(id),
        })
    }

    fn frontier_node(&self) -> Result<Name, Failure> {
        match self.frontier()? {
            Frontier::Node(id) => Ok(id),
            Frontier::Leaf(id) => Err(Failure::user(format!("the walk is over, at leaf `{id}`"))
                .hinted("back takes a step back, run starts again, next-sample goes on")),
        }
    }

    /// Asks the next node, takes the edge, and returns the breakpoint, if any, that stops after it.
    ///
    /// A walk made under another policy, judge or mode is left as it is and continued in a branch.
    fn advance(&mut self, run: &mut Execution) -> Result<Option<u32>, Failure> {
        let id = self.frontier_node()?;
        let policy = self.policy()?;
        if policy.node(id.as_str()).is_none() {
            return Err(Failure::user(format!("the loaded policy has no node `{id}`")).hinted(
                "the walk was made under another policy: rerun asks again from what changed, run from the root",
            ));
        }
        if self.judge.is_none() {
            return Err(Failure::missing(Need::Model, Has::default()));
        }
        run.check_cancel()?;
        if !self.current_walk()?.goes_on_under(&self.state.conditions()) {
            let walk = self.current_walk()?;
            let (from, at) = (walk.id, walk.steps.len());
            self.branch(run, from, at)?;
        }
        let id = self.frontier_node()?;
        let walk = self.current_walk()?;
        let (walk_id, sample) = (walk.id, walk.sample.clone());
        let node = policy.node(id.as_str()).ok_or_else(|| Failure::internal(format!("there is no node `{id}`")))?;
        let mode = self.state.mode;
        let judge = self.judge.as_mut().ok_or_else(|| Failure::internal("the judge is gone"))?;
        run.notice(Notice::Asking { ticket: run.ticket, node: id.clone() });
        let (ticket, cancel) = (run.ticket, run.cancel);
        let emit = &mut *run.emit;
        let mut progress = |p: Progress| emit(super::Event::Notice(Notice::Progress(ticket, p)));
        let asked = walk::ask(&policy, node, &sample, mode, judge.as_mut(), &mut progress, cancel);
        let step = match asked {
            Ok(step) => step,
            Err(JudgeError::Cancelled) => {
                self.record(run, Fact::Cancelled { walk: walk_id, node: id })?;
                return Err(Failure::cancelled());
            }
            Err(error) => return Err(error.into()),
        };
        self.record_step(run, walk_id, step)?;
        self.breakpoint_after_step(run)
    }

    /// Starts a branch that shares the first `at` steps of `from` and continues under what is loaded now. If there is
    /// nothing to share, it is a new walk of the sample, because the root belongs to the loaded policy.
    pub(super) fn branch(&mut self, run: &mut Execution, from: WalkId, at: usize) -> Result<WalkId, Failure> {
        let policy = self.policy()?;
        let source = self.state.walk(from).ok_or_else(|| Failure::internal(format!("there is no walk {}", from.0)))?;
        let (index, sample) = (source.index, source.sample.clone());
        let walk = self.state.next_walk();
        if at == 0 && source.root != policy.root {
            self.start_walk(run, index, (*sample).clone(), &policy)?;
        } else {
            self.record(run, Fact::WalkForked { walk, from, at })?;
        }
        Ok(walk)
    }

    fn record_step(&mut self, run: &mut Execution, walk: WalkId, step: Step) -> Result<(), Failure> {
        let target = step.target.clone();
        self.record(run, Fact::Stepped { walk, step })?;
        match target {
            Target::Leaf(id) => self.reach(run, walk, &id),
            Target::Node(_) => Ok(()),
        }
    }

    /// Records that a walk is at a leaf of the loaded policy.
    fn reach(&mut self, run: &mut Execution, walk: WalkId, id: &Name) -> Result<(), Failure> {
        let policy = self.policy()?;
        let leaf =
            policy.leaf(id.as_str()).ok_or_else(|| Failure::internal(format!("the policy has no leaf `{id}`")))?;
        self.record(run, Fact::LeafReached { walk, leaf: walk::leaf_reached(leaf) })
    }

    /// Steps until `enough` says so, a breakpoint stops, or the leaf is reached. At least one step.
    fn advance_until(
        &mut self,
        run: &mut Execution,
        mut enough: impl FnMut(&Name) -> Option<Stop>,
    ) -> Result<Stop, Failure> {
        loop {
            let hit = self.advance(run)?;
            if let Some(id) = hit {
                return Ok(Stop::Breakpoint(id));
            }
            match self.frontier()? {
                Frontier::Leaf(id) => return Ok(enough(&id).unwrap_or(Stop::Leaf)),
                Frontier::Node(id) => {
                    if let Some(stop) = enough(&id) {
                        return Ok(stop);
                    }
                }
            }
        }
    }

    pub(super) fn step(&mut self, run: &mut Execution, count: u32) -> Result<Stop, Failure> {
        let mut left = count;
        self.advance_until(run, |_| {
            left = left.saturating_sub(1);
            (left == 0).then_some(Stop::Done)
        })
        .map(|stop| self.at_leaf_or(stop))
    }

    pub(super) fn next(&mut self, run: &mut Execution, count: u32) -> Result<Stop, Failure> {
        for _ in 0..count.max(1) {
            let from = depth(&self.frontier_node()?);
            let stop = self.advance_until(run, |id| (depth(id) <= from).then_some(Stop::Done))?;
            if stop != Stop::Done || matches!(self.frontier()?, Frontier::Leaf(_)) {
                return Ok(self.at_leaf_or(stop));
            }
        }
        Ok(Stop::Done)
    }

    pub(super) fn finish(&mut self, run: &mut Execution) -> Result<Stop, Failure> {
        let from = depth(&self.frontier_node()?);
        self.advance_until(run, |id| (depth(id) < from).then_some(Stop::Done)).map(|stop| self.at_leaf_or(stop))
    }

    pub(super) fn until(&mut self, run: &mut Execution, place: &Name) -> Result<Stop, Failure> {
        let policy = self.policy()?;
        if policy.node(place.as_str()).is_none() && policy.leaf(place.as_str()).is_none() {
            return Err(meant::no_place(&policy, place));
        }
        match self.frontier()? {
            Frontier::Node(at) | Frontier::Leaf(at) if at == *place => return Ok(Stop::Already),
            // Continuing to the leaf would be far from what was meant, and could cost as much as the way there.
            Frontier::Node(at) if policy.node(at.as_str()).is_some() && !policy.leads_to(&at, place) => {
                return Err(Failure::user(format!("no way leads from `{at}` to `{place}`"))
                    .hinted("back takes steps back, run starts again from the root"));
            }
            Frontier::Node(_) | Frontier::Leaf(_) => {}
        }
        self.advance_until(run, |id| (id == place).then_some(Stop::Until))
    }

    pub(super) fn go_on(&mut self, run: &mut Execution) -> Result<Stop, Failure> {
        self.advance_until(run, |_| None)
    }

    /// Starts the selected sample again from the root and continues to the first stop or the leaf.
    pub(super) fn run_again(&mut self, run: &mut Execution) -> Result<Stop, Failure> {
        let walk = self.current_walk()?;
        let (index, sample) = (walk.index, walk.sample.clone());
        let untouched = walk.steps.is_empty() && walk.goes_on_under(&self.state.conditions());
        let policy = self.policy()?;
        if !untouched {
            self.start_walk(run, index, (*sample).clone(), &policy)?;
        }
        if let Some(id) = self.breakpoint_on_arrival(run)? {
            return Ok(Stop::Breakpoint(id));
        }
        self.go_on(run)
    }

    /// Asks again in a branch: from `node`, or from the first step that no longer stands under the loaded policy.
    pub(super) fn rerun(&mut self, run: &mut Execution, node: Option<&Name>) -> Result<Stop, Failure> {
        let policy = self.policy()?;
        let walk = self.current_walk()?;
        let (from, steps) = (walk.id, walk.steps.len());
        let at = match node {
            Some(node) => walk.steps.iter().position(|s| s.node.id == *node).ok_or_else(|| {
                Failure::user(format!("walk {} has not asked `{node}`", from.0)).hinted("where shows what it asked")
            })?,
            None => self.first_stale(walk, &policy).ok_or_else(|| {
                Failure::user(format!("every step of walk {} still stands", from.0))
                    .hinted("rerun NODE asks again from a node, run from the root")
            })?,
        };
        let next = walk.steps.get(at).filter(|_| at > 0).map(|step| step.node.id.clone());
        if let Some(id) = next.filter(|id| policy.node(id.as_str()).is_none()) {
            return Err(Failure::user(format!("the loaded policy has no node `{id}`"))
                .hinted("rerun asks from the first step that changed, run from the root"));
        }
        if at < steps && self.judge.is_none() {
            return Err(Failure::missing(Need::Model, Has::default()));
        }
        let last = walk.steps.last().map(|s| s.target.clone()).filter(|_| at == steps);
        let fork = self.branch(run, from, at)?;
        if let Some(Target::Leaf(id)) = last {
            self.reach(run, fork, &id)?;
            return Ok(Stop::Leaf);
        }
        if let Some(id) = self.breakpoint_on_arrival(run)? {
            return Ok(Stop::Breakpoint(id));
        }
        self.go_on(run)
    }

    /// The first step of a walk that no longer stands under `loaded`; one past the last step if only the leaf is stale.
    fn first_stale(&self, walk: &Walk, loaded: &Arc<Policy>) -> Option<usize> {
        let under = |place: usize| self.policies.of(walk.conditions_of(place).policy.as_ref()?);
        let stale = |place: usize| {
            let (old, step) = (under(place)?, walk.steps.get(place)?);
            if Arc::ptr_eq(&old, loaded) { None } else { change::stale(&old, loaded, step.answered()) }
        };
        let step = (0..walk.steps.len()).find(|place| stale(*place).is_some());
        step.or_else(|| {
            let (leaf, old) = (walk.leaf.as_ref()?, under(walk.steps.len())?);
            (old.leaf(leaf.id.as_str()) != loaded.leaf(leaf.id.as_str())).then_some(walk.steps.len())
        })
    }

    pub(super) fn start_walk(
        &mut self,
        run: &mut Execution,
        index: usize,
        sample: crate::domain::Sample,
        policy: &crate::policy::Policy,
    ) -> Result<(), Failure> {
        let walk = self.state.next_walk();
        self.record(run, Fact::WalkStarted { walk, index, sample, root: policy.root.clone() })
    }

    pub(super) fn back(&mut self, run: &mut Execution, count: u32) -> Result<Stop, Failure> {
        let walk = self.current_walk()?;
        let (id, have) = (walk.id, walk.steps.len());
        if have == 0 {
            return Err(Failure::user("the walk is at its root; there is no step to take back"));
        }
        let to = have.saturating_sub(count.max(1) as usize);
        self.done(run, Fact::SteppedBack { walk: id, to })
    }

    /// A person's answer: a new branch that shares the steps before `node` and takes the edge of `answer` there.
    pub(super) fn set_answer(&mut self, run: &mut Execution, node: &Name, answer: &Name) -> Result<Stop, Failure> {
        let policy = self.policy()?;
        let id = self.node_id(node)?;
        let spec = policy.node(id.as_str()).ok_or_else(|| Failure::internal("a checked node is gone"))?;
        let target = spec.target(answer.as_str()).cloned().ok_or_else(|| meant::no_answer(spec, answer))?;
        let walk = self.current_walk()?;
        let from = walk.id;
        let asked = walk.steps.iter().position(|s| s.node.id == id);
        // The model's judgement is kept beside a person's answer only if it was asked under exactly the same
        // conditions.
        let now = self.state.conditions();
        let said = |at: usize| {
            let step = walk.steps.get(at).filter(|s| s.node.hash == spec.hash && walk.conditions_of(at).same(&now))?;
            Some((step.judgement.clone(), step.prompt.clone()))
        };
        let (at, said) = match (asked, walk.leaf.is_none(), walk.frontier()) {
            (Some(at), ..) => (at, said(at)),
            (None, true, Target::Node(next)) if next == id => (walk.steps.len(), None),
            _ => {
                return Err(Failure::user(format!("node `{id}` is not on the path of this walk"))
                    .hinted("where shows the path; only its nodes and the next one can be answered"));
            }
        };
        if at == 0 && id != policy.root {
            return Err(Failure::user(format!("the loaded policy begins at `{}`, not at `{id}`", policy.root))
                .hinted("run starts the walk again under the loaded policy"));
        }
        let (judgement, prompt) = said.unwrap_or_default();
        let (node, answer) = (walk::node_ref(spec), answer.clone());
        let fork = self.branch(run, from, at)?;
        let step = Step { node, judgement, prompt, answer, taken: Taken::Overridden, target };
        self.record_step(run, fork, step)?;
        let hit = self.breakpoint_after_step(run)?;
        Ok(hit.map_or_else(|| self.at_leaf_or(Stop::Done), Stop::Breakpoint))
    }

    fn at_leaf_or(&self, stop: Stop) -> Stop {
        let at_leaf = self.state.walk_now().is_some_and(|w| w.leaf.is_some());
        if stop == Stop::Done && at_leaf { Stop::Leaf } else { stop }
    }
}
