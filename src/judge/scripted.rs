//! A judge with scripted answers, for tests that need determinism.
//!
//! Must not be reachable from the command line except as `--llm scripted:…`.

use super::{Judge, JudgeError, Look, Progress, Question};
use crate::domain::{
    Cancel, Complaint, Digest, Examination, GuardedFile, Judgement, Mode, ModelInfo, Part, Piece, Rationale, Readout,
    StopReason, Usage, path_text,
};

/// Probabilities of the answers of a question, and the rationale.
type Answer = dyn FnMut(&Question) -> (Vec<f64>, String) + Send;

/// The longest text that is given as a rationale, in bytes.
const MOST_TEXT: u64 = 1 << 20;

/// Answers by a function of the question: probabilities per answer and a rationale.
pub struct Scripted {
    info: ModelInfo,
    answer: Box<Answer>,
}

impl Scripted {
    /// A judge that calls `answer` for every node. It returns one probability per allowed answer (they need not sum to
    /// 1; the sum is the coverage) and the rationale.
    pub fn new(answer: impl FnMut(&Question) -> (Vec<f64>, String) + Send + 'static) -> Self {
        let digest = Digest::of(b"scripted");
        let info = ModelInfo {
            name: "scripted".into(),
            architecture: "scripted".into(),
            sha256: digest,
            tokenizer_sha256: digest,
            template_sha256: digest,
            kernel: "scripted/1".into(),
            isa: "none".into(),
            kv_dtype: "none".into(),
            device: "cpu".into(),
            context: 1_000_000,
            parameters: 0,
        };
        Self { info, answer: Box::new(answer) }
    }

    /// A judge that gives `p` to the first answer and shares the rest among the others.
    pub fn constant(p: f64) -> Self {
        Self::new(move |q| {
            let rest = (1.0 - p) / (q.answers.len().max(2) - 1) as f64;
            let ps = (0..q.answers.len()).map(|i| if i == 0 { p } else { rest }).collect();
            (ps, "scripted rationale".to_owned())
        })
    }
}

impl Scripted {
    /// The judge of `--llm scripted:ARGUMENT`: a number is the probability of the first answer of every node; anything
    /// else is a file whose text becomes the rationale of every node, with probability 0.8 for the first answer.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn from_argument(argument: &str, cancel: &Cancel) -> Result<Self, JudgeError> {
        // What answers differently is another model.
        let named = |mut judge: Self| {
            judge.info.sha256 = Digest::of(argument.as_bytes());
            judge
        };
        if let Ok(p) = argument.parse::<f64>() {
            if p.is_nan() {
                return Err(Complaint::new(format!("{argument} is no probability"))
                    .hinted("scripted:P with P from 0 to 1")
                    .into());
            }
            return Ok(named(Self::constant(p.clamp(0.0, 1.0))));
        }
        let unusable = |what: &dyn std::fmt::Display| {
            JudgeError::from(Complaint::new(what.to_string()).hinted("scripted:P or scripted:FILE").about(argument))
        };
        let bytes = GuardedFile::read_whole(&path_text::path(argument), MOST_TEXT, || cancel.is_cancelled());
        let bytes = bytes.map_err(|e| match GuardedFile::was_stopped(&e) {
            true => JudgeError::Cancelled,
            false => unusable(&e),
        })?;
        let text = String::from_utf8(bytes).map_err(|e| unusable(&e))?;
        Ok(named(Self::new(move |q| {
            let rest = 0.2 / (q.answers.len().max(2) - 1) as f64;
            ((0..q.answers.len()).map(|i| if i == 0 { 0.8 } else { rest }).collect(), text.clone())
        })))
    }
}

impl Judge for Scripted {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn judge(
        &mut self,
        question: &Question,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Judgement, JudgeError> {
        if cancel.is_cancelled() {
            return Err(JudgeError::Cancelled);
        }
        let (ps, text) = (self.answer)(question);
        let rationale = matches!(question.mode, Mode::Rationale { .. }).then(|| {
            for word in text.split_inclusive(' ') {
                progress(Progress::Token(word.into()));
            }
            Rationale {
                tokens: text.split_inclusive(' ').count() as u32,
                text: text.as_str().into(),
                stop: StopReason::EndOfTurn,
            }
        });
        // A single 0 is a very unlikely answer; if there are only zeros, or values that are not numbers, there is no
        // answer.
        let some = ps.iter().sum::<f64>() > 0.0;
        let log = |p: &f64| if some { p.max(1e-300).ln() } else { f64::NEG_INFINITY };
        let scores = question.answers.iter().cloned().zip(ps.iter().map(log));
        let readout = Readout::from_logprobs(scores);
        let bits: Vec<u8> = ps.iter().flat_map(|p| p.to_le_bytes()).collect();
        Ok(Judgement {
            rationale,
            readout,
            prompt_sha256: question.prompt.digest(),
            logits_sha256: Digest::of(&bits),
            usage: Usage::default(),
        })
    }

    fn examine(
        &mut self,
        question: &Question,
        rationale: Option<&str>,
        look: Look,
        _cancel: &Cancel,
    ) -> Result<Examination, JudgeError> {
        let mut pieces: Vec<Piece> = question.prompt.pieces().cloned().collect();
        if let Some(text) = rationale {
            pieces.push(Piece { part: Part::Rationale, text: text.into() });
        }
        Ok(match look {
            Look::Prompt => Examination::Prompt(pieces),
            Look::Tokens => Examination::Tokens(Vec::new()),
            Look::Top { position, .. } => {
                Examination::Top { position: position.unwrap_or_default(), tokens: Vec::new() }
            }
        })
    }
}
