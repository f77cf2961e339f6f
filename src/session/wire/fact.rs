//! Written form of every kind of fact, and the way from [`Fact`] to it and back.
//!
//! Must have one variant for every variant of [`Fact`]: the two matches below do not compile otherwise.

use super::sample::WireSample;
use super::scalar::{WireDigest, WireFloat, WireName};
use super::step::{WireLeaf, WireStep};
use crate::domain::{BreakAt, Mode, ModelInfo};
use crate::session::{Breakpoint, Fact, FailureKind, PolicyRecord, SourceFile, Subject, WalkId};
use crate::text::Untrusted;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum WireFact {
    Opened {
        program: String,
        at: String,
    },
    Command {
        line: String,
    },
    PolicyLoaded(WirePolicy),
    SamplesLoaded {
        path: String,
        count: usize,
        bad: usize,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        faults: Vec<String>,
        sha256: WireDigest,
    },
    ModelLoaded(WireModel),
    ModeSet {
        mode: WireMode,
    },
    WalkStarted {
        walk: u32,
        index: usize,
        sample: WireSample,
        root: WireName,
    },
    WalkForked {
        walk: u32,
        from: u32,
        at: usize,
    },
    Stepped {
        walk: u32,
        step: WireStep,
    },
    LeafReached {
        walk: u32,
        leaf: WireLeaf,
    },
    SteppedBack {
        walk: u32,
        to: usize,
    },
    WalkSelected {
        walk: u32,
    },
    BreakpointSet(WireBreakpoint),
    BreakpointDeleted {
        id: u32,
    },
    BreakpointHit {
        id: u32,
        walk: u32,
        at: WireName,
    },
    DisplayAdded {
        id: u32,
        expr: String,
    },
    DisplayRemoved {
        id: u32,
    },
    ThresholdSet {
        name: WireName,
        value: WireFloat,
    },
    Noted {
        on: WireSubject,
        text: String,
    },
    Tagged {
        on: WireSubject,
        tag: WireName,
    },
    Cancelled {
        walk: u32,
        node: WireName,
    },
    Failed {
        fault: WireFault,
        message: String,
    },
    Saved {
        path: String,
    },
    Resumed {
        at: String,
    },
}

#[derive(Serialize, Deserialize)]
pub(super) struct WirePolicy {
    id: WireName,
    version: String,
    title: String,
    sha256: WireDigest,
    files: Vec<WireFile>,
}

