//! The prompt of a node: policy, sample and question as named pieces, in the order of the policy's layout.
//!
//! Must put the sample's text in pieces of its own, byte for byte, and must not know chat templates or tokens.

use super::{Failure, meant};
use crate::command::{Has, Need};
use crate::domain::{Content, Layout, Mode, Name, Part, Piece, Prompt, Sample, Target};
use crate::judge::Question;
use crate::policy::{Example, Node, Policy};
use crate::session::{Conditions, Policies, SessionState, WalkId};
use crate::text::Untrusted;

/// Opens the model's reasoning, in its turn and in the examples.
const REASONING: &str = "Reasoning:";
/// Precedes an answer, in the model's turn and in the examples.
const ANSWER: &str = "Answer:";

/// What the model is asked at `node` about `sample`.
///
/// Every piece except the sample's own text ends in a line break. So pieces tokenised one by one give the tokens of the
/// whole text, and the layout's prefixes are shared as far as possible.
pub fn question(policy: &Policy, node: &Node, sample: &Sample, mode: Mode) -> Question {
    let mut user = Vec::new();
    match policy.layout {
        Layout::SampleFirst => {
            sample_pieces(sample, &mut user);
            node_pieces(node, mode, &mut user);
        }
        Layout::NodeFirst => {
            node_pieces(node, mode, &mut user);
            sample_pieces(sample, &mut user);
        }
    }
    Question {
        prompt: Prompt {
            system: policy_pieces(policy),
            user,
            rationale_cue: REASONING.to_owned(),
            answer_cue: ANSWER.to_owned(),
        },
        answers: node.answers.iter().map(|(answer, _)| answer.clone()).collect(),
        mode,
    }
}

/// A question as it was or would be asked, and what is known about the asking.
pub struct Asked {
    /// The node.
    pub node: Name,
    /// What it was, or would be, made under.
    pub under: Conditions,
    /// The question.
    pub question: Question,
    /// What the model wrote before it answered.
    pub rationale: Option<Untrusted>,
    /// What it read, if the step says so.
    read: Vec<Piece>,
    /// The walk it belongs to.
    pub walk: WalkId,
}

/// What a node of the current walk was asked, under the policy and mode of that time; for a node that was not asked,
/// what it would be asked. Without `node`: the node answered last, or else the next one. Needs no model.
///
/// # Errors
/// If there is no walk or no such node, or the recorded policy does not contain what was asked.
pub fn asked(state: &SessionState, policies: &Policies, node: Option<&Name>) -> Result<Asked, Failure> {
    let has = Has { samples: state.samples.is_some(), ..Has::default() };
    let walk = state.walk_now().ok_or_else(|| Failure::missing(Need::Walk, has))?;
    let id = match (node, walk.steps.last(), walk.frontier()) {
        (Some(id), ..) => id.clone(),
        (None, Some(step), _) => step.node.id.clone(),
        (None, None, Target::Node(id) | Target::Leaf(id)) => id,
    };
    let place = walk.steps.iter().position(|s| s.node.id == id);
    let under = place.map_or_else(|| state.conditions(), |place| (**walk.conditions_of(place)).clone());
    let policy = under.policy.as_ref().and_then(|record| policies.of(record));
    let policy = policy.ok_or_else(|| Failure::missing(Need::Policy, Has::default()))?;
    let spec = policy.node(id.as_str()).ok_or_else(|| meant::no_node(&policy, &id))?;
    let step = place.and_then(|place| walk.steps.get(place));
    if step.is_some_and(|s| s.node.hash != spec.hash) {
        return Err(Failure::user(format!("what node `{id}` was asked is not in the recorded policy"))
            .hinted("the session was written by another program; run asks again"));
    }
    let judgement = step.and_then(|s| s.judgement.as_ref());
    let rationale = judgement.and_then(|j| j.rationale.as_ref());
    let mode = match (judgement, rationale) {
        (Some(_), None) => Mode::Direct,
        (Some(_), Some(r)) => Mode::Rationale { max_tokens: r.tokens },
        (None, _) => state.mode,
    };
    let question = question(&policy, spec, &walk.sample, mode);
    let read = step.map(|s| s.prompt.clone()).unwrap_or_default();
    Ok(Asked { node: id, under, question, rationale: rationale.map(|r| r.text.clone()), read, walk: walk.id })
}

