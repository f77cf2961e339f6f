//! `Fact`: one thing that happened and is kept. Nothing else changes the state of a session.
//!
//! A kind of fact is declared here and nowhere else: its JSON form, its schema, the table in `docs/session-format.md`
//! and the generated facts of the property tests all derive from the declaration. A new field needs a default, so that
//! older files still read. Must not hold transient data (progress, streamed tokens).

use crate::domain::wire::{Float, Pair, pair};
use crate::domain::{
    Answered, BreakAt, Digest, Examination, Judgement, Mode, ModelInfo, Name, Piece, Sample, Target, Verdict,
};
use crate::text::Untrusted;
use serde::{Deserialize, Serialize};

/// Number of a walk in its session, from 1. A branch is a walk of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WalkId(pub u32);

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, strum::VariantNames)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Fact {
    /// A session began; always the first fact.
    Opened {
        /// Version of the program.
        program: String,
        /// Wall clock at the start, RFC 3339.
        at: String,
    },
    /// A command was accepted; its canonical line. The facts that follow are its consequences.
    Command {
        /// The canonical line.
        line: String,
    },
    /// A policy was loaded; the record holds its whole source.
    PolicyLoaded(PolicyRecord),
    /// A file of samples was loaded; the samples themselves are recorded when they are selected.
    SamplesLoaded {
        /// Where from.
        path: Untrusted,
        /// Good samples.
        count: usize,
        /// Lines that could not be read.
        bad: usize,
        /// The first few of them: `LINE:COLUMN: what is wrong (what to do)`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        faults: Vec<Untrusted>,
        /// Digest of the file.
        sha256: Digest,
    },
    /// A judge was loaded.
    ModelLoaded(ModelInfo),
    /// The mode was changed.
    ModeSet {
        /// The new one.
        mode: Mode,
    },
    /// A sample was selected and a walk begins at the root.
    WalkStarted {
        /// The new walk.
        walk: WalkId,
        /// Place of the sample in its file, from 0.
        index: usize,
        /// The sample, whole.
        sample: Sample,
        /// The node to ask first.
        root: Name,
    },
    /// A new walk that shares the first `at` steps of `from`; made by overriding or re-running.
    WalkForked {
        /// The new walk; it becomes the current one.
        walk: WalkId,
        /// Where it comes from.
        from: WalkId,
        /// How many steps are shared.
        at: usize,
    },
    /// A node was asked (or overridden) and an edge was taken.
    Stepped {
        /// Which walk.
        walk: WalkId,
        /// The step.
        step: Step,
    },
    /// The walk is over.
    LeafReached {
        /// Which walk.
        walk: WalkId,
        /// The leaf and what it says.
        leaf: LeafReached,
    },
    /// The last steps of the current walk were taken back, so that `to` steps are left.
    SteppedBack {
        /// Which walk.
        walk: WalkId,
        /// How many steps are left.
        to: usize,
    },
    /// Another walk was selected; commands act on it from now on.
    WalkSelected {
        /// Which walk.
        walk: WalkId,
    },
    /// A breakpoint was set, or replaced by one of the same id.
    BreakpointSet(Breakpoint),
    /// A breakpoint was removed.
    BreakpointDeleted {
        /// Its id.
        id: u32,
    },
    /// Execution stopped at a breakpoint.
    BreakpointHit {
        /// Its id.
        id: u32,
        /// Which walk.
        walk: WalkId,
        /// The node or leaf.
        at: Name,
    },
    /// An expression is shown after every step.
    DisplayAdded {
        /// Its number.
        id: u32,
        /// The expression.
        expr: String,
    },
    /// It no longer is.
    DisplayRemoved {
        /// Its number.
        id: u32,
    },
    /// A classifier threshold was overridden.
    ThresholdSet {
        /// Name of the score.
        name: Name,
        /// The new threshold.
        #[serde(with = "Float")]
        value: f64,
    },
    /// A note was written.
    Noted {
        /// About what.
        on: Subject,
        /// The text.
        text: Untrusted,
        /// By whom, and when; files before 1.1 do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Stamp>,
    },
    /// A tag was put on something.
    Tagged {
        /// On what.
        on: Subject,
        /// The tag.
        tag: Name,
        /// By whom, and when; files before 1.1 do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Stamp>,
    },
    /// What `x` found at a node.
    Examined {
        /// Which walk.
        walk: WalkId,
        /// The node.
        node: Name,
        /// The prompt, its tokens, or the most likely next ones.
        found: Examination,
    },
    /// A node was being asked and was stopped on request; no edge was taken.
    Cancelled {
        /// Which walk.
        walk: WalkId,
        /// The node.
        node: Name,
    },
    /// A command failed; nothing of it but the facts before this one took effect.
    Failed {
        /// Whose fault.
        #[serde(rename = "fault")]
        kind: FailureKind,
        /// What went wrong.
        message: Untrusted,
    },
    /// The session was copied.
    Saved {
        /// Where to.
        path: Untrusted,
    },
    /// The file is a review: what follows is about another session, which stays as it is.
    ReviewOf {
        /// Digest of the first line of that session's file.
        session: Digest,
    },
    /// The session was opened again after it had been closed or had crashed.
    Resumed {
        /// Wall clock, RFC 3339.
        at: String,
    },
}

