//! What a judge (a local model, a script or a record) returns for one node, and who the judge was.
//!
//! Must hold all that a reviewer needs to check the step later: hashes, token counts, the rationale, the readout.

use super::{Digest, Readout};
use crate::text::Untrusted;
use serde::{Deserialize, Serialize};

/// Whether the model writes a rationale before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The answer is read right after the question.
    Direct,
    /// At most `max_tokens` tokens of rationale first (greedy).
    Rationale {
        /// The most tokens of rationale per node.
        max_tokens: u32,
    },
}

impl Mode {
    /// Tokens of rationale where nothing else is said.
    pub const DEFAULT_RATIONALE_TOKENS: u32 = 96;

    /// `direct` or `rationale`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Rationale { .. } => "rationale",
        }
    }
}

/// Why a rationale ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The model ended its turn.
    EndOfTurn,
    /// The model began to give its answer by itself (it wrote the answer cue).
    Cue,
    /// The model left a line blank after it had said something.
    BlankLine,
    /// The model wrote a line that it had written before.
    Repetition,
    /// The token limit was reached.
    Length,
}

impl StopReason {
    /// The word of the journal and of every screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EndOfTurn => "end_of_turn",
            Self::Cue => "cue",
            Self::BlankLine => "blank_line",
            Self::Repetition => "repetition",
            Self::Length => "length",
        }
    }
}

/// The chain-of-thought text of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rationale {
    /// What the model wrote.
    pub text: Untrusted,
    /// How many tokens it took.
    pub tokens: u32,
    /// Why it ended there.
    pub stop: StopReason,
}

/// What a node cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Usage {
    /// Tokens of the whole prompt, answer cue included, rationale excluded.
    pub prompt_tokens: u32,
    /// Of those, how many were found in the cache.
    pub reused_tokens: u32,
    /// Tokens that went through the model for this node: new prompt tokens, rationale, answer trie.
    pub computed_tokens: u32,
    /// Wall time in milliseconds.
    pub millis: u32,
}

/// The result of asking one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Judgement {
    /// The chain of thought, where one was asked for.
    pub rationale: Option<Rationale>,
    /// Probabilities of the allowed answers.
    pub readout: Readout,
    /// Digest of the exact token ids before the answer.
    pub prompt_sha256: Digest,
    /// Digest of the raw f32 answer logits, for bit-exact verification.
    pub logits_sha256: Digest,
    /// What it cost.
    pub usage: Usage,
}

/// Which model answered, in enough detail to tell whether a re-run can be expected to give the same bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(inline))]
pub struct ModelInfo {
    /// Name or path under which it was loaded.
    pub name: Untrusted,
    /// Architecture, for example `llama`.
    pub architecture: Untrusted,
    /// Digest of the model file.
    pub sha256: Digest,
    /// Digest of the tokenizer data.
    pub tokenizer_sha256: Digest,
    /// Digest of the chat template.
    pub template_sha256: Digest,
    /// Name and version of the kernels, for example `f32/1`.
    pub kernel: String,
    /// What the kernels run on: instruction sets, for example `avx512`, or a GPU's name.
    pub isa: String,
    /// Element type of the KV cache: `f32`, or `i16` for codes with a scale per position and head.
    pub kv_dtype: String,
    /// `cpu`, `cuda:0`, …
    pub device: String,
    /// Longest prompt in tokens.
    pub context: u32,
    /// Parameters of the model.
    pub parameters: u64,
}
