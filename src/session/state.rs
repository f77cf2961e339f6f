//! `SessionState`: what the facts add up to. The same fold is used live, in replay and behind every view.
//!
//! Must change in [`SessionState::apply`] only, and must not do I/O.

use super::Persistent;
use super::fact::{Breakpoint, Fact, LeafReached, PolicyRecord, Stamp, Step, Subject, Taken, WalkId};
use crate::domain::{Mode, ModelInfo, Name, Sample, Target};
use crate::text::Untrusted;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// A note as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// About what.
    pub on: Subject,
    /// The text.
    pub text: Untrusted,
    /// By whom, and when, where the recording says.
    pub by: Option<Stamp>,
}

/// A tag as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    /// On what.
    pub on: Subject,
    /// The tag.
    pub tag: Name,
    /// By whom, and when, where the recording says.
    pub by: Option<Stamp>,
}

/// The state of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionState {
    /// The loaded policy.
    pub policy: Option<Arc<PolicyRecord>>,
    /// The one that was loaded before it.
    pub policy_before: Option<Arc<PolicyRecord>>,
    /// The loaded file of samples: path, good lines, bad lines.
    pub samples: Option<(Untrusted, usize, usize)>,
    /// The loaded judge.
    pub model: Option<Arc<ModelInfo>>,
    /// With or without rationale.
    pub mode: Mode,
    /// All walks, in the order they were started.
    pub walks: Vec<Walk>,
    /// Where each stands in `walks`: a recording can have very many.
    pub(super) numbers: HashMap<WalkId, usize>,
    /// The walk commands act on.
    pub current: Option<WalkId>,
    /// All breakpoints, by id.
    pub breakpoints: Vec<Breakpoint>,
    /// Expressions shown after every step.
    pub displays: Vec<(u32, String)>,
    /// Overridden classifier thresholds, for walks that begin from now on.
    pub thresholds: Vec<(Name, f64)>,
    /// Notes in the order they were written.
    pub notes: Vec<Note>,
    /// Tags in the order they were put.
    pub tags: Vec<Tag>,
    /// How many commands were given.
    pub commands: u64,
    /// The breakpoint at which execution stopped last, until the next step.
    pub stopped_at: Option<u32>,
    /// How many facts were applied.
    pub facts: u64,
    /// Where the walks stand in `walks` that have steps made since the session was last opened again. Some may be here
    /// more than once, and some may have taken those steps back.
    pub(super) computed: Vec<usize>,
}

/// The most displays that are computed after a step: each may take as long as any expression.
pub const MOST_DISPLAYS: usize = 32;

/// What answers are made under. A walk keeps those of each of its steps, whatever is loaded later.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// The policy whose nodes are asked.
    pub policy: Option<Arc<PolicyRecord>>,
    /// The judge that answers.
    pub model: Option<Arc<ModelInfo>>,
    /// With or without rationale.
    pub mode: Mode,
}

impl Conditions {
    /// Whether the policy is the same, file by file.
    pub fn same_policy(&self, other: &Self) -> bool {
        match (&self.policy, &other.policy) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || (a.sha256 == b.sha256 && a.files == b.files),
            (None, None) => true,
            _ => false,
        }
    }

    /// Whether the judges compute the same, wherever their files are. Also true if either side has no judge yet.
    pub fn same_model(&self, other: &Self) -> bool {
        let what = |m: &ModelInfo| (m.sha256, m.tokenizer_sha256, m.template_sha256);
        let how = |m: &ModelInfo| [m.kernel.clone(), m.isa.clone(), m.kv_dtype.clone(), m.device.clone()];
        match (&self.model, &other.model) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || (what(a) == what(b) && how(a) == how(b)),
            _ => true,
        }
    }

    /// Whether they are the very same, without looking into them.
    fn is(&self, other: &Self) -> bool {
        fn same<T>(a: &Option<Arc<T>>, b: &Option<Arc<T>>) -> bool {
            a.as_ref().map(Arc::as_ptr) == b.as_ref().map(Arc::as_ptr)
        }
        self.mode == other.mode && same(&self.policy, &other.policy) && same(&self.model, &other.model)
    }

    /// Whether answers made under both may be combined in one walk.
    pub fn same(&self, other: &Self) -> bool {
        self.mode == other.mode && self.same_model(other) && self.same_policy(other)
    }
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
    /// Its conditions: those of its last step, or of the session when it began.
    pub conditions: Arc<Conditions>,
    /// Overridden classifier thresholds that hold for it.
    pub thresholds: Vec<(Name, f64)>,
    /// The node that was asked first.
    pub root: Name,
    /// The walk it branched from, and how many steps they share.
    pub forked_from: Option<(WalkId, usize)>,
    /// Answered nodes, in order.
    pub steps: Persistent<Arc<Step>>,
    /// The conditions of each step; steps that a branch shares keep theirs.
    pub under: Persistent<Arc<Conditions>>,
    /// How many of them, from the first, were read back when the session was opened again; the others were computed
    /// since.
    pub read_back: usize,
    /// The end, if it was reached.
    pub leaf: Option<LeafReached>,
}