/// Who left a note or a tag, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stamp {
    /// Name of the person.
    pub author: Untrusted,
    /// Wall clock, RFC 3339.
    pub at: String,
    /// In a review: after how many facts of the session that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// A policy as it was loaded, whole, so that replay shows what the model was asked without any other file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(inline))]
pub struct PolicyRecord {
    /// Its id.
    pub id: Name,
    /// Its version.
    pub version: Untrusted,
    /// Its title.
    pub title: Untrusted,
    /// Digest over all its files.
    pub sha256: Digest,
    /// The policy file first, then the included ones.
    pub files: Vec<SourceFile>,
}

/// One file as it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SourceFile {
    /// Where from.
    pub path: Untrusted,
    /// Its text.
    pub text: Untrusted,
}

/// One answered node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Step {
    /// Which node.
    pub node: NodeRef,
    /// What the judge said; `None` where a person answered instead and the judge was never asked.
    pub judgement: Option<Judgement>,
    /// What the judge read before it answered, chat format included; files before 1.2 do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompt: Vec<Piece>,
    /// The answer that was followed. With [`Taken::Unsure`] it is the most probable one.
    pub answer: Name,
    /// Why that answer.
    pub taken: Taken,
    /// Where it led.
    pub target: Target,
}

impl Step {
    /// What a change of the policy could make stale.
    pub fn answered(&self) -> Answered<'_> {
        let said = self.judgement.as_ref().filter(|_| self.taken != Taken::Overridden);
        let margin = said.map(|j| j.readout.margin());
        Answered { node: &self.node.id, answer: &self.answer, margin, target: &self.target }
    }
}

/// A node and the hash of its content, so that an edited node is told from the one that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeRef {
    /// The node's id; nodes of an included policy are `include/node`.
    pub id: Name,
    /// Hash of question, guidance, examples, answers and terms used.
    pub hash: Digest,
}

/// Why an edge was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// The most probable answer.
    Argmax,
    /// The margin was below the node's `unsure` margin, so its `unsure` target was followed.
    Unsure,
    /// A person said so.
    Overridden,
}

impl Taken {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Argmax, Self::Unsure, Self::Overridden];

    /// The word that conditions compare with.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Argmax => "argmax",
            Self::Unsure => "unsure",
            Self::Overridden => "overridden",
        }
    }
}

/// The end of a walk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeafReached {
    /// The leaf's id.
    pub id: Name,
    /// What it says.
    pub verdict: Verdict,
    /// How severe, where the policy says so.
    pub severity: Option<u8>,
    /// What to do, where the policy says so.
    pub action: Option<Name>,
    /// The rules it rests on.
    pub rule_ids: Vec<Name>,
}

/// A breakpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(inline))]
pub struct Breakpoint {
    /// Its number, from 1, never reused.
    pub id: u32,
    /// Where it stops.
    pub at: BreakAt,
    /// Only if this holds.
    pub condition: Option<String>,
    /// Removed after the first stop.
    pub temporary: bool,
    /// Whether it stops at all.
    pub enabled: bool,
    /// How often it stopped.
    pub hits: u32,
}

/// What a note or tag is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The session as a whole.
    Session,
    /// A walk.
    Walk(WalkId),
    /// One step of a walk, from 0.
    #[serde(with = "Pair::<WalkStep>")]
    Step(WalkId, usize),
}

pair!(
    /// A step of a walk.
    WalkStep { walk: WalkId, step: usize }
);

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The request, a file or a model.
    User,
    /// A fault of ours.
    Internal,
}
