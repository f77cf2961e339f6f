//! The names an expression can use, and their values at one point of a session.
//!
//! Must keep "not known" apart from every value, and must report which unknown values were read.

use super::names;
use crate::domain::{Content, Name, Outcome, Sample};
use crate::session::state::Walk;
use crate::session::{Persistent, SessionState, Step, Subject};
use crate::stats::Agreement;
use minijinja::Value;
use minijinja::value::{Enumerator, Object};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The context of an expression: the values at one point of a session.
#[derive(Clone, Debug, Default)]
pub struct Context {
    values: BTreeMap<&'static str, Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    Value(Value),
    Map(Vec<(String, Self)>),
    /// The answers of a walk by node: it can be long, and few expressions read them.
    Path(Persistent<Arc<Step>>),
}

impl Entry {
    fn map<V: Into<Value>>(entries: impl IntoIterator<Item = (String, V)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key, Self::Value(value.into()))).collect())
    }

    /// The value for minijinja; `name` is its full name, with a trailing dot.
    fn value(&self, name: String, absent: &Absent) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::Path(steps) => {
                Value::from_object(Path { steps: steps.clone(), listed: OnceLock::new(), name, absent: absent.clone() })
            }
            Self::Map(entries) => {
                let of = |(key, entry): &(String, Self)| (key.clone(), entry.value(format!("{name}{key}."), absent));
                Value::from_object(Map {
                    keys: entries.iter().map(|(key, _)| key.clone()).collect(),
                    values: entries.iter().map(of).collect(),
                    name: name.clone(),
                    absent: absent.clone(),
                })
            }
        }
    }
}

impl Context {
    /// At the current walk, after its last step.
    pub fn of(state: &SessionState) -> Self {
        let mut context = Self::default();
        if let Some(walk) = state.walk_now() {
            context.add_walk(state, walk);
            if let Some(step) = walk.steps.last() {
                context.add_step(step);
            }
        }
        context
    }

    /// At a sample that no walk has begun with, for `next-sample where`; `index` counts from 0.
    pub fn of_sample(state: &SessionState, index: usize, sample: &Sample) -> Self {
        let mut context = Self::default();
        context.add_sample(&state.thresholds, index, sample);
        context
    }

    /// The same, with `step` as the node just answered; for a condition that is tried before the step is recorded.
    #[must_use]
    pub fn with_step(mut self, step: &Step) -> Self {
        self.add_step(step);
        self
    }

    /// The same without what the model said at the last step.
    #[must_use]
    pub fn without_judgement(mut self) -> Self {
        self.forget_judgement();
        self
    }

    /// The same, with how often the breakpoint has stopped so far.
    #[must_use]
    pub fn with_hits(mut self, hits: u32) -> Self {
        self.set("hits", hits);
        self
    }

    fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        self.values.insert(name, Entry::Value(value.into()));
    }

    fn set_map<V: Into<Value>>(&mut self, name: &'static str, entries: impl IntoIterator<Item = (String, V)>) {
        self.values.insert(name, Entry::map(entries));
    }

    fn add_sample(&mut self, overridden: &[(Name, f64)], index: usize, sample: &Sample) {
        let (text, fields) = match &sample.content {
            Content::Text(text) => (text.raw().to_owned(), Vec::new()),
            Content::Fields(fields) => {
                let joined = |values: &[crate::text::Untrusted]| {
                    values.iter().map(|v| v.raw().to_owned()).collect::<Vec<_>>().join("\n")
                };
                let list: Vec<(String, String)> =
                    fields.iter().map(|f| (f.name.to_string(), joined(&f.values))).collect();
                (list.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n"), list)
            }
        };
        let known = [
            ("id", Entry::Value(sample.id.raw().into())),
            ("text", Entry::Value(text.into())),
            ("number", Entry::Value(index.saturating_add(1).into())),
            ("fields", Entry::map(fields)),
        ];
        let known = known.into_iter().map(|(name, entry)| (name.to_owned(), entry)).collect();
        self.values.insert("sample", Entry::Map(known));
        self.set_map("scores", sample.scores.iter().map(|(name, score)| (name.to_string(), *score)));
        let names = sample.thresholds.iter().chain(overridden).map(|(name, _)| name);
        let thresholds: BTreeMap<String, f64> =
            names.filter_map(|name| Some((name.to_string(), sample.threshold(name.as_str(), overridden)?))).collect();
        self.set_map("thresholds", thresholds);
        if let Some(outcome) = sample.classified(overridden) {
            self.set("classifier", outcome.as_str());
        }
        if let Some(outcome) = sample.gold.outcome {
            self.set("gold", outcome.as_str());
        }
        if let Some(label) = &sample.gold.label {
            self.set("gold_label", label.as_str());
        }
        self.set_map("gold_path", sample.gold.path.iter().map(pair));
        self.add_agreement(overridden, sample, None);
    }

    fn add_agreement(&mut self, overridden: &[(Name, f64)], sample: &Sample, llm: Option<Outcome>) {
        let agreement = Agreement::of(sample.classified(overridden), llm, sample.gold.outcome);
        let sides = [("llm", agreement.llm), ("classifier", agreement.classifier)];
        let known = sides.into_iter().filter_map(|(side, it)| Some((side.to_owned(), it?.as_str())));
        self.set_map("confusion", known);
        // As with a cell, an escalation is neither right nor wrong, so `wrong` is not known then.
        if let Some(confusion) = agreement.llm {
            self.set("wrong", confusion.is_wrong());
        }
        // Without the LLM's verdict, a cell would be based on the classifier alone.
        if let Some(cell) = llm.and(agreement.cell) {
            self.set("cell", cell.as_str());
        }
    }

    fn add_walk(&mut self, state: &SessionState, walk: &Walk) {
        self.add_sample(&walk.thresholds, walk.index, &walk.sample);
        self.set("walk", walk.id.0);
        self.set("steps", walk.steps.len());
        self.values.insert("path", Entry::Path(walk.steps.clone()));
        let tagged = state.tags.iter().filter(|tagged| match tagged.on {
            Subject::Walk(id) | Subject::Step(id, _) => id == walk.id,
            Subject::Session => false,
        });
        self.set("tags", tagged.map(|tagged| Value::from(tagged.tag.as_str())).collect::<Vec<_>>());
        let Some(leaf) = &walk.leaf else { return };
        self.set("leaf", leaf.id.as_str());
        self.set("verdict", leaf.verdict.outcome.as_str());
        self.set("outcome", leaf.verdict.outcome.as_str());
        self.add_agreement(&walk.thresholds, &walk.sample, Some(leaf.verdict.outcome));
        if let Some(label) = &leaf.verdict.label {
            self.set("label", label.as_str());
        }
        if let Some(severity) = leaf.severity {
            self.set("severity", severity);
        }
        if let Some(action) = &leaf.action {
            self.set("action", action.as_str());
        }
    }

    fn forget_judgement(&mut self) {
        for name in ["p", "margin", "entropy", "coverage", "rationale"] {
            self.values.remove(name);
        }
    }

    fn add_step(&mut self, step: &Step) {
        self.set("node", step.node.id.as_str());
        self.set("answer", step.answer.as_str());
        self.set("taken", step.taken.as_str());
        self.forget_judgement();
        let Some(judgement) = &step.judgement else { return };
        let readout = &judgement.readout;
        self.set_map("p", readout.answers.iter().map(|a| (a.answer.to_string(), a.p)));
        self.set("margin", readout.margin());
        self.set("entropy", readout.entropy());
        self.set("coverage", readout.coverage);
        if let Some(rationale) = &judgement.rationale {
            self.set("rationale", rationale.text.raw());
        }
    }

    /// The values for minijinja, and the log of which unknown ones were read.
    pub(super) fn root(&self) -> (Value, Absent) {
        let absent = Absent::default();
        let mut values = BTreeMap::new();
        for (name, entry) in &self.values {
            values.insert((*name).to_owned(), entry.value(format!("{name}."), &absent));
        }
        (Value::from_object(Map { name: String::new(), keys: Vec::new(), values, absent: absent.clone() }), absent)
    }
}

fn pair((key, value): &(Name, Name)) -> (String, String) {
    (key.to_string(), value.to_string())
}

/// Which unknown values were read, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Absent(Arc<Mutex<Vec<String>>>);

impl Absent {
    fn note(&self, path: String) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !list.contains(&path) {
            list.push(path);
        }
    }

    pub(super) fn take(self) -> Vec<String> {
        let list = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        // Where `p.yes` was read, `p` says nothing more.
        let is_read_further = |name: &String| list.iter().any(|other| other.starts_with(&format!("{name}.")));
        list.iter().filter(|name| !is_read_further(name)).cloned().collect()
    }
}

/// Values by name. An unknown name is `none`, and noted.
#[derive(Debug)]
struct Map {
    /// With a dot at the end, or empty for the root.
    name: String,
    keys: Vec<String>,
    values: BTreeMap<String, Value>,
    absent: Absent,
}

impl Object for Map {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        // Names other than ours are left to minijinja, which knows them as globals or not at all.
        if self.name.is_empty() && !names::is_root(key) {
            return None;
        }
        if let Some(value) = self.values.get(key) {
            return Some(value.clone());
        }
        self.absent.note(format!("{}{key}", self.name));
        Some(if self.name.is_empty() && names::has_parts(key) {
            Value::from_object(Self {
                name: format!("{key}."),
                keys: Vec::new(),
                values: BTreeMap::new(),
                absent: self.absent.clone(),
            })
        } else {
            Value::from(())
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.keys.iter().map(|key| Value::from(key.as_str())).collect())
    }
}

/// The answers of a walk by node, looked up where they are. A node that was asked again has its last answer.
#[derive(Debug)]
struct Path {
    steps: Persistent<Arc<Step>>,
    /// The same by node, made when all are listed: what lists them looks each up.
    listed: OnceLock<BTreeMap<String, Value>>,
    /// With a dot at the end.
    name: String,
    absent: Absent,
}

impl Object for Path {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let last = || self.steps.iter().rev().find(|step| step.node.id == *key).map(|step| step.answer.as_str().into());
        if let Some(answer) = self.listed.get().map_or_else(last, |listed| listed.get(key).cloned()) {
            return Some(answer);
        }
        self.absent.note(format!("{}{key}", self.name));
        Some(Value::from(()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let entry = |step: &Arc<Step>| (step.node.id.to_string(), Value::from(step.answer.as_str()));
        self.listed.get_or_init(|| self.steps.iter().map(entry).collect());
        Enumerator::Values(self.steps.iter().map(|step| Value::from(step.node.id.as_str())).collect())
    }
}
