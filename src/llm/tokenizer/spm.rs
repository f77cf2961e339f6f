//! SentencePiece-style encoding (`llama`): characters become symbols, then the pair whose union has the highest score
//! is merged, leftmost first; what is no token in the end goes byte by byte.
//!
//! Must not give a control token: only tokens that may come out of ordinary text take part.
//! Algorithm as in llama.cpp, which most files of this kind were converted for; O(n log n).

use super::vocab::{TokenType, Vocab};
use crate::llm::gguf::GgufError;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

const SCORES: &str = "tokenizer.ggml.scores";

/// Stands for a space inside tokens.
pub(super) const SPACE: char = '\u{2581}';

/// The encoder of one model.
#[derive(Debug)]
pub(super) struct Spm {
    scores: Vec<f32>,
    bytes: Vec<u32>,
    longest: usize,
}

/// A union of two neighbours that is a token.
#[derive(PartialEq)]
struct Candidate {
    score: f32,
    left: usize,
    right: usize,
    /// Length of the union in bytes: another one means that it is out of date.
    len: usize,
    id: u32,
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    /// The greatest is merged first: highest score, then leftmost. Scores are finite, and -0 equals 0.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_score = self.score.partial_cmp(&other.score).unwrap_or(Ordering::Equal);
        by_score.then(other.left.cmp(&self.left)).then(self.len.cmp(&other.len))
    }
}

/// A piece of the text: `len` bytes at `start`; `len` 0 means that it was merged away.
struct Symbol {
    start: usize,
    len: usize,
    id: Option<u32>,
    previous: Option<usize>,
    next: Option<usize>,
}

impl Spm {
    /// Checks scores and byte tokens against the vocabulary.
    pub(super) fn new(vocab: &Vocab, scores: Option<Vec<f32>>) -> Result<Self, GgufError> {
        let scores = scores.ok_or_else(|| GgufError::missing_key(SCORES))?;
        if scores.len() != vocab.len() {
            return Err(GgufError::key(SCORES, format!("{} scores for {} tokens", scores.len(), vocab.len())));
        }
        let byte = |byte: u8| {
            let text = format!("<0x{byte:02X}>");
            let id = vocab.id(&text).filter(|id| vocab.token_type(*id) == Some(TokenType::Byte));
            id.ok_or_else(|| GgufError::key("tokenizer.ggml.tokens", format!("the byte token {text} is missing")))
        };
        let bytes = (0..=255).map(byte).collect::<Result<_, _>>()?;
        let longest = vocab.texts().iter().map(str::len).max().unwrap_or(0);
        Ok(Self { scores, bytes, longest })
    }

    /// Appends the tokens of `text`; `prefix` puts a space in front of it.
    pub(super) fn encode(&self, vocab: &Vocab, text: &str, prefix: bool, out: &mut Vec<u32>) {
        let space = |c| if c == ' ' { SPACE } else { c };
        let escaped: String = prefix.then_some(SPACE).into_iter().chain(text.chars().map(space)).collect();
        let mut symbols = symbols(vocab, &escaped);
        let mut queue = BinaryHeap::new();
        let count = symbols.len();
        (0..count).for_each(|left| self.offer(vocab, &escaped, &symbols, Some(left), &mut queue));
        while let Some(best) = queue.pop() {
            let len = |at: usize| symbols.get(at).map_or(0, |s| s.len);
            if len(best.left) == 0 || len(best.right) == 0 || len(best.left) + len(best.right) != best.len {
                continue;
            }
            merge(&mut symbols, &best);
            let previous = symbols.get(best.left).and_then(|s| s.previous);
            self.offer(vocab, &escaped, &symbols, previous, &mut queue);
            self.offer(vocab, &escaped, &symbols, Some(best.left), &mut queue);
        }
        for symbol in symbols.iter().filter(|s| s.len > 0) {
            match symbol.id {
                Some(id) => out.push(id),
                None => {
                    let bytes = escaped.as_bytes().get(symbol.start..symbol.start + symbol.len).unwrap_or_default();
                    out.extend(bytes.iter().filter_map(|b| self.bytes.get(usize::from(*b))));
                }
            }
        }
    }

    /// Queues the union of `left` and its right neighbour where that is a token.
    fn offer(
        &self,
        vocab: &Vocab,
        text: &str,
        symbols: &[Symbol],
        left: Option<usize>,
        queue: &mut BinaryHeap<Candidate>,
    ) {
        let candidate = || {
            let left = left?;
            let first = symbols.get(left).filter(|s| s.len > 0)?;
            let right = first.next?;
            let len = first.len + symbols.get(right)?.len;
            if len > self.longest {
                return None;
            }
            let id = vocab.plain_id(text.get(first.start..first.start + len)?)?;
            Some(Candidate { score: *self.scores.get(id as usize)?, left, right, len, id })
        };
        queue.extend(candidate());
    }
}

fn symbols(vocab: &Vocab, text: &str) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = text
        .char_indices()
        .enumerate()
        .map(|(i, (start, c))| Symbol {
            start,
            len: c.len_utf8(),
            id: vocab.plain_id(c.encode_utf8(&mut [0; 4])),
            previous: i.checked_sub(1),
            next: Some(i + 1),
        })
        .collect();
    if let Some(last) = symbols.last_mut() {
        last.next = None;
    }
    symbols
}

fn merge(symbols: &mut [Symbol], best: &Candidate) {
    let after = symbols.get(best.right).and_then(|s| s.next);
    if let Some(right) = symbols.get_mut(best.right) {
        right.len = 0;
    }
    if let Some(left) = symbols.get_mut(best.left) {
        left.len = best.len;
        left.id = Some(best.id);
        left.next = after;
    }
    if let Some(after) = after.and_then(|after| symbols.get_mut(after)) {
        after.previous = Some(best.left);
    }
}
