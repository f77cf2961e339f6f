//! What can be wrong with a model file: what, where in it, and what to do.
//!
//! Must not show text of the file (keys, tensor names) except as `Escaped`: a model file is as hostile as a sample.

use crate::domain::Complaint;
use crate::llm::LlmError;
use crate::text::Escaped;
use std::path::Path;

/// Why a model file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// Stopped on request.
    #[error("cancelled")]
    Cancelled,
    /// The file cannot be opened or read.
    #[error("cannot {doing} the model file: {source}")]
    Io {
        /// What was tried: `open`, `read`.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The path names something that is no regular file.
    #[error("the model path is not a regular file")]
    NotAFile,
    /// The file ends before something that it announces.
    #[error(
        "the model file ends too early: {what} at byte {at} needs {needed} bytes, but the file has {file_len} in all"
    )]
    Truncated {
        /// What was being read.
        what: Escaped,
        /// Where it begins.
        at: u64,
        /// How long it is.
        needed: u64,
        /// Length of the whole file.
        file_len: u64,
    },
    /// The header breaks a rule of the format or one of our limits.
    #[error("not a usable GGUF file: {what} (at byte {at})")]
    Header {
        /// Which rule, in words.
        what: Escaped,
        /// Where in the file.
        at: u64,
    },
    /// A key that is needed is not there.
    #[error("the model file has no key `{key}`")]
    MissingKey {
        /// The key.
        key: Escaped,
    },
    /// A key's value cannot be what the key stands for.
    #[error("key `{key}` of the model file: {what}")]
    Key {
        /// The key.
        key: Escaped,
        /// What is wrong with its value.
        what: Escaped,
    },
    /// A key says that the model is one which we do not compute.
    #[error("key `{key}` of the model file: {what}")]
    Unsupported {
        /// The key.
        key: Escaped,
        /// What is not supported.
        what: Escaped,
    },
    /// A part of a split model is not there.
    #[error("part {part} of {count} of the model is missing: {name}")]
    MissingPart {
        /// Which one, from 1.
        part: u32,
        /// How many there are.
        count: u32,
        /// Its file.
        name: Escaped,
    },
    /// A part of a split model has a name from which those of the others do not follow.
    #[error("the file is part {part} of {count} of a model, but its name does not end in {ending}")]
    PartName {
        /// Which one, from 1.
        part: u32,
        /// How many there are.
        count: u32,
        /// How the name should end.
        ending: String,
    },
    /// Another part of a split model than the one that was named is at fault.
    #[error("in {name}: {error}")]
    InPart {
        /// Its file.
        name: Escaped,
        /// What is wrong with it.
        error: Box<Self>,
    },
    /// A tensor that is needed is not there.
    #[error("the model file has no tensor `{name}`")]
    MissingTensor {
        /// The tensor.
        name: Escaped,
    },
    /// A tensor is announced wrongly or is of a kind that cannot be computed with.
    #[error("tensor `{name}` of the model file: {what}")]
    Tensor {
        /// The tensor.
        name: Escaped,
        /// What is wrong with it.
        what: Escaped,
    },
}

impl GgufError {
    /// A missing key.
    pub fn missing_key(key: &str) -> Self {
        Self::MissingKey { key: Escaped::line(key) }
    }

    /// A key whose value is wrong.
    pub fn key(key: &str, what: impl AsRef<str>) -> Self {
        Self::Key { key: Escaped::line(key), what: Escaped::line(what.as_ref()) }
    }

    /// A key that says something which we do not compute.
    pub fn unsupported(key: &str, what: impl AsRef<str>) -> Self {
        Self::Unsupported { key: Escaped::line(key), what: Escaped::line(what.as_ref()) }
    }

    /// The error of one part of a split model.
    pub(super) fn in_part(path: &Path, error: Self) -> Self {
        match error {
            Self::Cancelled => Self::Cancelled,
            error => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                Self::InPart { name: Escaped::line(&name), error: Box::new(error) }
            }
        }
    }

    /// A tensor that is wrong.
    pub fn tensor(name: &str, what: impl AsRef<str>) -> Self {
        Self::Tensor { name: Escaped::line(name), what: Escaped::line(what.as_ref()) }
    }

    /// A broken rule at byte `at`.
    pub(super) fn header(at: u64, what: impl AsRef<str>) -> Self {
        Self::Header { what: Escaped::line(what.as_ref()), at }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Cancelled => None,
            Self::Io { .. } => Some("check the path, the permissions and the disk"),
            Self::NotAFile => Some("give the path of one .gguf file"),
            Self::Truncated { .. } => Some("the download is probably incomplete: fetch the file again"),
            Self::Header { .. } => {
                Some("the file is damaged, made by a faulty tool, or not GGUF: fetch it again or take another")
            }
            Self::Unsupported { key, .. } if key.as_str() == "general.architecture" => Some(
                "take a model of one of these families, or the same model converted under another name; crossexam models \
                 list names some",
            ),
            Self::Unsupported { .. } => Some(
                "crossexam does not compute models of this kind, whoever converted them: take another model; crossexam models \
                 list names some",
            ),
            Self::MissingPart { .. } => Some(
                "crossexam does not fetch split models: download this part from where the others came from, and keep all of \
                 them in one folder under their own names",
            ),
            Self::PartName { .. } => Some("give all parts the names they were published with, in one folder"),
            Self::InPart { error, .. } => error.hint(),
            Self::MissingKey { .. } | Self::Key { .. } => {
                Some("the file was converted by a faulty or very old tool: take another conversion of this model")
            }
            Self::MissingTensor { .. } | Self::Tensor { .. } => {
                Some("take another quantisation of this model (Q4_K_M and Q8_0 work), and one of text only")
            }
        }
    }
}

impl From<GgufError> for LlmError {
    fn from(error: GgufError) -> Self {
        match error {
            GgufError::Cancelled => Self::Cancelled,
            error => Complaint { message: error.to_string().into(), hint: error.hint().map(str::to_owned) }.into(),
        }
    }
}
