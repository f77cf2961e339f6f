//! What people leave behind: notes, tags, displays, thresholds; and looking at what the model was asked.
//!
//! Must not change a walk.

use super::{Engine, Failure, Notice, Run, Stop, breakpoint::check_expr, prompt};
use crate::command::ExamineWhat;
use crate::domain::{Mode, Name, Target};
use crate::model::Look;
use crate::session::{Fact, Subject, state::Walk};
use std::path::Path;

impl Engine {
    /// Notes and tags are about the last answered node; before any, about the walk; before any walk, about the session.
    fn subject(&self) -> Subject {
        match self.state.walk_now() {
            Some(Walk { id, steps, .. }) if !steps.is_empty() => Subject::Step(*id, steps.len() - 1),
            Some(walk) => Subject::Walk(walk.id),
            None => Subject::Session,
        }
    }

    pub(super) fn note(&mut self, run: &mut Run, text: &str) -> Result<Stop, Failure> {
        let on = self.subject();
        self.done(run, Fact::Noted { on, text: text.into() })
    }

    pub(super) fn tag(&mut self, run: &mut Run, tag: &Name) -> Result<Stop, Failure> {
        let on = self.subject();
        if self.state.tags.iter().any(|(o, t)| *o == on && t == tag) {
            return Err(Failure::user(format!("the tag `{tag}` is already there")));
        }
        self.done(run, Fact::Tagged { on, tag: tag.clone() })
    }

    pub(super) fn display(&mut self, run: &mut Run, expr: &str) -> Result<Stop, Failure> {
        check_expr(expr)?;
        self.displays_made = self.displays_made.checked_add(1).ok_or_else(super::breakpoint::too_many)?;
        self.done(run, Fact::DisplayAdded { id: self.displays_made, expr: expr.to_owned() })
    }

    pub(super) fn undisplay(&mut self, run: &mut Run, id: u32) -> Result<Stop, Failure> {
        if !self.state.displays.iter().any(|(i, _)| *i == id) {
            return Err(Failure::user(format!("there is no display {id}")).hinted("info display lists them"));
        }
        self.done(run, Fact::DisplayRemoved { id })
    }

    pub(super) fn set_threshold(&mut self, run: &mut Run, name: &Name, value: f64) -> Result<Stop, Failure> {
        if !value.is_finite() {
            return Err(Failure::user("a threshold is a finite number"));
        }
        self.done(run, Fact::ThresholdSet { name: name.clone(), value })
    }

    pub(super) fn save(&mut self, run: &mut Run, path: &str) -> Result<Stop, Failure> {
        let journal = self.journal.as_mut().ok_or_else(|| {
            Failure::user("this session is not recorded").hinted("start without --no-record, or with --session FILE")
        })?;
        journal.copy_to(Path::new(path), false).map_err(|e| Failure::user(e.to_string()).hinted(e.hint()))?;
        self.done(run, Fact::Saved { path: path.into() })
    }

    pub(super) fn examine(&mut self, run: &mut Run, what: ExamineWhat, node: Option<&Name>) -> Result<Stop, Failure> {
        let policy = self.policy()?;
        let walk = self.current_walk()?;
        let id = match (node, walk.steps.last(), walk.frontier()) {
            (Some(id), ..) => self.node_id(id)?,
            (None, Some(step), _) => step.node.id.clone(),
            (None, None, Target::Node(id) | Target::Leaf(id)) => id,
        };
        let spec = policy.node(id.as_str()).ok_or_else(|| {
            Failure::user(format!("the loaded policy has no node `{id}`")).hinted("run starts the walk again")
        })?;
        let step = walk.steps.iter().find(|s| s.node.id == id);
        if step.is_some_and(|s| s.node.hash != spec.hash) {
            return Err(Failure::user(format!("node `{id}` has been edited since it was asked"))
                .hinted("run asks it again; then x shows the new prompt"));
        }
        let asked = step.and_then(|s| s.judgement.as_ref());
        let rationale = asked.and_then(|j| j.rationale.as_ref());
        let mode = match (asked, rationale) {
            (Some(_), None) => Mode::Direct,
            (Some(_), Some(r)) => Mode::Rationale { max_tokens: r.tokens },
            (None, _) => self.state.mode,
        };
        let question = prompt::question(&policy, spec, &walk.sample, mode);
        let look = match what {
            ExamineWhat::Prompt => Look::Prompt,
            ExamineWhat::Tokens => Look::Tokens,
            ExamineWhat::Top { k, position } => Look::Top { k, position },
        };
        let text = rationale.map(|r| r.text.raw().to_owned());
        let judge = self.judge.as_mut().ok_or_else(|| {
            Failure::user("no model is loaded").hinted("x asks the model's tokenizer: load model NAME first")
        })?;
        let seen = judge.examine(&question, text.as_deref(), look, run.cancel)?;
        run.notice(Notice::Examined(run.ticket, seen));
        Ok(Stop::Done)
    }
}
