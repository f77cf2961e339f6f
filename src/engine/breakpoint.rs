//! Breakpoints: setting them, and deciding whether one stops. Must not take steps or edges itself.
//!
//! A node breakpoint without a condition stops before the node is asked. With a condition it stops after, when there is
//! something to test: the condition sees the answer, its probabilities, margin and coverage.

use super::{Engine, Execution, Failure, Stop, meant};
use crate::domain::{BreakAt, Name, Target};
use crate::session::expr::{self, Moment, Vocabulary};
use crate::session::{Breakpoint, Fact, Taken};

impl Engine {
    pub(super) fn set_breakpoint(
        &mut self,
        run: &mut Execution,
        at: &BreakAt,
        condition: Option<&str>,
        temporary: bool,
    ) -> Result<Stop, Failure> {
        self.check_place(at)?;
        if let Some(condition) = condition {
            self.check_condition(at, condition)?;
        }
        self.breakpoints_made = self.breakpoints_made.checked_add(1).ok_or_else(too_many)?;
        let breakpoint = Breakpoint {
            id: self.breakpoints_made,
            at: at.clone(),
            condition: condition.map(str::to_owned),
            temporary,
            enabled: true,
            hits: 0,
        };
        self.done(run, Fact::BreakpointSet(breakpoint))
    }

    /// Refuses a condition that cannot be read or never holds, when it is given rather than when it is first needed.
    fn check_condition(&self, at: &BreakAt, condition: &str) -> Result<(), Failure> {
        let policy = self.policy()?;
        let node = match at {
            BreakAt::Place(id) | BreakAt::Answer(id, _) => policy.node(id.as_str()),
            BreakAt::Anywhere => None,
        };
        let policies = [policy.as_ref()];
        let at = Vocabulary { moment: Moment::Breakpoint, policies: &policies, node, ..self.vocabulary() };
        Ok(expr::check(condition, &at)?)
    }