impl Walk {
    /// The number by which people call the sample: its place in its file, from 1. A recorded place can be any number.
    pub const fn number(&self) -> usize {
        self.index.saturating_add(1)
    }

    /// What comes next: the target of the last step, or the root.
    pub fn frontier(&self) -> Target {
        self.steps.last().map_or_else(|| Target::Node(self.root.clone()), |s| s.target.clone())
    }

    /// The human answer at a node, if there is one.
    pub fn gold_answer(&self, node: &Name) -> Option<&Name> {
        self.sample.gold.path.iter().find(|(n, _)| n == node).map(|(_, answer)| answer)
    }

    /// How many of its steps it shares with the walk it branched from.
    pub fn shared(&self) -> usize {
        self.forked_from.map_or(0, |(_, at)| at).min(self.steps.len())
    }

    /// What step `place`, from 0, was made under; past the last one, what the walk is made under.
    pub fn conditions_of(&self, place: usize) -> &Arc<Conditions> {
        self.under.get(place).unwrap_or(&self.conditions)
    }

    /// Whether it may continue under these conditions. A walk without steps accepts any judge and mode, but its root
    /// belongs to its policy.
    pub fn goes_on_under(&self, now: &Conditions) -> bool {
        if self.steps.is_empty() { self.conditions.same_policy(now) } else { self.conditions.same(now) }
    }

    /// Whether step `place`, from 0, was read back when the session was opened again.
    pub const fn is_read_back(&self, place: usize) -> bool {
        place < self.read_back
    }

    /// Whether all its steps were, and with them its leaf.
    pub const fn is_all_read_back(&self) -> bool {
        self.steps.len() <= self.read_back && self.read_back > 0
    }

    /// Nothing was made under its judge and mode as long as it has no steps, so it takes those of `now`.
    fn refresh_without_steps(&mut self, now: &Conditions) {
        if self.steps.is_empty() {
            self.conditions = Arc::new(Conditions { policy: self.conditions.policy.clone(), ..now.clone() });
        }
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
            policy_before: None,
            samples: None,
            model: None,
            mode: Mode::Rationale { max_tokens: Mode::DEFAULT_RATIONALE_TOKENS },
            walks: Vec::new(),
            numbers: HashMap::new(),
            current: None,
            breakpoints: Vec::new(),
            displays: Vec::new(),
            thresholds: Vec::new(),
            notes: Vec::new(),
            tags: Vec::new(),
            commands: 0,
            stopped_at: None,
            facts: 0,
            computed: Vec::new(),
        }
    }
}

