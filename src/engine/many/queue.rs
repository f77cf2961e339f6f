//! The samples in progress: which question is asked next, and which records wait for their turn.
//!
//! Must ask for the oldest sample first, so that records come early and few wait for their turn.

use super::maker::{Maker, fault_of};
use super::{Item, Many, Sink, Source};
use crate::domain::{Cancel, Judgement, Mode, ModelInfo, Outcome};
use crate::engine::walk::{Ask, Walking};
use crate::judge::{JudgeError, Question, Questions};
use crate::policy::{Policy, cost};
use crate::record::Record;
use std::collections::{BTreeMap, BTreeSet};

/// How many items may lie between the oldest without a written record and the newest begun: a bound on memory.
const WINDOW: u64 = 256;

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Records that went to the sink.
    pub records: u64,
    /// Those of them without a verdict.
    pub failed: u64,
    /// Verdicts by outcome, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; 4],
    /// Rows that went through the model.
    pub computed: u64,
    /// Rows of prompts that were known already.
    pub reused: u64,
    /// Tokens of all prompts.
    pub prompts: u64,
    /// It was interrupted: samples without a record were not finished.
    pub interrupted: bool,
    /// What the walks asked, to compare prompt layouts by.
    pub asked: cost::Asked,
}

/// The samples in progress, by their number in the run, from 1.
pub(super) struct Queue<'a> {
    policy: &'a Policy,
    mode: Mode,
    ask: &'a Ask,
    cancel: &'a Cancel,
    maker: Maker,
    source: &'a mut dyn Source,
    sink: &'a mut dyn Sink,
    /// Items taken from the source.
    taken: u64,
    /// Items whose record went to the sink.
    given: u64,
    /// Records whose turn has not come.
    done: BTreeMap<u64, Record>,
    walks: BTreeMap<u64, (u64, Walking)>,
    /// Walks whose next question can be asked.
    ready: BTreeSet<u64>,
    /// Walks whose question the judge has.
    asked: BTreeSet<u64>,
    /// Only this walk continues, to see whether it brings the judge down.
    alone: Option<u64>,
    /// The sink takes no more.
    closed: bool,
    tally: Tally,
}

impl<'a> Queue<'a> {
    pub fn new<'m: 'a>(many: &Many<'m>, model: &ModelInfo, source: &'a mut dyn Source, sink: &'a mut dyn Sink) -> Self {
        Self {
            policy: many.policy,
            mode: many.mode,
            ask: many.ask,
            cancel: many.cancel,
            maker: Maker::new(many.policy, model, many.mode),
            source,
            sink,
            taken: 0,
            given: 0,
            done: BTreeMap::new(),
            walks: BTreeMap::new(),
            ready: BTreeSet::new(),
            asked: BTreeSet::new(),
            alone: None,
            closed: false,
            tally: Tally { asked: cost::Asked::new(many.policy), ..Tally::default() },
        }
    }

    /// Whether a single walk is being tested.
    pub fn is_testing(&self) -> bool {
        self.alone.is_some()
    }

    /// Continues with this walk only, or with all.
    pub fn test(&mut self, alone: Option<u64>) {
        self.alone = alone;
    }

    /// Call after the judge failed: its questions can then be asked again. Returns the walks that may have caused the
    /// failure; a walk that was being tested alone is marked as at fault itself. `None` if no walk can be the cause.
    pub fn fallen(&mut self) -> Option<Vec<u64>> {
        if let Some(number) = self.alone {
            self.fail(number, &JudgeError::Internal("the model layer failed on this sample".into()));
            self.ready.append(&mut self.asked);
            return Some(Vec::new());
        }
        let at_hand: Vec<u64> = self.asked.iter().copied().collect();
        self.ready.append(&mut self.asked);
        (!at_hand.is_empty()).then_some(at_hand)
    }

    /// Gives the sink every finished record, even if an earlier one is missing, and returns the tally.
    pub fn finish(mut self) -> Tally {
        for (_, record) in std::mem::take(&mut self.done) {
            self.give(&record);
        }
        self.tally.interrupted = self.cancel.is_cancelled();
        self.tally
    }

    /// Begins the walk of an item, or records what is wrong with it.
    fn begin(&mut self, item: Item) {
        self.taken += 1;
        let number = self.taken;
        match item.sample {
            Ok(sample) => {
                self.walks.insert(number, (item.line, Walking::new(self.policy, sample)));
                self.ready.insert(number);
            }
            Err(fault) => self.keep(number, self.maker.record(item.line, None, Err(fault))),
        }
    }

    fn fail(&mut self, number: u64, error: &JudgeError) {
        self.asked.remove(&number);
        self.ready.remove(&number);
        if let Some((line, walk)) = self.walks.remove(&number) {
            self.keep(number, self.maker.record(line, Some(walk.sample()), Err(fault_of(error))));
        }
    }

    /// Keeps a record until its turn comes.
    fn keep(&mut self, number: u64, record: Record) {
        self.done.insert(number, record);
        while let Some(record) = self.done.remove(&(self.given + 1)) {
            self.given += 1;
            self.give(&record);
        }
    }

    fn give(&mut self, record: &Record) {
        if self.closed {
            return;
        }
        if self.sink.take(record).is_break() {
            self.closed = true;
            self.cancel.cancel();
            return;
        }
        self.tally.records += 1;
        match &record.llm {
            Some(llm) => {
                let counts = self.tally.outcomes.iter_mut().zip(Outcome::ALL);
                counts.filter(|(_, outcome)| *outcome == llm.verdict.outcome).for_each(|(count, _)| *count += 1);
            }
            None => self.tally.failed += 1,
        }
    }
}

impl Questions for Queue<'_> {
    fn next(&mut self, idle: bool) -> Option<(u64, Question)> {
        loop {
            let number = match self.alone {
                Some(number) => self.ready.take(&number),
                None => self.ready.pop_first(),
            };
            let Some(number) = number else {
                if self.alone.is_some() || self.closed || self.taken - self.given >= WINDOW {
                    return None;
                }
                let item = self.source.next(idle)?;
                self.begin(item);
                continue;
            };
            let Some((_, walk)) = self.walks.get(&number) else { continue };
            match walk.question(self.policy, self.mode, self.ask) {
                Ok(Some(question)) => {
                    self.asked.insert(number);
                    return Some((number, question));
                }
                Ok(None) => self.fail(number, &JudgeError::Internal("a walk without a question".into())),
                Err(error) => self.fail(number, &error),
            }
        }
    }

    fn answered(&mut self, number: u64, answer: Result<Judgement, JudgeError>) {
        self.asked.remove(&number);
        let Some((line, walk)) = self.walks.get_mut(&number) else { return };
        if let Ok(judgement) = &answer {
            self.tally.computed += u64::from(judgement.usage.computed_tokens);
            self.tally.reused += u64::from(judgement.usage.reused_tokens);
            self.tally.prompts += u64::from(judgement.usage.prompt_tokens);
        }
        match answer.and_then(|judgement| walk.answered(self.policy, judgement)) {
            Ok(None) => {
                self.ready.insert(number);
            }
            Ok(Some(walked)) => {
                self.tally.asked.add(self.policy, walk.sample(), walked.steps.iter().map(|s| &s.node.id));
                let record = self.maker.record(*line, Some(walk.sample()), Ok(&walked));
                self.walks.remove(&number);
                self.keep(number, record);
            }
            Err(error) => self.fail(number, &error),
        }
    }
}
