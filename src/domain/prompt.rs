//! The prompt of one node as named pieces, before a chat template and a tokenizer turn it into token ids.
//!
//! Must not hold chat scaffolding (`<|im_start|>` and the like): that belongs to the model. Every piece here is content
//! and must never produce a control token.

use super::Digest;
use crate::text::Untrusted;
use serde::{Deserialize, Serialize};

/// In which order a policy shows its parts to the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `[instructions, terms][sample][node][answer]`: one prefix for all nodes of a walk.
    #[default]
    SampleFirst,
    /// `[instructions, terms][node][sample][answer]`: one prefix per node, shared by all samples.
    NodeFirst,
}

impl Layout {
    /// The word of the policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SampleFirst => "sample-first",
            Self::NodeFirst => "node-first",
        }
    }
}

/// What a piece of the prompt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Scaffolding of the chat template; only in what a model read, never in a [`Prompt`].
    Template,
    /// The policy's instructions.
    Instructions,
    /// The definitions of the policy's terms.
    Terms,
    /// Our words around the sample (`Text:`, field names, line ends).
    Fence,
    /// The sample's own text, byte for byte; one piece per text of the sample.
    Sample,
    /// The node's question.
    Question,
    /// The node's guidance.
    Guidance,
    /// The node's examples.
    Examples,
    /// The list of allowed answers and what to do.
    Answers,
    /// What the model wrote before answering.
    Rationale,
    /// The cue after which the answer is read.
    Cue,
}

impl Part {
    /// The word shown beside a token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Instructions => "instructions",
            Self::Terms => "terms",
            Self::Fence => "fence",
            Self::Sample => "sample",
            Self::Question => "question",
            Self::Guidance => "guidance",
            Self::Examples => "examples",
            Self::Answers => "answers",
            Self::Rationale => "rationale",
            Self::Cue => "cue",
        }
    }
}

/// One piece of text and what it is. Pieces are tokenised one by one, so the same piece always gives the same tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Piece {
    /// What it is.
    pub part: Part,
    /// Its text, exactly as the model reads it.
    pub text: Untrusted,
}

/// Everything the model reads for one node, up to where it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Content of the system turn.
    pub system: Vec<Piece>,
    /// Content of the user turn.
    pub user: Vec<Piece>,
    /// Opens the model's turn when a rationale is wanted, for example `Rationale:`; ignored in direct mode.
    pub rationale_cue: String,
    /// Stands right before the answer, for example `Answer:`; never ends in a space.
    pub answer_cue: String,
}

impl Prompt {
    /// All pieces in reading order.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.system.iter().chain(&self.user)
    }

    /// Digest over the parts, their texts and the cues.
    pub fn digest(&self) -> Digest {
        let mut parts: Vec<&[u8]> = Vec::new();
        for piece in &self.system {
            parts.extend([b"system".as_slice(), piece.part.as_str().as_bytes(), piece.text.raw().as_bytes()]);
        }
        for piece in &self.user {
            parts.extend([b"user".as_slice(), piece.part.as_str().as_bytes(), piece.text.raw().as_bytes()]);
        }
        parts.extend([self.rationale_cue.as_bytes(), self.answer_cue.as_bytes()]);
        Digest::of_parts(parts)
    }
}
