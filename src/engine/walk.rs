//! Walks a tree: asks one node, chooses the edge, or takes a whole sample from the root to a leaf.
//!
//! Must not record anything: the caller decides what becomes a fact.

use super::prompt;
use crate::domain::{Cancel, Complaint, Examination, Judgement, Mode, Name, Sample, Target};
use crate::judge::{Judge, JudgeError, Look, Progress, Question};
use crate::policy::{Leaf, Node, Policy};
use crate::session::{LeafReached, NodeRef, Step, Taken};

/// Builds the question at a node: [`prompt::question`], or another wording if that is what is being measured.
pub type Ask = dyn Fn(&Policy, &Node, &Sample, Mode) -> Question;

/// The edge that a judgement takes at `node`: that of the most probable answer, or the node's `unsure` target if the
/// margin between the two most probable answers is below the node's limit. `None` only for a readout without answers.
pub fn choose(node: &Node, judgement: &Judgement) -> Option<(Name, Taken, Target)> {
    let best = judgement.readout.best()?;
    match &node.unsure {
        // Not `margin < limit`: a margin that is no number is not a sure one.
        Some(unsure) if !is_sure(judgement.readout.margin(), unsure.margin) => {
            Some((best.answer.clone(), Taken::Unsure, unsure.target.clone()))
        }
        _ => Some((best.answer.clone(), Taken::Argmax, node.target(best.answer.as_str())?.clone())),
    }
}

fn is_sure(margin: f64, limit: f64) -> bool {
    margin >= limit
}

/// Asks one node and takes the edge; the step keeps what the judge read.
pub fn ask(
    policy: &Policy,
    node: &Node,
    sample: &Sample,
    mode: Mode,
    judge: &mut dyn Judge,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<Step, JudgeError> {
    let question = prompt::question(policy, node, sample, mode);
    let step = step(node, judge.judge(&question, progress, cancel)?)?;
    let judgement = step.judgement.as_ref();
    let rationale = judgement.and_then(|j| j.rationale.as_ref()).map(|r| r.text.raw());
    // The answer stands even if the prompt it was read from cannot be shown.
    let prompt = match judge.examine(&question, rationale, Look::Prompt, cancel) {
        Ok(Examination::Prompt(pieces)) => pieces,
        _ => Vec::new(),
    };
    Ok(Step { prompt, ..step })
}

/// # Errors
/// If the judge gave no probabilities: a verdict from meaningless numbers would do as much harm as a wrong one.
fn step(node: &Node, judgement: Judgement) -> Result<Step, JudgeError> {
    if !judgement.readout.is_usable() {
        let answers = node.answers.iter().map(|(answer, _)| answer.as_str()).collect::<Vec<_>>().join(", ");
        let what = format!("node `{}`: the model gives the answers ({answers}) no probability at all", node.id);
        let hint = "the model file is damaged, or this model or chat format does not fit the question: take another";
        return Err(Complaint::new(what).hinted(hint).into());
    }
    let (answer, taken, target) =
        choose(node, &judgement).ok_or_else(|| JudgeError::Internal("the judge gave no answer".into()))?;
    Ok(Step { node: node_ref(node), judgement: Some(judgement), prompt: Vec::new(), answer, taken, target })
}

/// A node as a step refers to it.
pub fn node_ref(node: &Node) -> NodeRef {
    NodeRef { id: node.id.clone(), hash: node.hash }
}

/// What a leaf says, as it is recorded.
pub fn leaf_reached(leaf: &Leaf) -> LeafReached {
    LeafReached {
        id: leaf.id.clone(),
        verdict: leaf.verdict.clone(),
        severity: leaf.severity,
        action: leaf.action.clone(),
        rule_ids: leaf.rule_ids.clone(),
    }
}

/// A whole walk.
#[derive(Clone, Debug, PartialEq)]
pub struct Walked {
    /// Answered nodes, in order.
    pub steps: Vec<Step>,
    /// The leaf at the end.
    pub leaf: LeafReached,
}

/// A walk in progress whose nodes are asked by somebody else.
#[derive(Clone, Debug, PartialEq)]
pub struct Walking {
    sample: Sample,
    steps: Vec<Step>,
    next: Target,
}

impl Walking {
    /// `sample` at the root of `policy`.
    pub fn new(policy: &Policy, sample: Sample) -> Self {
        Self { sample, steps: Vec::new(), next: Target::Node(policy.root.clone()) }
    }

    /// The sample.
    pub fn sample(&self) -> &Sample {
        &self.sample
    }

    /// What is asked next, worded by `ask`; `None` at a leaf.
    pub fn question(&self, policy: &Policy, mode: Mode, ask: &Ask) -> Result<Option<Question>, JudgeError> {
        let Target::Node(id) = &self.next else { return Ok(None) };
        let node = policy.node(id.as_str()).ok_or_else(|| missing(id))?;
        Ok(Some(ask(policy, node, &self.sample, mode)))
    }

    /// Takes the edge of an answer. Returns the whole walk if it ends at a leaf.
    pub fn answered(&mut self, policy: &Policy, judgement: Judgement) -> Result<Option<Walked>, JudgeError> {
        let Target::Node(id) = &self.next else {
            return Err(JudgeError::Internal("an answer to a walk that is over".into()));
        };
        let step = step(policy.node(id.as_str()).ok_or_else(|| missing(id))?, judgement)?;
        self.next = step.target.clone();
        self.steps.push(step);
        let Target::Leaf(id) = &self.next else { return Ok(None) };
        let leaf = policy.leaf(id.as_str()).ok_or_else(|| missing(id))?;
        Ok(Some(Walked { steps: std::mem::take(&mut self.steps), leaf: leaf_reached(leaf) }))
    }
}

/// A target that validation should have refused.
pub fn missing(id: &Name) -> JudgeError {
    JudgeError::Internal(format!("the policy has no node or leaf `{id}`").into())
}
