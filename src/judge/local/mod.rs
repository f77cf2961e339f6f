//! `LocalJudge`: a model read from one GGUF file that answers nodes, one or many at a time.
//!
//! Must build what it shows and what it asks by the same path, and must give the same bits for the same prompt whatever
//! it has read before.

mod batch;

use super::chat::{self, ChatTemplate};
use super::{Judge, JudgeError, Look, Progress, Question, Questions, readout};
use crate::domain::{
    Cancel, Complaint, Device, Examination, Judgement, Mode, ModelInfo, Part, Piece, Prompt, TokenView, TopToken,
    path_text,
};
use crate::llm::decoder::Decoder;
use crate::llm::device::Processor;
use crate::llm::gguf::{GgufError, GgufFile};
use crate::llm::kv::Sequence;
use crate::llm::linear::Arithmetic;
use crate::llm::radix::PrefixTree;
use crate::llm::scoring::{self, Pace};
use crate::llm::tokenizer::Tokenizer;
use std::path::Path;

/// How a model is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The name to record; `None`: the path.
    pub name: Option<String>,
    /// The chat format; `None`: the file's own.
    pub chat: Option<String>,
    /// Threads that compute; 0: one per core.
    pub threads: usize,
    /// Where the linear layers are computed.
    pub device: Device,
    /// Most bytes of keys and values to keep for prompts read before.
    pub kv_bytes: usize,
    /// Makes every rationale as long as allowed: tokens that would end it are never chosen, and no text ends it. For
    /// measurements against other programs, which can be told to do the same.
    pub exact_length: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { name: None, chat: None, threads: 0, device: Device::Cpu, kv_bytes: 1 << 30, exact_length: false }
    }
}

/// A model that answers nodes.
pub struct LocalJudge {
    info: ModelInfo,
    decoder: Decoder,
    tokenizer: Tokenizer,
    chat: ChatTemplate,
    known: PrefixTree,
    endings: Vec<u32>,
    pace: Pace,
    kv_bytes: usize,
    exact_length: bool,
}

/// Opens a GGUF file: checks it, hashes it, loads tokenizer, chat format and weights.
///
/// # Errors
/// [`JudgeError::Unusable`] says what is wrong with the file and what to do.
pub fn open_gguf(
    path: &Path,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<LocalJudge, JudgeError> {
    let arithmetic = Processor::open(options.device)?.map_or(Arithmetic::Integers, Arithmetic::On);
    let file = GgufFile::open(path, cancel)?;
    let (tokenizer, chat) = chat::open(file.metadata(), options.chat.as_deref())?;
    let mut step = |what, permille| progress(Progress::Loading { what, permille });
    let sha256 = file.sha256(&mut |done, all| step("checking the file", (done * 1000 / all.max(1)) as u16), cancel)?;
    let decoder =
        Decoder::load(&file, arithmetic, options.threads, &mut |permille| step("loading weights", permille), cancel)?;
    if tokenizer.vocab_size() > decoder.vocabulary() {
        let problem =
            format!("the tokenizer has {} tokens, the weights {}", tokenizer.vocab_size(), decoder.vocabulary());
        return Err(GgufError::tensor("token_embd.weight", problem).into());
    }
    let info = ModelInfo {
        name: options.name.clone().map_or_else(|| path_text::of(path).into(), Into::into),
        architecture: decoder.arch().name.into(),
        sha256,
        tokenizer_sha256: tokenizer.digest(),
        template_sha256: chat.digest(),
        kernel: decoder.kernel().to_owned(),
        isa: decoder.isa(),
        kv_dtype: decoder.kv().shape().form.name().to_owned(),
        device: decoder.device().to_owned(),
        context: decoder.arch().context as u32,
        parameters: decoder.parameters(),
    };
    let endings = readout::endings(&tokenizer);
    let known = PrefixTree::new(options.kv_bytes);
    let (kv_bytes, exact_length) = (options.kv_bytes, options.exact_length);
    Ok(LocalJudge { info, decoder, tokenizer, chat, known, endings, pace: Pace::default(), kv_bytes, exact_length })
}

/// A single question, for [`Judge::judge_all`].
struct One<'a> {
    question: Option<Question>,
    answer: Option<Result<Judgement, JudgeError>>,
    progress: &'a mut dyn FnMut(Progress),
}

impl Questions for One<'_> {
    fn next(&mut self, _idle: bool) -> Option<(u64, Question)> {
        Some((0, self.question.take()?))
    }

    fn answered(&mut self, _number: u64, answer: Result<Judgement, JudgeError>) {
        self.answer = Some(answer);
    }

    fn progress(&mut self, _number: u64, progress: Progress) {
        (self.progress)(progress);
    }
}

