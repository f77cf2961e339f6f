//! Why a model cannot be asked in a chat format, and what to do about it.
//!
//! Must not show text of a model file except in escaped form, or as text that front ends escape.

use super::super::JudgeError;
use super::families::{EMBEDDED, FAMILIES};
use crate::domain::{Complaint, Digest};
use crate::llm::gguf::GgufError;
use crate::text::{Escaped, Untrusted};

/// Why there is no chat template to use.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The metadata cannot be read.
    #[error(transparent)]
    File(#[from] GgufError),
    /// The model file has none: it is a base model, or an incomplete conversion.
    #[error("the model file has no chat template")]
    Missing,
    /// The requested name is not one of ours.
    #[error("there is no chat template `{name}`")]
    UnknownName {
        /// The name.
        name: Escaped,
    },
    /// The model cannot read the format, since a token of it is not in its vocabulary.
    #[error("the chat template `{template}` needs the token `{token}`, which this model does not have")]
    MissingToken {
        /// The format's name.
        template: &'static str,
        /// The token's spelling.
        token: &'static str,
    },
    /// The model cannot read the format, because it reads other tokens where the format has this one.
    #[error(
        "the chat template `{template}` needs the control token `{token}` (type {file_type} in the model file), but the model \
         reads `{instead}` in its place"
    )]
    NotControl {
        /// The format's name.
        template: &'static str,
        /// The token's spelling.
        token: &'static str,
        /// What the file says it is.
        file_type: &'static str,
        /// The spelling of what is read.
        instead: Escaped,
    },
    /// The embedded template is not one of the known formats.
    #[error(
        "the model file has a chat template of its own (sha256 {sha256}). The model would read: {} The template: {}",
        shape.escaped(),
        source_text.escaped()
    )]
    Unknown {
        /// Digest of its text.
        sha256: Digest,
        /// What it makes of one system and one user turn.
        shape: Untrusted,
        /// Its text, cut after some thousand characters.
        source_text: Untrusted,
    },
    /// The embedded template is longer than any real one.
    #[error("the model file's chat template has {len} bytes; at most {max} are allowed")]
    TooLong {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The embedded template runs too long or produces too much.
    #[error("the model file's chat template does not come to an end within its limits")]
    Fuel,
    /// The embedded template is faulty or raises an error.
    #[error("the model file's chat template fails: {}", .0.escaped())]
    Render(Untrusted),
    /// The embedded template does not show a content exactly once.
    #[error("the model file's chat template shows the {role} content {times} times instead of once")]
    Content {
        /// `system` or `user`.
        role: &'static str,
        /// How often.
        times: usize,
    },
    /// The embedded template puts the user's content before the system's.
    #[error("the model file's chat template puts the user content before the system content")]
    Order,
}

impl ChatError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let names = FAMILIES.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
        Some(match self {
            Self::File(error) => return error.hint().map(str::to_owned),
            Self::Missing => {
                format!("for a base model choose `--chat-template plain`, else the format it was trained with: {names}")
            }
            Self::UnknownName { .. } => format!("there are {EMBEDDED}, {names}"),
            Self::Unknown { .. } => {
                format!("check it, then choose `--chat-template {EMBEDDED}` to use it, or another one: {names}")
            }
            Self::MissingToken { .. }
            | Self::NotControl { .. }
            | Self::TooLong { .. }
            | Self::Fuel
            | Self::Render(_)
            | Self::Content { .. }
            | Self::Order => format!("choose the format the model was trained with by `--chat-template`: {names}"),
        })
    }
}

impl From<ChatError> for JudgeError {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::File(error) => error.into(),
            ChatError::Unknown { sha256, ref shape, ref source_text } => Self::Unusable(Complaint {
                hint: error.hint(),
                // With its line breaks, for a front end to escape line by line.
                message: Untrusted::new(format!(
                    "the model file has a chat template of its own (sha256 {sha256}). The model would read:\n{}\nThe template:\n{}",
                    shape.raw(),
                    source_text.raw()
                )),
            }),
            error => Self::Unusable(Complaint { hint: error.hint(), message: error.to_string().into() }),
        }
    }
}
