//! User annotations (notes, tags, displays, thresholds) and the `x` command, which shows what the model was asked.
//!
//! Must not change a walk.

use super::prompt::{self, Asked};
use super::{Engine, Execution, Failure, Stop, host, meant};
use crate::command::{ExamineWhat, Has, Need};
use crate::domain::{Examination, Name, path_text};
use crate::judge::Look;
use crate::policy::Policy;
use crate::session::expr::{self, Vocabulary};
use crate::session::state::{MOST_DISPLAYS, Walk};
use crate::session::{Fact, Journal, SessionState, Stamp, Subject};
use crate::text::Untrusted;
use std::sync::Arc;

/// The range of a score of which nothing else is known.
const PROBABILITIES: (f64, f64) = (0.0, 1.0);

/// `save` after a write failed: copies what was acknowledged; nothing more can be recorded. Returns a failure, since
/// the session continues unrecorded.
pub(super) fn rescue(journal: &mut Journal, path: &str) -> Result<Stop, Failure> {
    journal.copy_to(&path_text::path(path), false)?;
    Err(Failure::user(format!("all that was acknowledged is now in {path}; this session is no longer recorded"))
        .hinted("quit, and go on with --session and that file"))
}

/// Notes and tags are about the last answered node; before any, about the walk; before any walk, about the session.
pub(super) fn subject(state: &SessionState) -> Subject {
    match state.walk_now() {
        Some(Walk { id, steps, .. }) if !steps.is_empty() => Subject::Step(*id, steps.len() - 1),
        Some(walk) => Subject::Walk(walk.id),
        None => Subject::Session,
    }
}

/// The step that answered `node` in the current walk.
pub(super) fn step_of(state: &SessionState, node: &Name) -> Result<Subject, Failure> {
    let walk = state.walk_now();
    let place = walk.and_then(|w| Some((w.id, w.steps.iter().rposition(|step| step.node.id == *node)?)));
    let (walk, place) = place.ok_or_else(|| {
        Failure::user(format!("`{node}` is not answered in this walk"))
            .hinted("`where` shows the steps; `note` is about the walk where it stands")
    })?;
    Ok(Subject::Step(walk, place))
}

/// Where a new tag goes.
pub(super) fn to_tag(state: &SessionState, tag: &Name) -> Result<Subject, Failure> {
    let on = subject(state);
    if state.tags.iter().any(|t| t.on == on && t.tag == *tag) {
        return Err(Failure::user(format!("the tag `{tag}` is already there")));
    }
    Ok(on)
}

impl Engine {
    fn stamp(&self) -> Option<Stamp> {
        Some(Stamp { author: self.author.clone(), at: host::now(), after: None })
    }

    pub(super) fn note(&mut self, run: &mut Execution, on: Subject, text: &str) -> Result<Stop, Failure> {
        let by = self.stamp();
        self.done(run, Fact::Noted { on, text: text.into(), by })
    }

    /// A note about the step that answered `node` in the current walk.
    pub(super) fn note_at(&mut self, run: &mut Execution, node: &Name, text: &str) -> Result<Stop, Failure> {
        let on = step_of(&self.state, node)?;
        self.note(run, on, text)
    }

    pub(super) fn tag(&mut self, run: &mut Execution, tag: &Name) -> Result<Stop, Failure> {
        let on = to_tag(&self.state, tag)?;
        let by = self.stamp();
        self.done(run, Fact::Tagged { on, tag: tag.clone(), by })
    }

    pub(super) fn display(&mut self, run: &mut Execution, expr: &str) -> Result<Stop, Failure> {
        if self.state.displays.len() >= MOST_DISPLAYS {
            return Err(Failure::user(format!("there are {MOST_DISPLAYS} displays, which is the most"))
                .hinted("undisplay N removes one; print EXPR shows a value once"));
        }
        // The walk on the screen may have been made under other policies than the one that is loaded.
        let walk = self.state.walk_now();
        let steps = walk.map_or(0, |walk| walk.steps.len());
        let under =
            walk.into_iter().flat_map(|walk| (0..=steps).filter_map(|place| walk.conditions_of(place).policy.as_ref()));
        let mut known: Vec<Arc<Policy>> = self.policy.iter().cloned().collect();
        for policy in under.filter_map(|record| self.policies.of(record)) {
            if !known.iter().any(|other| Arc::ptr_eq(other, &policy)) {
                known.push(policy);
            }
        }
        let policies: Vec<&Policy> = known.iter().map(AsRef::as_ref).collect();
        expr::check(expr, &Vocabulary { policies: &policies, ..self.vocabulary() })?;
        self.displays_made = self.displays_made.checked_add(1).ok_or_else(super::breakpoint::too_many)?;
        self.done(run, Fact::DisplayAdded { id: self.displays_made, expr: expr.to_owned() })
    }

