//! `Replay`: a cursor over the facts of a recorded session. The state at every position comes from the same fold as it
//! did live.
//!
//! Must need no model, policy file or sample file, and must not write; `Journal::resume` continues a session.

use super::{Fact, SessionState, WalkId};
use std::sync::Arc;

/// How far a cursor moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stride {
    /// One fact.
    Fact,
    /// To the next answered node: after it, and after the breakpoint or leaf it led to.
    Step,
    /// To the next leaf, note, tag or branch.
    Stop,
    /// Moves to the next place of a walk: after a step, a start, a branch, a step back or a switch to another walk, and
    /// after the breakpoint or leaf that this led to.
    Move,
    /// To the next walk: after the sample was selected or the branch was made.
    Walk,
}

/// How often a state is kept, in facts, so that going back does not fold from the start.
const KEEP_EVERY: usize = 256;

/// States are kept further apart where there would be more than this many: each may be as large as the recording.
const MOST_KEPT: usize = 16;

/// A recorded session and a position in it: that many facts have happened.
#[derive(Clone, Debug)]
pub struct Replay {
    facts: Vec<Arc<Fact>>,
    at: usize,
    state: SessionState,
    /// The walk that was current in the recording, where another one was selected for looking.
    instead_of: Option<Option<WalkId>>,
    /// How many facts lie between two states that are kept.
    every: usize,
    /// States at 0, `every`, twice that, …, as far as the cursor has been.
    kept: Vec<SessionState>,
}

impl Replay {
    /// At position 0: nothing has happened yet.
    pub fn new(facts: Vec<Fact>) -> Self {
        let state = SessionState::default();
        Self {
            every: facts.len().div_ceil(MOST_KEPT).max(KEEP_EVERY),
            facts: facts.into_iter().map(Arc::new).collect(),
            at: 0,
            instead_of: None,
            kept: vec![state.clone()],
            state,
        }
    }

    /// The state at the position.
    pub fn state(&self) -> &SessionState {
        &self.state
    }

    /// How many facts have happened.
    pub fn position(&self) -> usize {
        self.at
    }

    /// All facts of the session, those to come included.
    pub fn facts(&self) -> &[Arc<Fact>] {
        &self.facts
    }

    /// Whether nothing is to come.
    pub fn is_at_end(&self) -> bool {
        self.at == self.facts.len()
    }

    /// The position after the next `count` stops of that kind, or the end.
    pub fn ahead(&self, stride: Stride, count: u32) -> usize {
        let end = self.facts.len();
        let mut to = self.at;
        for _ in 0..count {
            to = (to + 1..end).find(|p| self.is_stop(*p, stride)).unwrap_or(end);
            if to == end {
                break;
            }
        }
        to
    }

    /// The position after the last `count` stops of that kind before the position, or the start.
    pub fn behind(&self, stride: Stride, count: u32) -> usize {
        let mut to = self.at;
        for _ in 0..count {
            to = (1..to).rev().find(|p| self.is_stop(*p, stride)).unwrap_or(0);
            if to == 0 {
                break;
            }
        }
        to
    }

    /// The next position to which a walk comes in a session that `fits`: after a [`Stride::Move`], or at the end.
    pub fn next_place(&self, fits: impl Fn(&SessionState) -> bool) -> Option<usize> {
        let mut state = self.state.clone();
        state.current = self.instead_of.unwrap_or(state.current);
        let mut moved = false;
        for (at, fact) in self.facts.iter().enumerate().skip(self.at) {
            state.apply(fact);
            moved |= moves(fact);
            let position = at + 1;
            if position == self.facts.len() || self.is_stop(position, Stride::Move) {
                if moved && fits(&state) {
                    return Some(position);
                }
                moved = false;
            }
        }
        None
    }

    /// Moves forward to the next stop of that kind, or to the end; returns the facts passed on the way.
    pub fn forward(&mut self, stride: Stride) -> &[Arc<Fact>] {
        let (from, to) = (self.at, self.ahead(stride, 1));
        self.seek(to);
        self.facts.get(from..to).unwrap_or_default()
    }

    /// Moves back to the last stop of that kind before the position, or to the start; returns how many facts were
    /// undone.
    pub fn back(&mut self, stride: Stride) -> usize {
        let (from, to) = (self.at, self.behind(stride, 1));
        self.seek(to);
        from - to
    }