/// Token ids and which part of the prompt each came from.
#[derive(Clone, Debug, Default)]
struct Tokens {
    ids: Vec<u32>,
    parts: Vec<Part>,
}

impl LocalJudge {
    /// The tokenizer of the model.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Everything the model reads before it writes a rationale (`with_cue`: or answers).
    fn opening(&self, prompt: &Prompt, mode: Mode) -> Vec<Piece> {
        let mut pieces = self.chat.render(prompt);
        if matches!(mode, Mode::Rationale { .. }) && !prompt.rationale_cue.is_empty() {
            pieces.push(Piece { part: Part::Cue, text: prompt.rationale_cue.as_str().into() });
        }
        pieces
    }

    /// Everything the model reads before the answer, including the rationale, if any.
    fn whole(&self, question: &Question, rationale: Option<&str>) -> Vec<Piece> {
        let prompt = &question.prompt;
        let mut pieces = self.opening(prompt, question.mode);
        let mut cue = prompt.answer_cue.clone();
        if let (Mode::Rationale { .. }, Some(text)) = (question.mode, rationale) {
            if !text.is_empty() {
                pieces.push(Piece { part: Part::Rationale, text: text.into() });
            }
            if !text.ends_with('\n') {
                cue.insert(0, '\n');
            }
        }
        pieces.push(Piece { part: Part::Cue, text: cue.into() });
        pieces
    }

    /// Piece by piece: scaffolding as template, all else as content, out of which no control token can come.
    fn encode(&self, pieces: &[Piece]) -> Tokens {
        let mut tokens = Tokens::default();
        for piece in pieces {
            let previous = tokens.ids.last().copied();
            tokens.ids.extend(self.tokenizer.encode(piece.text.raw(), piece.part == Part::Template, previous));
            tokens.parts.resize(tokens.ids.len(), piece.part);
        }
        tokens
    }

    /// Reads `ids`, as far as they are not known already, and returns the logits after the last.
    fn read(&mut self, ids: &[u32], cancel: &Cancel) -> Result<Vec<f32>, JudgeError> {
        scoring::check(&self.decoder, ids.len(), ids)?;
        let mut sequence = self.known_part(ids);
        let rest = ids.get(sequence.len()..).unwrap_or_default();
        let logits = scoring::read(&self.decoder, &mut sequence, rest, &mut self.pace, &mut |_| {}, cancel);
        self.known.insert(&mut sequence);
        Ok(logits?)
    }

    /// A sequence of as many of `ids` as are known; never the last one, since logits are not kept.
    fn known_part(&mut self, ids: &[u32]) -> Sequence {
        let before_last = ids.get(..ids.len().saturating_sub(1)).unwrap_or_default();
        Sequence::new(self.decoder.kv(), self.known.lookup(before_last))
    }
}

impl Judge for LocalJudge {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn judge(
        &mut self,
        question: &Question,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Judgement, JudgeError> {
        let mut one = One { question: Some(question.clone()), answer: None, progress };
        self.judge_all(&mut one, cancel)?;
        one.answer.unwrap_or_else(|| Err(JudgeError::Internal("a question was lost".into())))
    }

    fn judge_all(&mut self, questions: &mut dyn Questions, cancel: &Cancel) -> Result<(), JudgeError> {
        batch::run(self, questions, cancel)
    }

    fn examine(
        &mut self,
        question: &Question,
        rationale: Option<&str>,
        look: Look,
        cancel: &Cancel,
    ) -> Result<Examination, JudgeError> {
        let pieces = self.whole(question, rationale);
        if look == Look::Prompt {
            return Ok(Examination::Prompt(pieces));
        }
        let tokens = self.encode(&pieces);
        let Look::Top { k, position } = look else {
            let views = tokens.ids.iter().zip(&tokens.parts).enumerate().map(|(position, (id, part))| TokenView {
                position: position as u32,
                id: *id,
                text: self.tokenizer.token_text(*id).into(),
                part: *part,
                control: self.tokenizer.is_control(*id),
            });
            return Ok(Examination::Tokens(views.collect()));
        };
        let all = tokens.ids.len();
        let position = position.map_or(all, |p| p as usize);
        if position == 0 || position > all {
            let complaint = Complaint::new(format!("position {position} is not in the prompt, which has {all} tokens"));
            return Err(complaint.hinted(format!("give a position from 1 to {all}")).into());
        }
        let logits = self.read(tokens.ids.get(..position).unwrap_or_default(), cancel)?;
        let top = scoring::top(&logits, k as usize)?.into_iter();
        let tokens = top.map(|(id, logprob)| TopToken { id, text: self.tokenizer.token_text(id).into(), logprob });
        Ok(Examination::Top { position: position as u32, tokens: tokens.collect() })
    }
}
