//! Byte-level byte-pair encoding: bytes become tokens, then the pair with the lowest rank is merged, leftmost first.
//!
//! Must not give a control token, whatever the tables say: merges that would make one are left out. Algorithm: Sennrich
//! et al. 2016 with the byte alphabet of GPT-2, as in llama.cpp; O(n log n) in the length of a word.

use super::bytes::char_of;
use super::pre::PreTokenizer;
use super::vocab::Vocab;
use crate::llm::gguf::{GgufError, StringList};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

const MERGES: &str = "tokenizer.ggml.merges";

/// Stands for a byte for which the vocabulary has no token: nothing merges with it, and it is left out at the end.
const NO_TOKEN: u32 = u32::MAX;

/// The encoder of one model.
#[derive(Debug)]
pub(super) struct Bpe {
    pre: PreTokenizer,
    bytes: [u32; 256],
    /// Pair of tokens to rank and merged token.
    merges: HashMap<(u32, u32), (u32, u32)>,
}

impl Bpe {
    /// Checks the merges against the vocabulary.
    pub(super) fn new(vocab: &Vocab, merges: &StringList, pre: PreTokenizer) -> Result<Self, GgufError> {
        let mut bytes = [NO_TOKEN; 256];
        for (byte, id) in (0..=255).zip(&mut bytes) {
            *id = vocab.plain_id(char_of(byte).encode_utf8(&mut [0; 4])).unwrap_or(NO_TOKEN);
        }
        if bytes.iter().all(|id| *id == NO_TOKEN) {
            return Err(GgufError::key("tokenizer.ggml.tokens", "none of the 256 byte tokens is there"));
        }
        let mut table = HashMap::with_capacity(merges.len());
        let mut joined = String::new();
        for (rank, merge) in merges.iter().enumerate() {
            let fault = |what: &str| GgufError::key(MERGES, format!("merge {rank}, {merge:?}: {what}"));
            let (left, right) = merge.split_once(' ').ok_or_else(|| fault("no space between its two tokens"))?;
            let id = |text: &str| vocab.id(text).ok_or_else(|| fault(&format!("{text:?} is not in the vocabulary")));
            let pair = (id(left)?, id(right)?);
            joined.clear();
            joined.extend([left, right]);
            let merged = id(&joined)?;
            let rank = u32::try_from(rank).map_err(|_| fault("more than 2^32 merges"))?;
            if vocab.is_plain(merged) {
                // The first of equal merges counts.
                table.entry(pair).or_insert((rank, merged));
            }
        }
        Ok(Self { pre, bytes, merges: table })
    }

    /// Appends the tokens of `text`. Bytes without a token are left out, as llama.cpp does.
    pub(super) fn encode(&self, vocab: &Vocab, text: &str, out: &mut Vec<u32>) {
        let mut word_of_chars = String::new();
        for word in self.pre.split(text) {
            if self.pre.ignore_merges {
                word_of_chars.clear();
                word_of_chars.extend(word.bytes().map(char_of));
                if let Some(id) = vocab.plain_id(&word_of_chars) {
                    out.push(id);
                    continue;
                }
            }
            self.encode_word(word.as_bytes(), out);
        }
    }

    /// How many bytes of `text` have no token.
    pub(super) fn lost_bytes(&self, text: &str) -> usize {
        text.bytes().filter(|b| self.bytes.get(usize::from(*b)) == Some(&NO_TOKEN)).count()
    }

    fn encode_word(&self, word: &[u8], out: &mut Vec<u32>) {
        let mut links = Links::new(word.iter().map(|b| self.bytes.get(usize::from(*b)).copied().unwrap_or(NO_TOKEN)));
        let mut queue = BinaryHeap::new();
        let offer = |queue: &mut BinaryHeap<_>, links: &Links, left: Option<usize>| {
            let Some((left, right)) = left.and_then(|left| Some((left, links.next(left)?))) else { return };
            let pair = (links.id(left), links.id(right));
            if let Some((rank, merged)) = self.merges.get(&pair) {
                queue.push(Reverse((*rank, left, right, pair, *merged)));
            }
        };
        (0..word.len()).for_each(|left| offer(&mut queue, &links, Some(left)));
        while let Some(Reverse((_, left, right, pair, merged))) = queue.pop() {
            // A symbol that was merged away has no id any more, one that grew has another.
            if links.next(left) != Some(right) || (links.id(left), links.id(right)) != pair {
                continue;
            }
            links.merge(left, right, merged);
            offer(&mut queue, &links, links.previous(left));
            offer(&mut queue, &links, Some(left));
        }
        out.extend(links.ids().filter(|id| *id != NO_TOKEN));
    }
}

/// The symbols of a word as a doubly linked list in one vector.
struct Links(Vec<Link>);

struct Link {
    id: u32,
    previous: Option<usize>,
    next: Option<usize>,
}

impl Links {
    fn new(ids: impl ExactSizeIterator<Item = u32>) -> Self {
        let len = ids.len();
        let link =
            |(i, id): (usize, u32)| Link { id, previous: i.checked_sub(1), next: Some(i + 1).filter(|n| *n < len) };
        Self(ids.enumerate().map(link).collect())
    }

    fn id(&self, at: usize) -> u32 {
        self.0.get(at).map_or(NO_TOKEN, |link| link.id)
    }

    fn next(&self, at: usize) -> Option<usize> {
        self.0.get(at)?.next
    }

    fn previous(&self, at: usize) -> Option<usize> {
        self.0.get(at)?.previous
    }

    /// Makes `left` the token `merged` and takes `right`, its neighbour, out of the list.
    fn merge(&mut self, left: usize, right: usize, merged: u32) {
        let after = self.next(right);
        if let Some(link) = self.0.get_mut(right) {
            *link = Link { id: NO_TOKEN, previous: None, next: None };
        }
        if let Some(link) = self.0.get_mut(left) {
            link.id = merged;
            link.next = after;
        }
        if let Some(link) = after.and_then(|after| self.0.get_mut(after)) {
            link.previous = Some(left);
        }
    }

    fn ids(&self) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(0).filter(|_| !self.0.is_empty()), |at| self.next(*at)).map(|at| self.id(at))
    }
}