    pub(super) fn undisplay(&mut self, run: &mut Execution, id: u32) -> Result<Stop, Failure> {
        if !self.state.displays.iter().any(|(i, _)| *i == id) {
            return Err(Failure::user(format!("there is no display {id}")).hinted("info display lists them"));
        }
        self.done(run, Fact::DisplayRemoved { id })
    }

    pub(super) fn set_threshold(&mut self, run: &mut Execution, name: &Name, value: f64) -> Result<Stop, Failure> {
        let (from, to) = self.range_of_score(name)?;
        if !(from..=to).contains(&value) {
            let hint = match self.samples {
                Some(_) if (from, to) == PROBABILITIES => "scores are between 0 and 1; 50 % is written 0.5".to_owned(),
                Some(_) => format!("scores of `{name}` in the loaded samples reach from {from} to {to}"),
                None => "without samples scores are taken to be between 0 and 1; load samples PATH first".to_owned(),
            };
            return Err(Failure::user(format!("a threshold of {value} is outside the range of `{name}`")).hinted(hint));
        }
        self.done(run, Fact::ThresholdSet { name: name.clone(), value })
    }

    /// The range of a score: 0 to 1, widened to cover the scores and thresholds of the loaded samples. If the samples
    /// carry scores, a name that none of them has is a typing error.
    fn range_of_score(&self, name: &Name) -> Result<(f64, f64), Failure> {
        let Some(set) = &self.samples else { return Ok(PROBABILITIES) };
        let all = || set.samples.iter().flat_map(|sample| sample.scores.iter().chain(&sample.thresholds));
        let mut values = all().filter(|(known, _)| known == name).map(|(_, value)| *value).peekable();
        if values.peek().is_none() && all().next().is_some() {
            return Err(meant::no_score(&all().map(|(known, _)| known.as_str()).collect::<Vec<_>>(), name));
        }
        Ok(values.fold(PROBABILITIES, |(from, to), value| (from.min(value), to.max(value))))
    }

    pub(super) fn save(&mut self, run: &mut Execution, path: &str) -> Result<Stop, Failure> {
        let path = self.path(path);
        let journal = self.journal.as_mut().ok_or_else(|| {
            Failure::user("this session is not recorded").hinted("start without --no-record, or with --session FILE")
        })?;
        journal.copy_to(&path_text::path(&path), false)?;
        self.done(run, Fact::Saved { path: path.into() })
    }

    pub(super) fn examine(
        &mut self,
        run: &mut Execution,
        what: ExamineWhat,
        node: Option<&Name>,
    ) -> Result<Stop, Failure> {
        let asked = prompt::asked(&self.state, &self.policies, node)?;
        let look = match what {
            ExamineWhat::Prompt => Look::Prompt,
            ExamineWhat::Tokens => Look::Tokens,
            ExamineWhat::Top { k, position } => Look::Top { k, position },
        };
        let found = match (look, asked.read()) {
            (Look::Prompt, Some(read)) => Examination::Prompt(read.to_vec()),
            _ => self.look(run, &asked, look)?,
        };
        self.done(run, Fact::Examined { walk: asked.walk, node: asked.node, found })
    }

    /// Asks the judge what it reads, or would read.
    fn look(&mut self, run: &Execution, asked: &Asked, look: Look) -> Result<Examination, Failure> {
        let now = self.state.conditions();
        if let (false, Some(model)) = (asked.under.same_model(&now), &asked.under.model) {
            return Err(Failure::user(format!(
                "node `{}` was asked of another model, {}",
                asked.node,
                model.name.raw()
            ))
            .hinted("load that model again; x reads with the tokenizer of the model that is loaded"));
        }
        let text = asked.rationale.as_ref().map(Untrusted::raw);
        let judge = self.judge.as_mut().ok_or_else(|| Failure::missing(Need::Model, Has::default()))?;
        Ok(judge.examine(&asked.question, text, look, run.cancel)?)
    }
}
