//! One policy file as written: every field optional, every value with its position.
//!
//! Must not decide whether it makes sense; `check_file` and `check_graph` do, over the drafts of all files.

use super::codes::Code;
use super::source::At;
use crate::domain::{Layout, Outcome};

/// A text and its position.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub text: String,
    pub at: At,
}

/// One file.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub head: Option<Head>,
    pub terms: Vec<TermDraft>,
    pub nodes: Vec<NodeDraft>,
    pub leaves: Vec<LeafDraft>,
    pub includes: Vec<IncludeDraft>,
}

/// `[policy]`.
#[derive(Debug)]
pub(super) struct Head {
    pub at: At,
    pub id: Option<Text>,
    pub version: Option<Text>,
    pub title: Option<Text>,
    pub owner: Option<Text>,
    pub effective: Option<Text>,
    pub root: Option<Text>,
    pub instructions: Option<Text>,
    pub layout: Layout,
    pub allow: Vec<Code>,
}

/// `[[term]]`.
#[derive(Debug)]
pub(super) struct TermDraft {
    pub name: Text,
    pub definition: Option<Text>,
}

/// `[node.ID]`.
#[derive(Debug)]
pub(super) struct NodeDraft {
    pub id: Text,
    pub question: Option<Text>,
    pub guidance: Vec<Text>,
    pub examples: Vec<ExampleDraft>,
    pub answers: Vec<AnswerDraft>,
    pub unsure: Option<UnsureDraft>,
    pub allow: Vec<Code>,
}

/// One of `examples`.
#[derive(Debug)]
pub(super) struct ExampleDraft {
    pub text: Option<Text>,
    pub answer: Option<Text>,
    pub why: Option<Text>,
}

/// One of `answers`.
#[derive(Debug)]
pub(super) struct AnswerDraft {
    pub name: Text,
    pub goal: Option<Goal>,
}

/// Where an answer leads, as written.
#[derive(Clone, Debug)]
pub(super) struct Goal {
    pub kind: GoalKind,
    pub id: Text,
}

/// Which of the two keys was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GoalKind {
    Next,
    Leaf,
}

/// `[node.ID.unsure]`.
#[derive(Debug)]
pub(super) struct UnsureDraft {
    pub margin: f64,
    pub goal: Option<Goal>,
}

/// `[leaf.ID]`.
#[derive(Debug)]
pub(super) struct LeafDraft {
    pub id: Text,
    /// `None` only with a fault that says so.
    pub outcome: Option<Outcome>,
    pub label: Option<Text>,
    pub severity: Option<u8>,
    pub action: Option<Text>,
    pub rule_ids: Vec<Text>,
    pub allow: Vec<Code>,
}

/// `[include.NAME]`.
#[derive(Debug)]
pub(super) struct IncludeDraft {
    pub name: Text,
    pub path: Option<Text>,
    /// Leaves of the included policy and where they lead in this one.
    pub leaves: Vec<(Text, Goal)>,
}
