//! Judges: whatever can answer a node. A local model read from one GGUF file, or a script for tests.
//!
//! Must not know policies, sessions or screens. How a model computes is up to `llm`; what counts as an answer is
//! decided here.

use crate::domain::{Cancel, Complaint, Examination, Judgement, Mode, ModelInfo, Name, Prompt, path_text};
use crate::llm::LlmError;
use crate::llm::gguf::GgufError;
use crate::text::Untrusted;
use std::path::Path;

pub mod chat;
pub mod hub;
pub mod local;
pub mod manifest;
pub mod rationale;
pub mod readout;
pub mod scripted;
pub mod source;

/// One node to answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What the model reads.
    pub prompt: Prompt,
    /// The allowed answers, in the node's order.
    pub answers: Vec<Name>,
    /// With or without a rationale.
    pub mode: Mode,
}

/// Something to show while a judge works; may be lost, never journalled.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// A file is being fetched: bytes done and, if known, the total.
    Fetching {
        /// What is fetched and from where.
        what: Untrusted,
        /// Bytes so far.
        done: u64,
        /// Bytes in all.
        total: Option<u64>,
    },
    /// Somebody else has to do something first.
    Waiting {
        /// What is waited for.
        what: Untrusted,
        /// Seconds so far.
        seconds: u64,
    },
    /// Something the user should know even on success. May have several lines.
    Note(Untrusted),
    /// A model is being loaded or verified, 0..=1000 per mille.
    Loading {
        /// Which step of it.
        what: &'static str,
        /// Per mille done.
        permille: u16,
    },
    /// Prompt tokens read so far.
    Prefill {
        /// Tokens done.
        done: u32,
        /// Tokens in all.
        total: u32,
    },
    /// A piece of rationale; pieces in order make the whole text.
    Token(Untrusted),
}

/// What an `x` command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The rendered prompt.
    Prompt,
    /// The prompt's tokens.
    Tokens,
    /// The `k` most likely next tokens after the first `position` tokens (`None`: where the answer is read).
    Top {
        /// How many.
        k: u32,
        /// Where.
        position: Option<u32>,
    },
}

/// Answers nodes. Lives on the engine's worker thread.
pub trait Judge: Send {
    /// Who is answering.
    fn info(&self) -> &ModelInfo;

    /// Answers one node; stops within one token or one prefill chunk of `cancel`.
    fn judge(
        &mut self,
        question: &Question,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Judgement, JudgeError>;

    /// Answers questions until there are no more, several at a time if that is faster. Each answer is the one that
    /// [`Self::judge`] would give.
    ///
    /// # Errors
    /// [`JudgeError::Cancelled`], or a fault that concerns no single question; the questions in progress are then lost.
    fn judge_all(&mut self, questions: &mut dyn Questions, cancel: &Cancel) -> Result<(), JudgeError> {
        while let Some((number, question)) = questions.next(true) {
            let answer = self.judge(&question, &mut |progress| questions.progress(number, progress), cancel);
            if matches!(answer, Err(JudgeError::Cancelled)) {
                return Err(JudgeError::Cancelled);
            }
            questions.answered(number, answer);
        }
        Ok(())
    }

    /// Shows what the model was asked; `rationale` is the text the model wrote at this node, if any.
    fn examine(
        &mut self,
        question: &Question,
        rationale: Option<&str>,
        look: Look,
        cancel: &Cancel,
    ) -> Result<Examination, JudgeError>;
}

/// Where questions come from and answers go, when there are many.
pub trait Questions {
    /// The next question with a number chosen by the caller, or `None` if there is none at the moment. Lower numbers
    /// are more urgent. With `idle` nothing is in progress, so the caller may block until one arrives; `None` then
    /// means the end.
    fn next(&mut self, idle: bool) -> Option<(u64, Question)>;

    /// The answer to question number `number`. Answers come in any order.
    fn answered(&mut self, number: u64, answer: Result<Judgement, JudgeError>);

    /// How far question number `number` is.
    fn progress(&mut self, _number: u64, _progress: Progress) {}
}

/// Opens judges by name: a manifest name, a path to a GGUF file.
pub trait JudgeSource: Send {
    /// Fetches where needed, verifies, loads.
    fn open(
        &mut self,
        name: &str,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Box<dyn Judge>, JudgeError>;
}

/// Why a judge could not be opened or could not answer.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// Stopped on request.
    #[error("cancelled")]
    Cancelled,
    /// The prompt does not fit the model.
    #[error("the prompt has {tokens} tokens and the model reads at most {context}")]
    TooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// The model's limit.
        context: usize,
    },
    /// The file, the download or the request is at fault.
    #[error(transparent)]
    Unusable(#[from] Complaint),
    /// A fault of ours or of a library.
    #[error("internal error of the model layer: {}", .0.escaped())]
    Internal(Untrusted),
}

impl JudgeError {
    /// Its message, and what to do about it.
    pub fn complaint(&self) -> Complaint {
        match self {
            Self::Unusable(complaint) => complaint.clone(),
            Self::TooLong { .. } => Complaint::new(self.to_string())
                .hinted("shorten the policy's texts or the sample, or load a model with a longer context"),
            Self::Internal(message) => Complaint::new(message.clone()),
            Self::Cancelled => Complaint::new(self.to_string()),
        }
    }

    /// The same error with the file at fault.
    #[must_use]
    pub fn in_file(self, path: &Path) -> Self {
        match self {
            Self::Unusable(complaint) => complaint.about(path_text::of(path)).into(),
            other => other,
        }
    }
}

impl From<LlmError> for JudgeError {
    fn from(error: LlmError) -> Self {
        match error {
            LlmError::Cancelled => Self::Cancelled,
            LlmError::TooLong { tokens, context } => Self::TooLong { tokens, context },
            LlmError::Unusable(complaint) => complaint.into(),
            LlmError::Internal(message) => Self::Internal(message),
        }
    }
}

impl From<GgufError> for JudgeError {
    fn from(error: GgufError) -> Self {
        LlmError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_as_it_was_written_without_another_pair_of_quotes() {
        let llm = |message: &str| LlmError::from(Complaint::new(message));
        let shown = [
            llm("tensor `a`: \"x\" is wrong").to_string(),
            JudgeError::from(llm("tensor `a`: \"x\" is wrong")).to_string(),
            LlmError::Internal("gone".into()).to_string(),
            JudgeError::Internal("gone\u{1b}[2J".into()).to_string(),
        ];
        let [first, second, third, fourth] = shown;
        assert_eq!((first.as_str(), second.as_str()), ("tensor `a`: \"x\" is wrong", "tensor `a`: \"x\" is wrong"));
        assert_eq!(third, "internal error of the model layer: gone");
        assert!(fourth.starts_with("internal error of the model layer: gone") && !fourth.contains('\u{1b}'));
    }
}
