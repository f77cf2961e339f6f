//! What the `x` command shows: the exact prompt, its tokens, and the most likely next tokens at a point.
//!
//! Must come from the same code path as the verdict, so that what is shown is what was asked.

use super::wire::Float;
use super::{Part, Piece};
use crate::text::Untrusted;
use serde::{Deserialize, Serialize};

/// One token of the prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TokenView {
    /// Position in the prompt, from 0.
    pub position: u32,
    /// Token id.
    pub id: u32,
    /// The token's own bytes as text (invalid UTF-8 replaced).
    pub text: Untrusted,
    /// Which part of the prompt it came from.
    pub part: Part,
    /// Whether it is a control token of the tokenizer.
    pub control: bool,
}

/// One candidate for the next token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TopToken {
    /// Token id.
    pub id: u32,
    /// Its text.
    pub text: Untrusted,
    /// Log-probability over the full vocabulary (natural log).
    #[serde(with = "Float")]
    pub logprob: f64,
}

/// The answer to an `x` command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Examination {
    /// The pieces of the prompt as the model reads them, scaffolding included as [`Part::Template`].
    Prompt(Vec<Piece>),
    /// Every token of the prompt.
    Tokens(Vec<TokenView>),
    /// The most likely tokens after the first `position` tokens of the prompt.
    Top {
        /// How many tokens stand before the candidates.
        position: u32,
        /// Candidates, most likely first.
        tokens: Vec<TopToken>,
    },
}
