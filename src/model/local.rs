//! `LocalJudge`: a model read from one GGUF file that answers nodes.
//!
//! Must build what it shows and what it asks by the same path, and must give the same bits for the same prompt whatever it has
//! read before.

use super::chat::ChatTemplate;
use super::decoder::Decoder;
use super::gguf::{GgufError, GgufFile};
use super::kv::Sequence;
use super::radix::PrefixTree;
use super::rationale::RationaleText;
use super::scoring::{self, Pace};
use super::tokenizer::Tokenizer;
use super::{Judge, JudgeError, Look, Progress, Question, readout};
use crate::domain::{
    Cancel, Digest, Examination, Judgement, Mode, ModelInfo, Part, Piece, Prompt, Rationale, Readout, StopReason,
    TokenView, TopToken, Usage,
};
use std::path::Path;
use std::time::Instant;

/// How a model is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The name to record; `None`: the path.
    pub name: Option<String>,
    /// The chat format; `None`: the file's own.
    pub chat: Option<String>,
    /// Threads that compute; 0: one per core.
    pub threads: usize,
    /// Most bytes of keys and values to keep for prompts read before.
    pub kv_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { name: None, chat: None, threads: 0, kv_bytes: 1 << 30 }
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
    /// Tokens that went through the model for the current question.
    computed: usize,
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
    let file = GgufFile::open(path, cancel)?;
    let tokenizer = Tokenizer::from_metadata(file.metadata())?;
    let chat = ChatTemplate::from_gguf(file.metadata(), &tokenizer, options.chat.as_deref())?;
    let mut step = |what, permille| progress(Progress::Loading { what, permille });
    let sha256 = file.sha256(&mut |done, all| step("checking the file", (done * 1000 / all.max(1)) as u16), cancel)?;
    let decoder = Decoder::load(&file, options.threads, &mut |permille| step("loading weights", permille), cancel)?;
    if tokenizer.vocab_size() > decoder.vocabulary() {
        let problem =
            format!("the tokenizer has {} tokens, the weights {}", tokenizer.vocab_size(), decoder.vocabulary());
        return Err(GgufError::tensor("token_embd.weight", problem).into());
    }
    let info = ModelInfo {
        name: options.name.clone().map_or_else(|| path.to_string_lossy().into_owned().into(), Into::into),
        architecture: decoder.arch().name.into(),
        sha256,
        tokenizer_sha256: tokenizer.digest(),
        template_sha256: chat.digest(),
        kernel: decoder.kernel().to_owned(),
        isa: decoder.isa(),
        kv_dtype: "f32".to_owned(),
        device: "cpu".to_owned(),
        context: decoder.arch().context as u32,
        parameters: decoder.parameters(),
    };
    let endings = readout::endings(&tokenizer);
    let known = PrefixTree::new(options.kv_bytes);
    Ok(LocalJudge { info, decoder, tokenizer, chat, known, endings, pace: Pace::default(), computed: 0 })
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

    /// Everything the model reads before the answer, the rationale (where there was one) included.
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

    /// Reads `ids`, as far as they are not known already. Returns the sequence, the logits after its last token, and how many
    /// tokens were known. What was read stays known, even when the rest is cancelled.
    fn read(
        &mut self,
        ids: &[u32],
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<(Sequence, Vec<f32>, usize), JudgeError> {
        scoring::check(&self.decoder, ids.len(), ids)?;
        // The last token is always read again, since its logits are not kept.
        let before_last = ids.get(..ids.len().saturating_sub(1)).unwrap_or_default();
        let chain = self.known.lookup(before_last);
        let mut sequence = Sequence::new(self.decoder.kv_shape(), chain);
        let reused = sequence.len();
        let total = ids.len() as u32;
        progress(Progress::Prefill { done: reused as u32, total });
        let mut report = |done: usize| progress(Progress::Prefill { done: (reused + done) as u32, total });
        let rest = ids.get(reused..).unwrap_or_default();
        let logits = scoring::read(&self.decoder, &mut sequence, rest, &mut self.pace, &mut report, cancel);
        self.computed += sequence.len() - reused;
        self.known.insert(&mut sequence);
        Ok((sequence, logits?, reused))
    }

    /// Lets the model write at the end of `sequence`, always the most likely token.
    fn write(
        &mut self,
        sequence: &mut Sequence,
        mut logits: Vec<f32>,
        cue: &str,
        most: u32,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Rationale, JudgeError> {
        let mut text = RationaleText::new(cue);
        let mut tokens = 0;
        let stop = loop {
            if tokens == most || sequence.len() >= self.decoder.arch().context {
                break StopReason::Length;
            }
            scoring::LogSoftmax::new(&logits)?;
            let token = scoring::argmax(&logits);
            // A padding row of the head, beyond the tokenizer's vocabulary, has no text; it ends the turn like a control token.
            let unknown = token as usize >= self.tokenizer.vocab_size();
            if unknown || self.tokenizer.is_end(token) || self.tokenizer.is_control(token) {
                break StopReason::EndOfTurn;
            }
            tokens += 1;
            let (piece, is_cue) = text.push(self.tokenizer.token_bytes(token));
            if !piece.is_empty() {
                progress(Progress::Token(piece.into()));
            }
            if is_cue {
                break StopReason::Cue;
            }
            logits = scoring::read(&self.decoder, sequence, &[token], &mut self.pace, &mut |_| {}, cancel)?;
            self.computed += 1;
        };
        let (rest, whole) = text.finish();
        if !rest.is_empty() {
            progress(Progress::Token(rest.into()));
        }
        self.known.insert(sequence);
        Ok(Rationale { text: whole.into(), tokens, stop })
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
        let start = Instant::now();
        self.computed = 0;
        let mut reused = None;
        let mut rationale = None;
        if let Mode::Rationale { max_tokens } = question.mode {
            let opening = self.encode(&self.opening(&question.prompt, question.mode));
            let (mut sequence, logits, known) = self.read(&opening.ids, progress, cancel)?;
            reused = Some(known);
            let cue = &question.prompt.answer_cue;
            rationale = Some(self.write(&mut sequence, logits, cue, max_tokens, progress, cancel)?);
        }
        // The rationale is read back as text, so that the recorded text alone gives the same prompt again; where that gives
        // the tokens the model wrote, as it nearly always does, they are known and cost nothing.
        let text = rationale.as_ref().map(|r| r.text.raw());
        let tokens = self.encode(&self.whole(question, text));
        let (mut sequence, logits, known) = self.read(&tokens.ids, progress, cancel)?;
        let rationale_tokens = tokens.parts.iter().filter(|p| **p == Part::Rationale).count();
        let answers = readout::tokenize(&self.tokenizer, &question.answers, tokens.ids.last().copied())?;
        let scores = readout::score(&self.decoder, &mut sequence, &logits, &answers, &self.endings)?;
        let ids: Vec<u8> = tokens.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        Ok(Judgement {
            rationale,
            readout: Readout::from_logprobs(question.answers.iter().cloned().zip(scores.logprobs)),
            prompt_sha256: Digest::of(&ids),
            logits_sha256: scores.logits_sha256,
            usage: Usage {
                prompt_tokens: (tokens.ids.len() - rationale_tokens) as u32,
                reused_tokens: reused.unwrap_or(known) as u32,
                computed_tokens: (self.computed + scores.computed) as u32,
                millis: start.elapsed().as_millis() as u32,
            },
        })
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
            return Err(JudgeError::Unusable {
                message: format!("position {position} is not in the prompt, which has {all} tokens").into(),
                hint: Some(format!("give a position from 1 to {all}")),
            });
        }
        let (_, logits, _) = self.read(tokens.ids.get(..position).unwrap_or_default(), &mut |_| {}, cancel)?;
        let top = scoring::top(&logits, k as usize)?.into_iter();
        let tokens = top.map(|(id, logprob)| TopToken { id, text: self.tokenizer.token_text(id).into(), logprob });
        Ok(Examination::Top { position: position as u32, tokens: tokens.collect() })
    }
}