    /// Selects an existing walk to look at; the next movement returns to the recorded one. Returns whether there is
    /// such a walk.
    pub fn select(&mut self, walk: WalkId) -> bool {
        if self.state.walk(walk).is_none() {
            return false;
        }
        self.instead_of.get_or_insert(self.state.current);
        self.state.current = Some(walk);
        true
    }

    /// Lets `fact` happen now, before what is to come.
    pub fn insert(&mut self, fact: Fact) {
        self.state.apply(&fact);
        self.facts.insert(self.at, Arc::new(fact));
        self.kept.truncate(self.at / self.every + 1);
        self.at += 1;
        self.keep_state();
    }

    /// Keeps the recorded state at this position, if it is one of those to be kept.
    fn keep_state(&mut self) {
        if self.at == self.kept.len() * self.every {
            let current = self.instead_of.unwrap_or(self.state.current);
            self.kept.push(SessionState { current, ..self.state.clone() });
        }
    }

    /// Moves to a position, or to the end if there are not that many facts.
    pub fn seek(&mut self, position: usize) {
        if let Some(recorded) = self.instead_of.take() {
            self.state.current = recorded;
        }
        let position = position.min(self.facts.len());
        if position < self.at {
            let nearest = (position / self.every).min(self.kept.len() - 1);
            self.state = self.kept.get(nearest).cloned().unwrap_or_default();
            self.at = nearest * self.every;
        }
        while self.at < position {
            if let Some(fact) = self.facts.get(self.at) {
                self.state.apply(fact);
            }
            self.at += 1;
            self.keep_state();
        }
    }

    /// Whether a cursor of that stride stops after the first `position` facts.
    fn is_stop(&self, position: usize, stride: Stride) -> bool {
        let last = position.checked_sub(1).and_then(|p| self.facts.get(p)).map(Arc::as_ref);
        let next = self.facts.get(position).map(Arc::as_ref);
        let follows = matches!(next, Some(Fact::LeafReached { .. } | Fact::BreakpointHit { .. }));
        let led_to = matches!(last, Some(Fact::LeafReached { .. } | Fact::BreakpointHit { .. }));
        match stride {
            Stride::Fact => true,
            Stride::Step => !follows && (led_to || matches!(last, Some(Fact::Stepped { .. }))),
            Stride::Move => !follows && (led_to || last.is_some_and(moves)),
            Stride::Stop => matches!(
                last,
                Some(Fact::LeafReached { .. } | Fact::Noted { .. } | Fact::Tagged { .. } | Fact::WalkForked { .. })
            ),
            Stride::Walk => matches!(last, Some(Fact::WalkStarted { .. } | Fact::WalkForked { .. })),
        }
    }
}

