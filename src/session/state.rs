//! `SessionState`: what the facts add up to. Live, in replay and behind every view it is the same fold.
//!
//! Must change in [`SessionState::apply`] only, and must not do I/O.

use super::fact::{Breakpoint, Fact, LeafReached, PolicyRecord, Step, Subject, Taken, WalkId};
use crate::domain::{Mode, ModelInfo, Name, Sample, Target};
use crate::text::Untrusted;
use std::sync::Arc;

/// The state of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionState {
    /// The loaded policy.
    pub policy: Option<Arc<PolicyRecord>>,
    /// The loaded file of samples: path, good lines, bad lines.
    pub samples: Option<(Untrusted, usize, usize)>,
    /// The loaded judge.
    pub model: Option<Arc<ModelInfo>>,
    /// With or without rationale.
    pub mode: Mode,
    /// All walks, in the order they were started.
    pub walks: Vec<Walk>,
    /// The walk commands act on.
    pub current: Option<WalkId>,
    /// All breakpoints, by id.
    pub breakpoints: Vec<Breakpoint>,
    /// Expressions shown after every step.
    pub displays: Vec<(u32, String)>,
    /// Overridden classifier thresholds.
    pub thresholds: Vec<(Name, f64)>,
    /// Notes in the order they were written.
    pub notes: Vec<(Subject, Untrusted)>,
    /// Tags in the order they were put.
    pub tags: Vec<(Subject, Name)>,
    /// Canonical lines of all commands.
    pub commands: Vec<String>,
    /// The breakpoint at which execution stopped last, until the next step.
    pub stopped_at: Option<u32>,
    /// How many facts were applied.
    pub facts: u64,
}

/// One sample on its way through the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Walk {
    /// Its number.
    pub id: WalkId,
    /// Place of the sample in its file, from 0.
    pub index: usize,
    /// The sample.
    pub sample: Arc<Sample>,
    /// The policy it was started under.
    pub policy: Option<Arc<PolicyRecord>>,
    /// The judge it was started with.
    pub model: Option<Arc<ModelInfo>>,
    /// The node that was asked first.
    pub root: Name,
    /// The walk it branched from, and how many steps they share.
    pub forked_from: Option<(WalkId, usize)>,
    /// Answered nodes, in order.
    pub steps: Vec<Arc<Step>>,
    /// The end, where it was reached.
    pub leaf: Option<LeafReached>,
}

impl Walk {
    /// What comes next: the target of the last step, or the root.
    pub fn frontier(&self) -> Target {
        self.steps.last().map_or_else(|| Target::Node(self.root.clone()), |s| s.target.clone())
    }

    /// Whether a person answered any of its nodes.
    pub fn overridden(&self) -> bool {
        self.steps.iter().any(|s| s.taken == Taken::Overridden)
    }
}

impl Default for SessionState {
    fn default() -> Self {
        Self {
            policy: None,
            samples: None,
            model: None,
            mode: Mode::Rationale { max_tokens: Mode::DEFAULT_RATIONALE_TOKENS },
            walks: Vec::new(),
            current: None,
            breakpoints: Vec::new(),
            displays: Vec::new(),
            thresholds: Vec::new(),
            notes: Vec::new(),
            tags: Vec::new(),
            commands: Vec::new(),
            stopped_at: None,
            facts: 0,
        }
    }
}

impl SessionState {
    /// Applies one fact. Facts about walks that do not exist change nothing: a journal is checked when it is read.
    pub fn apply(&mut self, fact: &Fact) {
        self.facts += 1;
        match fact {
            Fact::Opened { .. } | Fact::Resumed { .. } | Fact::Saved { .. } => {}
            Fact::Command { line } => self.commands.push(line.clone()),
            Fact::PolicyLoaded(record) => self.policy = Some(Arc::new(record.clone())),
            Fact::SamplesLoaded { path, count, bad, .. } => self.samples = Some((path.clone(), *count, *bad)),
            Fact::ModelLoaded(info) => self.model = Some(Arc::new(info.clone())),
            Fact::ModeSet(mode) => self.mode = *mode,
            Fact::WalkStarted { walk, index, sample, root } => self.start(Walk {
                id: *walk,
                index: *index,
                sample: Arc::new(sample.clone()),
                policy: self.policy.clone(),
                model: self.model.clone(),
                root: root.clone(),
                forked_from: None,
                steps: Vec::new(),
                leaf: None,
            }),
            Fact::WalkForked { walk, from, at } => {
                if let Some(source) = self.walk(*from) {
                    let fork = Walk {
                        id: *walk,
                        forked_from: Some((*from, *at)),
                        steps: source.steps.iter().take(*at).cloned().collect(),
                        leaf: None,
                        policy: self.policy.clone(),
                        model: self.model.clone(),
                        ..source.clone()
                    };
                    self.start(fork);
                }
            }
            Fact::Stepped { walk, step } => {
                self.stopped_at = None;
                if let Some(w) = self.walk_mut(*walk) {
                    w.steps.push(Arc::new(step.clone()));
                }
            }
            Fact::LeafReached { walk, leaf } => {
                if let Some(w) = self.walk_mut(*walk) {
                    w.leaf = Some(leaf.clone());
                }
            }
            Fact::SteppedBack { walk, to } => {
                self.stopped_at = None;
                if let Some(w) = self.walk_mut(*walk) {
                    w.steps.truncate(*to);
                    w.leaf = None;
                }
            }
            Fact::BreakpointSet(breakpoint) => {
                self.breakpoints.retain(|b| b.id != breakpoint.id);
                self.breakpoints.push(breakpoint.clone());
                self.breakpoints.sort_by_key(|b| b.id);
            }
            Fact::BreakpointDeleted { id } => self.breakpoints.retain(|b| b.id != *id),
            Fact::BreakpointHit { id, .. } => {
                self.stopped_at = Some(*id);
                if let Some(b) = self.breakpoints.iter_mut().find(|b| b.id == *id) {
                    b.hits += 1;
                }
            }
            Fact::DisplayAdded { id, expr } => self.displays.push((*id, expr.clone())),
            Fact::DisplayRemoved { id } => self.displays.retain(|(i, _)| i != id),
            Fact::ThresholdSet { name, value } => {
                self.thresholds.retain(|(n, _)| n != name);
                self.thresholds.push((name.clone(), *value));
            }
            Fact::Noted { on, text } => self.notes.push((*on, text.clone())),
            Fact::Tagged { on, tag } => self.tags.push((*on, tag.clone())),
            Fact::Cancelled { .. } | Fact::Failed { .. } => {}
        }
    }

    /// The walk commands act on.
    pub fn walk_now(&self) -> Option<&Walk> {
        self.walk(self.current?)
    }

    /// A walk by its number.
    pub fn walk(&self, id: WalkId) -> Option<&Walk> {
        self.walks.iter().find(|w| w.id == id)
    }

    /// The number the next walk gets.
    pub fn next_walk(&self) -> WalkId {
        WalkId(self.walks.iter().map(|w| w.id.0).max().unwrap_or(0) + 1)
    }

    fn walk_mut(&mut self, id: WalkId) -> Option<&mut Walk> {
        self.walks.iter_mut().find(|w| w.id == id)
    }

    fn start(&mut self, walk: Walk) {
        self.stopped_at = None;
        self.current = Some(walk.id);
        self.walks.push(walk);
    }
}