impl Asked {
    /// What the model read, chat format included, if that was kept.
    pub fn read(&self) -> Option<&[Piece]> {
        (!self.read.is_empty()).then_some(&*self.read)
    }

    /// The text in reading order; without the model's chat format if that was not kept.
    pub fn pieces(&self) -> Vec<Piece> {
        if let Some(read) = self.read() {
            return read.to_vec();
        }
        let prompt = &self.question.prompt;
        let cue = |text: String| Piece { part: Part::Cue, text: text.into() };
        let mut pieces: Vec<Piece> = prompt.pieces().cloned().collect();
        if let Mode::Rationale { .. } = self.question.mode {
            pieces.push(cue(prompt.rationale_cue.clone()));
            let written = self.rationale.iter().map(|text| Piece { part: Part::Rationale, text: text.clone() });
            pieces.extend(written);
        }
        pieces.push(cue(prompt.answer_cue.clone()));
        pieces
    }
}

fn policy_pieces(policy: &Policy) -> Vec<Piece> {
    let mut pieces =
        vec![piece(Part::Instructions, format!("{}\n", plain_terms(policy.instructions.raw().trim_end())))];
    if !policy.terms.is_empty() {
        let lines: String = policy
            .terms
            .iter()
            .map(|t| format!("- {}: {}\n", t.name.raw().trim(), plain_terms(t.definition.raw().trim())))
            .collect();
        pieces.push(piece(Part::Terms, format!("Definitions:\n{lines}")));
    }
    pieces
}

fn sample_pieces(sample: &Sample, out: &mut Vec<Piece>) {
    match &sample.content {
        Content::Text(text) => {
            out.push(piece(Part::Fence, "Text:\n".to_owned()));
            out.push(Piece { part: Part::Sample, text: text.clone() });
            out.push(piece(Part::Fence, "\n".to_owned()));
        }
        Content::Fields(fields) => {
            out.push(piece(Part::Fence, "Post:\n".to_owned()));
            for field in fields {
                for value in &field.values {
                    out.push(piece(Part::Fence, format!("{}: ", field.name)));
                    out.push(Piece { part: Part::Sample, text: value.clone() });
                    out.push(piece(Part::Fence, "\n".to_owned()));
                }
            }
        }
    }
}

fn node_pieces(node: &Node, mode: Mode, out: &mut Vec<Piece>) {
    out.push(piece(Part::Question, format!("Question: {}\n", plain_terms(node.question.raw().trim()))));
    if !node.guidance.is_empty() {
        let lines: String = node.guidance.iter().map(|g| format!("- {}\n", plain_terms(g.raw().trim()))).collect();
        out.push(piece(Part::Guidance, lines));
    }
    if !node.examples.is_empty() {
        let lines: String = node.examples.iter().map(|example| worked(example, mode)).collect();
        out.push(piece(Part::Examples, lines));
    }
    let answers = node.answers.iter().map(|(answer, _)| answer.as_str()).collect::<Vec<_>>().join(", ");
    let ask = match mode {
        Mode::Direct => format!("Answer with exactly one of: {answers}.\n"),
        Mode::Rationale { .. } => {
            format!("Reason in one or two sentences, then answer with exactly one of: {answers}.\n")
        }
    };
    out.push(piece(Part::Answers, ask));
}

/// An example in the very form in which the model is to answer, so that a small model copies the form.
fn worked(example: &Example, mode: Mode) -> String {
    let (text, answer) = (example.text.raw().trim(), &example.answer);
    let why = example.why.as_ref().map(|why| why.raw().trim());
    match (mode, why) {
        (Mode::Rationale { .. }, Some(why)) => format!("Example: {text}\n{REASONING} {why}\n{ANSWER} {answer}\n"),
        (Mode::Rationale { .. } | Mode::Direct, _) => format!("Example: {text}\n{ANSWER} {answer}\n"),
    }
}

fn piece(part: Part, text: String) -> Piece {
    Piece { part, text: Untrusted::new(text) }
}

/// Policy text with `[[term]]` written as `term`: the brackets are for the linter and for people, not for the model.
fn plain_terms(text: &str) -> String {
    text.replace("[[", "").replace("]]", "")
}