    /// What the samples and the session give to name.
    pub(super) fn vocabulary(&self) -> Vocabulary<'_> {
        let samples = self.samples.as_ref().map(|set| set.samples.as_slice());
        Vocabulary { samples, thresholds: &self.state.thresholds, ..Vocabulary::default() }
    }

    fn check_place(&self, at: &BreakAt) -> Result<(), Failure> {
        let policy = self.policy()?;
        match at {
            BreakAt::Anywhere => Ok(()),
            BreakAt::Place(id) if policy.leaf(id.as_str()).is_some() => Ok(()),
            BreakAt::Place(id) => match policy.node(id.as_str()) {
                Some(_) => Ok(()),
                None => Err(meant::no_place(&policy, id)),
            },
            BreakAt::Answer(node, answer) => {
                self.node_id(node)?;
                let Some(spec) = policy.node(node.as_str()) else { return Ok(()) };
                if spec.target(answer.as_str()).is_some() {
                    return Ok(());
                }
                Err(meant::no_answer(spec, answer))
            }
        }
    }

    fn breakpoint(&self, id: u32) -> Result<Breakpoint, Failure> {
        self.state
            .breakpoints
            .iter()
            .find(|b| b.id == id)
            .cloned()
            .ok_or_else(|| Failure::user(format!("there is no breakpoint {id}")).hinted("info breakpoints lists them"))
    }

    pub(super) fn set_condition(
        &mut self,
        run: &mut Execution,
        id: u32,
        condition: Option<&str>,
    ) -> Result<Stop, Failure> {
        let breakpoint = self.breakpoint(id)?;
        if let Some(condition) = condition {
            self.check_condition(&breakpoint.at, condition)?;
        }
        let breakpoint = Breakpoint { condition: condition.map(str::to_owned), ..breakpoint };
        self.done(run, Fact::BreakpointSet(breakpoint))
    }

    pub(super) fn enable(&mut self, run: &mut Execution, id: Option<u32>, enabled: bool) -> Result<Stop, Failure> {
        let chosen = match id {
            Some(id) => vec![self.breakpoint(id)?],
            None => self.state.breakpoints.clone(),
        };
        for breakpoint in chosen {
            self.record(run, Fact::BreakpointSet(Breakpoint { enabled, ..breakpoint }))?;
        }
        Ok(Stop::Done)
    }

    pub(super) fn delete(&mut self, run: &mut Execution, id: Option<u32>) -> Result<Stop, Failure> {
        let ids = match id {
            Some(id) => vec![self.breakpoint(id)?.id],
            None => self.state.breakpoints.iter().map(|b| b.id).collect(),
        };
        for id in ids {
            self.record(run, Fact::BreakpointDeleted { id })?;
        }
        Ok(Stop::Done)
    }

    /// Whether a breakpoint without condition waits at the node that comes next.
    pub(super) fn breakpoint_on_arrival(&mut self, run: &mut Execution) -> Result<Option<u32>, Failure> {
        let Target::Node(next) = self.current_walk()?.frontier() else { return Ok(None) };
        let found =
            self.state.breakpoints.iter().find(|b| b.enabled && b.condition.is_none() && matches_place(&b.at, &next));
        match found.map(|b| b.id) {
            Some(id) => self.hit(run, id, next).map(Some),
            None => Ok(None),
        }
    }

    /// The first breakpoint, by number, that the step just recorded (or the place it led to) runs into.
    pub(super) fn breakpoint_after_step(&mut self, run: &mut Execution) -> Result<Option<u32>, Failure> {
        let walk = self.current_walk()?;
        let Some(step) = walk.steps.last().cloned() else { return Ok(None) };
        let target = step.target.clone();
        let mut found = None;
        for b in self.state.breakpoints.iter().filter(|b| b.enabled) {
            let place = match &b.at {
                BreakAt::Answer(node, answer) if *node == step.node.id && *answer == step.answer => Some(node.clone()),
                BreakAt::Answer(..) => None,
                at @ (BreakAt::Place(_) | BreakAt::Anywhere) => match (&b.condition, &target) {
                    (Some(_), _) if matches_place(at, &step.node.id) => Some(step.node.id.clone()),
                    (_, Target::Leaf(id)) if *at == BreakAt::Place(id.clone()) => Some(id.clone()),
                    (None, Target::Node(id)) if matches_place(at, id) => Some(id.clone()),
                    _ => None,
                },
            };
            let Some(place) = place else { continue };
            let holds = match &b.condition {
                Some(condition) => self.holds(condition, b.hits).map_err(|failure| {
                    Failure::user(format!("condition of breakpoint {}: {}", b.id, failure.complaint.message.raw()))
                        .hinted(format!("condition {} EXPR sets another one, condition {} removes it", b.id, b.id))
                })?,
                None => true,
            };
            if holds {
                found = Some((b.id, place));
                break;
            }
        }
        match found {
            Some((id, place)) => self.hit(run, id, place).map(Some),
            None => Ok(None),
        }
    }

    fn hit(&mut self, run: &mut Execution, id: u32, at: Name) -> Result<u32, Failure> {
        let walk = self.current_walk()?.id;
        self.record(run, Fact::BreakpointHit { id, walk, at })?;
        if self.breakpoint(id)?.temporary {
            self.record(run, Fact::BreakpointDeleted { id })?;
        }
        Ok(id)
    }

    fn holds(&self, condition: &str, hits: u32) -> Result<bool, Failure> {
        let context = expr::Context::of(&self.state).with_hits(hits);
        let by_hand = self.state.walk_now().and_then(|walk| walk.steps.last()).map(|step| step.taken);
        // The margin kept beside a person's answer is that of the answer the model gave.
        let context = if by_hand == Some(Taken::Overridden) { context.without_judgement() } else { context };
        Ok(expr::Condition::read(condition)?.holds(&context)?)
    }
}

/// Numbers are never reused; only a damaged or hostile session comes near the last one.
pub(super) fn too_many() -> Failure {
    Failure::user("this session has no numbers left").hinted("begin a new session")
}

fn matches_place(at: &BreakAt, id: &Name) -> bool {
    match at {
        BreakAt::Place(place) => place == id,
        BreakAt::Anywhere => true,
        BreakAt::Answer(..) => false,
    }
}