/// Whether it moves a walk to another place, or makes another walk the current one.
fn moves(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Stepped { .. }
            | Fact::WalkStarted { .. }
            | Fact::WalkForked { .. }
            | Fact::SteppedBack { .. }
            | Fact::WalkSelected { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Content, Sample};
    use crate::session::Step;
    use crate::session::arbitrary;
    use proptest::prelude::*;
    use proptest::strategy::ValueTree as _;

    fn strides() -> impl Strategy<Value = Stride> {
        prop::sample::select(vec![Stride::Fact, Stride::Step, Stride::Stop, Stride::Move, Stride::Walk])
    }

    fn folded(facts: &[Fact]) -> SessionState {
        let mut state = SessionState::default();
        facts.iter().for_each(|fact| state.apply(fact));
        state
    }

    proptest! {
        #[test]
        fn however_the_cursor_moves_the_state_is_the_fold_of_what_has_happened(
            facts in arbitrary::session(0..40),
            moves in prop::collection::vec((any::<bool>(), strides()), 0..12),
        ) {
            let mut replay = Replay::new(facts.clone());
            for (forward, stride) in moves {
                let before = replay.position();
                if forward {
                    let passed: Vec<Fact> = replay.forward(stride).iter().map(|f| (**f).clone()).collect();
                    prop_assert_eq!(&passed[..], &facts[before..replay.position()]);
                    prop_assert!(replay.position() > before || before == facts.len());
                } else {
                    let taken = replay.back(stride);
                    prop_assert_eq!(replay.position() + taken, before);
                    prop_assert!(taken > 0 || before == 0);
                }
                prop_assert_eq!(replay.state(), &folded(&facts[..replay.position()]));
            }
        }
    }

    proptest! {
        #[test]
        fn a_walk_that_was_looked_at_changes_nothing_of_what_follows(
            facts in arbitrary::session(0..40),
            at in 0..40_usize,
            walk in 1..5_u32,
            forward in any::<bool>(),
            stride in strides(),
        ) {
            let mut replay = Replay::new(facts.clone());
            replay.seek(at);
            let there = replay.state().walk(WalkId(walk)).is_some();
            prop_assert_eq!(replay.select(WalkId(walk)), there);
            if there {
                prop_assert_eq!(replay.state().current, Some(WalkId(walk)));
            }
            if forward {
                replay.forward(stride);
            } else {
                replay.back(stride);
            }
            prop_assert_eq!(replay.state(), &folded(&facts[..replay.position()]));
        }
    }

    #[test]
    fn a_long_session_is_the_same_from_both_ends() {
        let step = |n: usize| Fact::Command { line: format!("step {n}") };
        let facts: Vec<Fact> = (0..3 * KEEP_EVERY + 7).map(step).collect();
        let mut replay = Replay::new(facts.clone());
        replay.seek(usize::MAX);
        assert!(replay.is_at_end());
        for position in [facts.len() - 1, 2 * KEEP_EVERY + 1, 2 * KEEP_EVERY, KEEP_EVERY - 1, 0] {
            replay.seek(position);
            assert_eq!((replay.position(), replay.state()), (position, &folded(&facts[..position])), "at {position}");
        }
    }

    #[test]
    fn a_recording_of_very_many_walks_costs_what_its_size_is() {
        let sample = Sample::new("s", Content::Text("x".into()));
        let root = crate::domain::Name::new("root").expect("a name");
        let start =
            |n: u32| Fact::WalkStarted { walk: WalkId(n), index: 0, sample: sample.clone(), root: root.clone() };
        let count = 50_000;
        // Looking for a free number among all walks, and a state for every 256 facts, took minutes and gigabytes.
        let mut replay = Replay::new((1..=count).map(start).collect());
        replay.seek(usize::MAX);
        assert_eq!((replay.state().walks.len(), replay.state().current), (count as usize, Some(WalkId(count))));
        assert!(replay.kept.len() <= MOST_KEPT + 1, "{}", replay.kept.len());
        replay.back(Stride::Walk);
        assert_eq!(replay.state().current, Some(WalkId(count - 1)));
    }

    #[test]
    fn a_step_takes_the_leaf_it_leads_to_with_it() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let step: Step = arbitrary::step().new_tree(&mut runner).expect("a step").current();
        let leaf = arbitrary::leaf().new_tree(&mut runner).expect("a leaf").current();
        let walk = WalkId(1);
        let facts = vec![
            Fact::Command { line: "run".into() },
            Fact::Stepped { walk, step: step.clone() },
            Fact::Command { line: "continue".into() },
            Fact::Stepped { walk, step },
            Fact::LeafReached { walk, leaf },
            Fact::Command { line: "note x".into() },
        ];
        let mut replay = Replay::new(facts);
        let mut stops = Vec::new();
        while !replay.is_at_end() {
            replay.forward(Stride::Step);
            stops.push(replay.position());
        }
        assert_eq!(stops, [2, 5, 6]);
        assert_eq!((replay.back(Stride::Step), replay.back(Stride::Step), replay.back(Stride::Step)), (1, 3, 2));
    }

    #[test]
    fn a_reviewer_is_stopped_at_leaves_notes_tags_and_branches() {
        let (walk, on) = (WalkId(1), super::super::Subject::Session);
        let command = || Fact::Command { line: "x".into() };
        let facts = vec![
            command(),
            Fact::Noted { on, text: "a".into(), by: None },
            command(),
            Fact::Tagged { on, tag: crate::domain::Name::new("t").expect("a name"), by: None },
            command(),
            Fact::WalkForked { walk: WalkId(2), from: walk, at: 0 },
            command(),
        ];
        let mut replay = Replay::new(facts);
        let mut stops = Vec::new();
        while !replay.is_at_end() {
            replay.forward(Stride::Stop);
            stops.push(replay.position());
        }
        assert_eq!(stops, [2, 4, 6, 7]);
    }
}
