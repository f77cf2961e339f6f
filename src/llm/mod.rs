//! A language model read from one GGUF file: its file format, tokenizer, decoder and kernels, and next-token
//! probabilities.
//!
//! Must know of no answers, nodes, prompts or chat formats: that is `judge`, one floor up.

use crate::domain::Complaint;
use crate::text::Untrusted;

pub mod arch;
mod attention;
pub mod decoder;
pub mod device;
pub mod gguf;
pub mod kernels;
pub mod kv;
pub mod linear;
pub mod measure;
mod ops;
#[cfg(test)]
pub(crate) mod oracle;
pub mod radix;
mod rope;
pub mod scoring;
mod simd;
pub mod tokenizer;
mod trial;

/// Why a model could not be read or could not compute.
#[derive(Debug, thiserror::Error)]
pub enum LlmError {
    /// Stopped on request.
    #[error("cancelled")]
    Cancelled,
    /// The tokens do not fit the model.
    #[error("the prompt has {tokens} tokens and the model reads at most {context}")]
    TooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// The model's limit.
        context: usize,
    },
    /// The file or the request is at fault.
    #[error(transparent)]
    Unusable(#[from] Complaint),
    /// A fault of ours or of a library.
    #[error("internal error of the model layer: {}", .0.escaped())]
    Internal(Untrusted),
}