#[derive(Serialize, Deserialize)]
struct WireFile {
    path: String,
    text: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireModel {
    name: String,
    architecture: String,
    sha256: WireDigest,
    tokenizer_sha256: WireDigest,
    template_sha256: WireDigest,
    kernel: String,
    isa: String,
    kv_dtype: String,
    device: String,
    context: u32,
    parameters: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireMode {
    Direct,
    Rationale { max_tokens: u32 },
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireBreakpoint {
    id: u32,
    at: WireBreakAt,
    condition: Option<String>,
    temporary: bool,
    enabled: bool,
    hits: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireBreakAt {
    Place(WireName),
    Answer { node: WireName, answer: WireName },
    Anywhere,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireSubject {
    Session,
    Walk(u32),
    Step { walk: u32, step: usize },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireFault {
    User,
    Internal,
}

impl From<&Fact> for WireFact {
    fn from(fact: &Fact) -> Self {
        match fact {
            Fact::Opened { program, at } => Self::Opened { program: program.clone(), at: at.clone() },
            Fact::Command { line } => Self::Command { line: line.clone() },
            Fact::PolicyLoaded(record) => Self::PolicyLoaded(record.into()),
            Fact::SamplesLoaded { path, count, bad, faults, sha256 } => Self::SamplesLoaded {
                path: path.raw().to_owned(),
                count: *count,
                bad: *bad,
                faults: faults.iter().map(|f| f.raw().to_owned()).collect(),
                sha256: (*sha256).into(),
            },
            Fact::ModelLoaded(info) => Self::ModelLoaded(info.into()),
            Fact::ModeSet(mode) => Self::ModeSet { mode: (*mode).into() },
            Fact::WalkStarted { walk, index, sample, root } => {
                Self::WalkStarted { walk: walk.0, index: *index, sample: sample.into(), root: root.into() }
            }
            Fact::WalkForked { walk, from, at } => Self::WalkForked { walk: walk.0, from: from.0, at: *at },
            Fact::Stepped { walk, step } => Self::Stepped { walk: walk.0, step: step.into() },
            Fact::LeafReached { walk, leaf } => Self::LeafReached { walk: walk.0, leaf: leaf.into() },
            Fact::SteppedBack { walk, to } => Self::SteppedBack { walk: walk.0, to: *to },
            Fact::WalkSelected { walk } => Self::WalkSelected { walk: walk.0 },
            Fact::BreakpointSet(breakpoint) => Self::BreakpointSet(breakpoint.into()),
            Fact::BreakpointDeleted { id } => Self::BreakpointDeleted { id: *id },
            Fact::BreakpointHit { id, walk, at } => Self::BreakpointHit { id: *id, walk: walk.0, at: at.into() },
            Fact::DisplayAdded { id, expr } => Self::DisplayAdded { id: *id, expr: expr.clone() },
            Fact::DisplayRemoved { id } => Self::DisplayRemoved { id: *id },
            Fact::ThresholdSet { name, value } => Self::ThresholdSet { name: name.into(), value: WireFloat(*value) },
            Fact::Noted { on, text } => Self::Noted { on: (*on).into(), text: text.raw().to_owned() },
            Fact::Tagged { on, tag } => Self::Tagged { on: (*on).into(), tag: tag.into() },
            Fact::Cancelled { walk, node } => Self::Cancelled { walk: walk.0, node: node.into() },
            Fact::Failed { kind, message } => {
                let fault = match kind {
                    FailureKind::User => WireFault::User,
                    FailureKind::Internal => WireFault::Internal,
                };
                Self::Failed { fault, message: message.raw().to_owned() }
            }
            Fact::Saved { path } => Self::Saved { path: path.raw().to_owned() },
            Fact::Resumed { at } => Self::Resumed { at: at.clone() },
        }
    }
}

impl From<WireFact> for Fact {
    fn from(wire: WireFact) -> Self {
        match wire {
            WireFact::Opened { program, at } => Self::Opened { program, at },
            WireFact::Command { line } => Self::Command { line },
            WireFact::PolicyLoaded(record) => Self::PolicyLoaded(record.into()),
            WireFact::SamplesLoaded { path, count, bad, faults, sha256 } => Self::SamplesLoaded {
                path: path.into(),
                count,
                bad,
                faults: faults.into_iter().map(Into::into).collect(),
                sha256: sha256.into(),
            },
            WireFact::ModelLoaded(info) => Self::ModelLoaded(info.into()),
            WireFact::ModeSet { mode } => Self::ModeSet(mode.into()),
            WireFact::WalkStarted { walk, index, sample, root } => {
                Self::WalkStarted { walk: WalkId(walk), index, sample: sample.into(), root: root.into() }
            }
            WireFact::WalkForked { walk, from, at } => Self::WalkForked { walk: WalkId(walk), from: WalkId(from), at },
            WireFact::Stepped { walk, step } => Self::Stepped { walk: WalkId(walk), step: step.into() },
            WireFact::LeafReached { walk, leaf } => Self::LeafReached { walk: WalkId(walk), leaf: leaf.into() },
            WireFact::SteppedBack { walk, to } => Self::SteppedBack { walk: WalkId(walk), to },
            WireFact::WalkSelected { walk } => Self::WalkSelected { walk: WalkId(walk) },
            WireFact::BreakpointSet(breakpoint) => Self::BreakpointSet(breakpoint.into()),
            WireFact::BreakpointDeleted { id } => Self::BreakpointDeleted { id },
            WireFact::BreakpointHit { id, walk, at } => Self::BreakpointHit { id, walk: WalkId(walk), at: at.into() },
            WireFact::DisplayAdded { id, expr } => Self::DisplayAdded { id, expr },
            WireFact::DisplayRemoved { id } => Self::DisplayRemoved { id },
            WireFact::ThresholdSet { name, value } => Self::ThresholdSet { name: name.into(), value: value.0 },
            WireFact::Noted { on, text } => Self::Noted { on: on.into(), text: text.into() },
            WireFact::Tagged { on, tag } => Self::Tagged { on: on.into(), tag: tag.into() },
            WireFact::Cancelled { walk, node } => Self::Cancelled { walk: WalkId(walk), node: node.into() },
            WireFact::Failed { fault, message } => {
                let kind = match fault {
                    WireFault::User => FailureKind::User,
                    WireFault::Internal => FailureKind::Internal,
                };
                Self::Failed { kind, message: message.into() }
            }
            WireFact::Saved { path } => Self::Saved { path: path.into() },
            WireFact::Resumed { at } => Self::Resumed { at },
        }
    }
}

impl From<&PolicyRecord> for WirePolicy {
    fn from(r: &PolicyRecord) -> Self {
        let file = |f: &SourceFile| WireFile { path: f.path.raw().to_owned(), text: f.text.raw().to_owned() };
        Self {
            id: (&r.id).into(),
            version: r.version.raw().to_owned(),
            title: r.title.raw().to_owned(),
            sha256: r.sha256.into(),
            files: r.files.iter().map(file).collect(),
        }
    }
}

impl From<WirePolicy> for PolicyRecord {
    fn from(w: WirePolicy) -> Self {
        let file = |f: WireFile| SourceFile { path: f.path.into(), text: f.text.into() };
        Self {
            id: w.id.into(),
            version: w.version.into(),
            title: w.title.into(),
            sha256: w.sha256.into(),
            files: w.files.into_iter().map(file).collect(),
        }
    }
}

impl From<&ModelInfo> for WireModel {
    fn from(m: &ModelInfo) -> Self {
        Self {
            name: m.name.raw().to_owned(),
            architecture: m.architecture.raw().to_owned(),
            sha256: m.sha256.into(),
            tokenizer_sha256: m.tokenizer_sha256.into(),
            template_sha256: m.template_sha256.into(),
            kernel: m.kernel.clone(),
            isa: m.isa.clone(),
            kv_dtype: m.kv_dtype.clone(),
            device: m.device.clone(),
            context: m.context,
            parameters: m.parameters,
        }
    }
}

impl From<WireModel> for ModelInfo {
    fn from(w: WireModel) -> Self {
        Self {
            name: Untrusted::from(w.name),
            architecture: w.architecture.into(),
            sha256: w.sha256.into(),
            tokenizer_sha256: w.tokenizer_sha256.into(),
            template_sha256: w.template_sha256.into(),
            kernel: w.kernel,
            isa: w.isa,
            kv_dtype: w.kv_dtype,
            device: w.device,
            context: w.context,
            parameters: w.parameters,
        }
    }
}

impl From<Mode> for WireMode {
    fn from(m: Mode) -> Self {
        match m {
            Mode::Direct => Self::Direct,
            Mode::Rationale { max_tokens } => Self::Rationale { max_tokens },
        }
    }
}

impl From<WireMode> for Mode {
    fn from(w: WireMode) -> Self {
        match w {
            WireMode::Direct => Self::Direct,
            WireMode::Rationale { max_tokens } => Self::Rationale { max_tokens },
        }
    }
}

impl From<&Breakpoint> for WireBreakpoint {
    fn from(b: &Breakpoint) -> Self {
        let at = match &b.at {
            BreakAt::Place(id) => WireBreakAt::Place(id.into()),
            BreakAt::Answer(node, answer) => WireBreakAt::Answer { node: node.into(), answer: answer.into() },
            BreakAt::Anywhere => WireBreakAt::Anywhere,
        };
        let condition = b.condition.clone();
        Self { id: b.id, at, condition, temporary: b.temporary, enabled: b.enabled, hits: b.hits }
    }
}

impl From<WireBreakpoint> for Breakpoint {
    fn from(w: WireBreakpoint) -> Self {
        let at = match w.at {
            WireBreakAt::Place(id) => BreakAt::Place(id.into()),
            WireBreakAt::Answer { node, answer } => BreakAt::Answer(node.into(), answer.into()),
            WireBreakAt::Anywhere => BreakAt::Anywhere,
        };
        Self { id: w.id, at, condition: w.condition, temporary: w.temporary, enabled: w.enabled, hits: w.hits }
    }
}

impl From<Subject> for WireSubject {
    fn from(s: Subject) -> Self {
        match s {
            Subject::Session => Self::Session,
            Subject::Walk(walk) => Self::Walk(walk.0),
            Subject::Step(walk, step) => Self::Step { walk: walk.0, step },
        }
    }
}

impl From<WireSubject> for Subject {
    fn from(w: WireSubject) -> Self {
        match w {
            WireSubject::Session => Self::Session,
            WireSubject::Walk(walk) => Self::Walk(WalkId(walk)),
            WireSubject::Step { walk, step } => Self::Step(WalkId(walk), step),
        }
    }
}