impl SessionState {
    /// Applies one fact. Facts about walks that do not exist, and a new walk under a number already taken, are ignored:
    /// a session file comes from outside, and nothing in it may stop a reviewer from reading on.
    pub fn apply(&mut self, fact: &Fact) {
        self.facts += 1;
        match fact {
            Fact::Opened { .. } | Fact::Saved { .. } | Fact::ReviewOf { .. } => {}
            Fact::Resumed { .. } => {
                for at in std::mem::take(&mut self.computed) {
                    self.walks.get_mut(at).into_iter().for_each(|w| w.read_back = w.steps.len());
                }
            }
            Fact::Command { .. } => self.commands += 1,
            Fact::PolicyLoaded(record) => {
                self.policy_before = self.policy.replace(Arc::new(record.clone()));
            }
            Fact::SamplesLoaded { path, count, bad, .. } => self.samples = Some((path.clone(), *count, *bad)),
            Fact::ModelLoaded(info) => {
                self.model = Some(Arc::new(info.clone()));
                self.refresh_current();
            }
            Fact::ModeSet { mode } => {
                self.mode = *mode;
                self.refresh_current();
            }
            Fact::WalkStarted { walk, index, sample, root } => self.start(Walk {
                id: *walk,
                index: *index,
                sample: Arc::new(sample.clone()),
                conditions: Arc::new(self.conditions()),
                thresholds: self.thresholds.clone(),
                root: root.clone(),
                forked_from: None,
                steps: Persistent::default(),
                under: Persistent::default(),
                read_back: 0,
                leaf: None,
            }),
            Fact::WalkForked { walk, from, at } => {
                if let Some(source) = self.walk(*from) {
                    let mut fork = Walk {
                        id: *walk,
                        forked_from: Some((*from, *at)),
                        read_back: source.read_back.min(*at),
                        leaf: None,
                        conditions: Arc::new(self.conditions()),
                        thresholds: self.thresholds.clone(),
                        ..source.clone()
                    };
                    fork.steps.truncate(*at);
                    fork.under.truncate(*at);
                    if fork.read_back < fork.steps.len() {
                        self.computed.push(self.walks.len());
                    }
                    self.start(fork);
                }
            }
            Fact::Stepped { walk, step } => {
                self.stopped_at = None;
                let now = self.conditions();
                if let Some((at, w)) = self.numbers.get(walk).and_then(|at| Some((*at, self.walks.get_mut(*at)?))) {
                    if w.read_back == w.steps.len() {
                        self.computed.push(at);
                    }
                    if !w.conditions.is(&now) {
                        w.conditions = Arc::new(now);
                    }
                    w.under.push(Arc::clone(&w.conditions));
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
                let now = self.conditions();
                if let Some(w) = self.walk_mut(*walk) {
                    w.steps.truncate(*to);
                    w.under.truncate(*to);
                    w.read_back = w.read_back.min(*to);
                    w.leaf = None;
                    w.refresh_without_steps(&now);
                }
            }
            Fact::WalkSelected { walk } => {
                if self.walk(*walk).is_some() {
                    self.stopped_at = None;
                    self.current = Some(*walk);
                    self.refresh_current();
                }
            }
            Fact::BreakpointSet(breakpoint) => match self.breakpoints.binary_search_by_key(&breakpoint.id, |b| b.id) {
                Ok(at) => self.breakpoints.get_mut(at).into_iter().for_each(|old| old.clone_from(breakpoint)),
                Err(at) => self.breakpoints.insert(at, breakpoint.clone()),
            },
            Fact::BreakpointDeleted { id } => {
                if let Ok(at) = self.breakpoints.binary_search_by_key(id, |b| b.id) {
                    self.breakpoints.remove(at);
                }
            }
            Fact::BreakpointHit { id, .. } => {
                self.stopped_at = Some(*id);
                if let Ok(at) = self.breakpoints.binary_search_by_key(id, |b| b.id) {
                    self.breakpoints.get_mut(at).into_iter().for_each(|b| b.hits = b.hits.saturating_add(1));
                }
            }
            Fact::DisplayAdded { id, expr } => self.displays.push((*id, expr.clone())),
            Fact::DisplayRemoved { id } => self.displays.retain(|(i, _)| i != id),
            Fact::ThresholdSet { name, value } => {
                set_threshold(&mut self.thresholds, name, *value);
                if let Some(w) = self.current.and_then(|id| self.walk_mut(id)) {
                    set_threshold(&mut w.thresholds, name, *value);
                }
            }
            Fact::Noted { on, text, by } => self.notes.push(Note { on: *on, text: text.clone(), by: by.clone() }),
            Fact::Tagged { on, tag, by } => self.tags.push(Tag { on: *on, tag: tag.clone(), by: by.clone() }),
            Fact::Examined { .. } | Fact::Cancelled { .. } | Fact::Failed { .. } => {}
        }
    }

    /// What the next answer is made under.
    pub fn conditions(&self) -> Conditions {
        Conditions { policy: self.policy.clone(), model: self.model.clone(), mode: self.mode }
    }

    /// The threshold overrides that apply to the screen: those of the current walk.
    pub fn thresholds_now(&self) -> &[(Name, f64)] {
        self.walk_now().map_or(&self.thresholds, |walk| &walk.thresholds)
    }

    /// The walk commands act on.
    pub fn walk_now(&self) -> Option<&Walk> {
        self.walk(self.current?)
    }

    /// A walk by its number.
    pub fn walk(&self, id: WalkId) -> Option<&Walk> {
        self.walks.get(*self.numbers.get(&id)?)
    }

    /// How many notes and tags are about step `place` of a walk, from 0, counted where the step was made: a branch
    /// shares the notes on the steps it shares.
    pub fn remarks_on(&self, walk: &Walk, place: usize) -> usize {
        let mut walk = walk;
        // Numbers of walks come from a file: a ring of branches must not hold anybody up.
        for _ in 0..self.walks.len() {
            match walk.forked_from.filter(|(_, shared)| place < *shared).and_then(|(from, _)| self.walk(from)) {
                Some(from) => walk = from,
                None => break,
            }
        }
        let here = Subject::Step(walk.id, place);
        self.notes.iter().filter(|n| n.on == here).count() + self.tags.iter().filter(|t| t.on == here).count()
    }

    /// The number of the next walk: above all others, or the lowest free one if a session file used up the highest.
    pub fn next_walk(&self) -> WalkId {
        let highest = self.walks.iter().map(|w| w.id.0).max().unwrap_or(0);
        let above = highest.checked_add(1).map(WalkId);
        above.or_else(|| (1..).map(WalkId).find(|id| self.walk(*id).is_none())).unwrap_or(WalkId(0))
    }

    fn walk_mut(&mut self, id: WalkId) -> Option<&mut Walk> {
        self.walks.get_mut(*self.numbers.get(&id)?)
    }

    /// Nothing was made under the judge and mode of a walk without steps yet, so it takes the new ones: at once if it
    /// is the current one, else when it is that again.
    fn refresh_current(&mut self) {
        let now = self.conditions();
        if let Some(walk) = self.current.and_then(|id| self.walk_mut(id)) {
            walk.refresh_without_steps(&now);
        }
    }

    fn start(&mut self, walk: Walk) {
        if let Entry::Vacant(free) = self.numbers.entry(walk.id) {
            free.insert(self.walks.len());
            self.stopped_at = None;
            self.current = Some(walk.id);
            self.walks.push(walk);
        }
    }
}

fn set_threshold(thresholds: &mut Vec<(Name, f64)>, name: &Name, value: f64) {
    thresholds.retain(|(n, _)| n != name);
    thresholds.push((name.clone(), value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{arbitrary, wire};
    use proptest::prelude::*;

    const WALK: WalkId = WalkId(7);

    fn folded<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> SessionState {
        let mut state = SessionState::default();
        facts.into_iter().for_each(|fact| state.apply(fact));
        state
    }

    /// A walk of some steps with its leaf, after any other facts.
    fn walked() -> impl Strategy<Value = (SessionState, Vec<Step>, LeafReached)> {
        let start = arbitrary::walk_started().prop_map(|fact| match fact {
            Fact::WalkStarted { index, sample, root, .. } => Fact::WalkStarted { walk: WALK, index, sample, root },
            other => other,
        });
        let steps = prop::collection::vec(arbitrary::step(), 1..6);
        (arbitrary::session(0..10), start, steps, arbitrary::leaf()).prop_map(|(before, start, steps, leaf)| {
            let mut state = folded(before.iter().chain([&start]));
            for step in &steps {
                state.apply(&Fact::Stepped { walk: WALK, step: step.clone() });
            }
            state.apply(&Fact::LeafReached { walk: WALK, leaf: leaf.clone() });
            (state, steps, leaf)
        })
    }

    proptest! {
        #[test]
        fn steps_taken_back_and_taken_again_leave_the_walk_as_it_was((live, steps, leaf) in walked(), to in 0..6_usize) {
            let mut state = live.clone();
            state.apply(&Fact::SteppedBack { walk: WALK, to });
            let walk = state.walk(WALK).expect("started above");
            prop_assert_eq!(walk.steps.len(), to.min(steps.len()));
            prop_assert!(walk.leaf.is_none());
            for step in steps.iter().skip(to) {
                state.apply(&Fact::Stepped { walk: WALK, step: step.clone() });
            }
            state.apply(&Fact::LeafReached { walk: WALK, leaf });
            prop_assert_eq!(&state.walks, &live.walks);
        }

        #[test]
        fn a_fork_shares_the_steps_before_it_and_leaves_its_source_alone((live, steps, _) in walked(), at in 0..7_usize) {
            let mut state = live.clone();
            let fork = state.next_walk();
            state.apply(&Fact::WalkForked { walk: fork, from: WALK, at });
            state.apply(&Fact::Stepped { walk: fork, step: steps[0].clone() });
            let (source, branch) = (state.walk(WALK).expect("source"), state.walk(fork).expect("branch"));
            prop_assert_eq!(Some(source), live.walk(WALK));
            prop_assert_eq!(state.current, Some(fork));
            let shared = at.min(steps.len());
            prop_assert_eq!(branch.steps.len(), shared + 1);
            prop_assert!(branch.steps.iter().zip(&source.steps).take(shared).all(|(b, s)| Arc::ptr_eq(b, s)));
            prop_assert_eq!(branch.forked_from, Some((WALK, at)));
            prop_assert!(branch.leaf.is_none());
        }

        #[test]
        fn what_a_walk_was_made_under_changes_by_its_own_steps_alone(
            (live, steps, _) in walked(),
            later in prop::collection::vec(arbitrary::fact(), 0..12),
        ) {
            let mut state = live.clone();
            for fact in &later {
                let about_it = match fact {
                    Fact::Stepped { walk, .. } | Fact::SteppedBack { walk, .. } => *walk == WALK,
                    Fact::ThresholdSet { .. } => true,
                    _ => false,
                };
                if !about_it {
                    state.apply(fact);
                }
            }
            let (before, after) = (live.walk(WALK).expect("started"), state.walk(WALK).expect("started"));
            prop_assert_eq!((&before.conditions, &before.under), (&after.conditions, &after.under));
            prop_assert_eq!(&before.thresholds, &after.thresholds);
            prop_assert_eq!(after.under.len(), steps.len());
            for walk in &state.walks {
                prop_assert_eq!(walk.under.len(), walk.steps.len());
            }
        }

        #[test]
        fn facts_read_back_from_their_written_form_add_up_to_the_live_state(facts in arbitrary::session(0..30)) {
            let written: Vec<String> = facts.iter().map(wire::to_text).collect();
            let back: Vec<Fact> = written.iter().map(|t| wire::from_text(t.as_bytes()).expect("written by us")).collect();
            prop_assert_eq!(folded(&back), folded(&facts));
        }

        #[test]
        fn no_order_of_facts_however_absurd_stops_the_fold(facts in prop::collection::vec(arbitrary::fact(), 0..40)) {
            let state = folded(&facts);
            prop_assert_eq!(state.facts, facts.len() as u64);
            prop_assert!(state.current.is_none_or(|id| state.walk(id).is_some()));
            let mut ids: Vec<WalkId> = state.walks.iter().map(|w| w.id).collect();
            ids.sort();
            ids.dedup();
            prop_assert_eq!(ids.len(), state.walks.len(), "walks with one number");
            prop_assert!(state.walk(state.next_walk()).is_none());
        }
    }

    #[test]
    fn what_was_there_when_a_session_was_opened_again_is_told_from_what_came_after() {
        let step = || Fact::Stepped { walk: WALK, step: sampled(arbitrary::step()) };
        let start = match sampled(arbitrary::walk_started()) {
            Fact::WalkStarted { index, sample, root, .. } => Fact::WalkStarted { walk: WALK, index, sample, root },
            other => other,
        };
        let resumed = Fact::Resumed { at: "2026-01-01T00:00:00Z".to_owned() };
        let mut state = folded(&[start, step(), step()]);
        let read_back = |state: &SessionState, walk| state.walk(walk).map(|w| (w.read_back, w.is_all_read_back()));
        assert_eq!(read_back(&state, WALK), Some((0, false)));
        for (fact, expected) in [
            (resumed.clone(), (2, true)),
            (step(), (2, false)),
            (Fact::SteppedBack { walk: WALK, to: 1 }, (1, true)),
            (step(), (1, false)),
            (resumed, (2, true)),
        ] {
            state.apply(&fact);
            assert_eq!(read_back(&state, WALK), Some(expected), "{fact:?}");
        }
        let fork = state.next_walk();
        state.apply(&Fact::WalkForked { walk: fork, from: WALK, at: 1 });
        state.apply(&Fact::Stepped { walk: fork, step: sampled(arbitrary::step()) });
        assert_eq!(read_back(&state, fork), Some((1, false)));
        assert_eq!(read_back(&state, WALK), Some((2, true)), "the source of a branch stays as it was");
    }

    /// One value of a strategy.
    fn sampled<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> T {
        use proptest::strategy::ValueTree as _;
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        strategy.new_tree(&mut runner).expect("a value").current()
    }

    #[test]
    fn a_recording_of_many_branches_of_a_long_walk_costs_what_its_size_is() {
        // Each branch had its own copy of all steps: 20,000 × 20,000 pointers are more than 3 GB.
        let (count, step) = (20_000_u32, sampled(arbitrary::step()));
        let mut state = folded(&[started(WALK)]);
        for _ in 0..count {
            state.apply(&Fact::Stepped { walk: WALK, step: step.clone() });
        }
        for n in 0..count {
            let walk = WalkId(WALK.0 + 1 + n);
            state.apply(&Fact::WalkForked { walk, from: WALK, at: count as usize });
            state.apply(&Fact::Stepped { walk, step: step.clone() });
        }
        let last = state.walk_now().map(|walk| (walk.steps.len(), walk.under.len()));
        assert_eq!(last, Some((count as usize + 1, count as usize + 1)));
    }

    #[test]
    fn a_recording_of_many_walks_and_many_modes_costs_what_its_size_is() {
        // Every change of the mode, and every time the session was opened again, went through all walks.
        let count = 30_000_u32;
        let mut state = folded((1..=count).map(|n| started(WalkId(n))).collect::<Vec<_>>().iter());
        for n in 0..count {
            state.apply(&Fact::ModeSet { mode: Mode::Rationale { max_tokens: n } });
            state.apply(&Fact::Resumed { at: String::new() });
        }
        let mode = |state: &SessionState, id| state.walk(WalkId(id)).map(|walk| walk.conditions.mode);
        let now = Mode::Rationale { max_tokens: count - 1 };
        assert_eq!(mode(&state, count), Some(now), "the current one");
        state.apply(&Fact::WalkSelected { walk: WalkId(1) });
        assert_eq!(mode(&state, 1), Some(now), "one without steps that is selected");
    }

    fn started(walk: WalkId) -> Fact {
        let sample = Sample::new("s", crate::domain::Content::Text("x".into()));
        Fact::WalkStarted { walk, index: 0, sample, root: arbitrary::name("root") }
    }

    #[test]
    fn counters_at_their_limit_do_not_overflow() {
        let hit = Fact::BreakpointHit { id: 1, walk: WALK, at: arbitrary::name("n") };
        let breakpoint = Breakpoint {
            id: 1,
            at: crate::domain::BreakAt::Anywhere,
            condition: None,
            temporary: false,
            enabled: true,
            hits: u32::MAX,
        };
        assert_eq!(folded(&[Fact::BreakpointSet(breakpoint), hit]).breakpoints[0].hits, u32::MAX);
    }
}
