//! The readout: the teacher-forced log-probability of every allowed answer, over the token trie of all answers.
//!
//! Must use the full vocabulary at every step and never renormalise: probability that the model gives to other texts
//! stays lost and shows as low coverage.
//!
//! The formula. The cue (`Answer:`) ends without a space, and an answer is tokenised as content with one leading space,
//! so there is one surface form by construction. With tokens `t1 … tn` of an answer and the set `E` of ending tokens,
//! `logprob = Σ log p(ti | cue, t1 … ti-1) + log Σ_{e ∈ E} p(e | cue, t1 … tn)`. `E` holds the tokens that end the
//! model's turn and all whose text, after spaces, begins with something that is no letter, no digit and none of `_ -
//! '`: a line break, a full stop, a bracket. The answer is over there, whatever the model would go on to say; `hate`
//! does not get the mass of `hateful`, nor `no` that of `no one`. An ending token that continues a longer allowed
//! answer at that place does not count as an end.

use super::JudgeError;
use crate::domain::{Complaint, Digest, Name};
use crate::llm::decoder::{Decoder, Row};
use crate::llm::kv::Sequence;
use crate::llm::scoring::{LogSoftmax, check};
use crate::llm::tokenizer::Tokenizer;
use std::collections::BTreeSet;

/// The ending tokens of a vocabulary, ascending.
pub fn endings(tokenizer: &Tokenizer) -> Vec<u32> {
    let all = 0..tokenizer.vocab_size() as u32;
    all.filter(|id| tokenizer.is_end(*id) || (!tokenizer.is_control(*id) && ends_a_word(tokenizer.token_bytes(*id))))
        .collect()
}

/// Whether a token of these bytes ends the word before it. Bytes of an incomplete character prove nothing, so they do
/// not.
fn ends_a_word(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default(),
    };
    match text.trim_start_matches(' ').chars().next() {
        Some(c) => !(c.is_alphanumeric() || "_-'".contains(c)),
        None => false,
    }
}

/// Tokens of each answer as content after the cue, whose last token is `previous`.
///
/// # Errors
/// If the vocabulary cannot tell two answers apart.
pub fn tokenize(tokenizer: &Tokenizer, answers: &[Name], previous: Option<u32>) -> Result<Vec<Vec<u32>>, JudgeError> {
    let mut all = Vec::new();
    for answer in answers {
        let tokens = tokenizer.encode(&format!(" {answer}"), false, previous);
        if tokens.is_empty() || all.contains(&tokens) {
            let what = format!("the model's vocabulary cannot tell the answer \"{answer}\" from the others");
            return Err(Complaint::new(what).hinted("rename the answer, in plain letters").into());
        }
        all.push(tokens);
    }
    Ok(all)
}

/// One token of the trie; parents come before children.
struct TrieNode {
    token: u32,
    parent: Option<usize>,
}

/// The trie of all answers.
struct Trie {
    nodes: Vec<TrieNode>,
    /// The last node of each answer.
    last: Vec<usize>,
}

impl Trie {
    fn new(answers: &[Vec<u32>]) -> Self {
        let mut trie = Self { nodes: Vec::new(), last: vec![0; answers.len()] };
        let mut at: Vec<Option<usize>> = vec![None; answers.len()];
        // Breadth first, so that the rows of a sequence come in order of position.
        for depth in 0..answers.iter().map(Vec::len).max().unwrap_or(0) {
            for (index, answer) in answers.iter().enumerate() {
                let Some(token) = answer.get(depth) else { continue };
                let parent = at[index];
                let known = trie.nodes.iter().position(|n| n.parent == parent && n.token == *token);
                let node = known.unwrap_or_else(|| {
                    trie.nodes.push(TrieNode { token: *token, parent });
                    trie.nodes.len() - 1
                });
                at[index] = Some(node);
                trie.last[index] = node;
            }
        }
        trie
    }

    /// Tokens that continue a longer answer after `node`.
    fn children(&self, node: usize) -> BTreeSet<u32> {
        self.nodes.iter().filter(|n| n.parent == Some(node)).map(|n| n.token).collect()
    }

    /// For each node, the leaves below it (by their number among the leaves).
    fn leaves(&self) -> Vec<Vec<usize>> {
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        let is_leaf = |n: usize| !self.nodes.iter().any(|other| other.parent == Some(n));
        for (number, leaf) in (0..self.nodes.len()).filter(|n| is_leaf(*n)).enumerate() {
            let mut at = Some(leaf);
            while let Some(node) = at {
                below[node].push(number);
                at = self.nodes[node].parent;
            }
        }
        below
    }
}

/// What was read out.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Log-probability of each answer.
    pub logprobs: Vec<f64>,
    /// Digest over the raw logits of every step of the trie, full vocabulary, in breadth-first order.
    pub logits_sha256: Digest,
    /// Tokens that went through the model for it.
    pub computed: usize,
}

/// The answers of one question, ready to go through the model after the prompt. All tokens of the trie go at once.
pub struct Plan {
    trie: Trie,
    leaves: Vec<Vec<usize>>,
}

impl Plan {
    /// For `answers` after a prompt of `len` tokens.
    ///
    /// # Errors
    /// If an answer does not fit the context or the vocabulary.
    pub fn new(decoder: &Decoder, len: usize, answers: &[Vec<u32>]) -> Result<Self, JudgeError> {
        let longest = answers.iter().map(Vec::len).max().unwrap_or(0);
        for answer in answers {
            check(decoder, len + longest, answer)?;
        }
        let trie = Trie::new(answers);
        let leaves = trie.leaves();
        Ok(Self { trie, leaves })
    }

    /// One sequence for each leaf of the trie.
    pub fn branches(&self, sequence: &mut Sequence) -> Vec<Sequence> {
        let count = self.leaves.iter().flatten().max().map_or(0, |n| n + 1);
        (0..count).map(|_| sequence.fork()).collect()
    }

    /// The rows to read, with `first` as the sequence number of the first branch.
    pub fn rows(&self, first: usize) -> impl Iterator<Item = Row> {
        self.trie.nodes.iter().zip(&self.leaves).map(move |(node, leaves)| {
            let (one, also) = leaves.split_first().expect("every node has a leaf at or below it");
            Row {
                token: node.token,
                sequence: first + one,
                also: also.iter().map(|leaf| first + leaf).collect(),
                logits: true,
            }
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.trie.nodes.len()
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.trie.nodes.is_empty()
    }

    /// The answers' log-probabilities, from the logits after the prompt and those after each row, `[row][vocabulary]`.
    ///
    /// # Errors
    /// If the model's numbers are not finite.
    pub fn scores(&self, prompt: &[f32], after: &[f32], endings: &[u32]) -> Result<Scores, JudgeError> {
        let steps: Vec<&[f32]> = after.chunks_exact(prompt.len().max(1)).collect();
        let root = LogSoftmax::new(prompt)?;
        let softmaxes = steps.iter().map(|step| LogSoftmax::new(step)).collect::<Result<Vec<_>, _>>()?;
        // Log-probability of the path to each node.
        let mut paths: Vec<f64> = Vec::with_capacity(self.trie.nodes.len());
        for node in &self.trie.nodes {
            let id = node.token as usize;
            paths.push(match node.parent {
                None => root.logprob(prompt[id]),
                Some(parent) => paths[parent] + softmaxes[parent].logprob(steps[parent][id]),
            });
        }
        let logprobs = self.trie.last.iter().map(|node| {
            let longer = self.trie.children(*node);
            let ends = endings.iter().filter(|id| !longer.contains(id)).map(|id| steps[*node][*id as usize]);
            paths[*node] + softmaxes[*node].log_mass(ends)
        });
        let logprobs = logprobs.collect();
        let logits_sha256 = Digest::of_floats(&[prompt, after]);
        Ok(Scores { logprobs, logits_sha256, computed: self.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Cancel;
    use crate::llm::linear::Arithmetic;
    use crate::llm::oracle::tiny;
    use crate::llm::scoring;

    #[test]
    fn a_word_is_over_where_no_letter_digit_or_joiner_follows() {
        let cases: [(&[u8], bool); 14] = [
            (b"\n", true),
            (b".", true),
            (b" (", true),
            (b",", true),
            (b"</", true),
            (b"ful", false),
            (b" one", false),
            (b"7", false),
            (b"-mild", false),
            (b"'t", false),
            (b"_", false),
            (b" ", false),
            ("é".as_bytes(), false),
            (&[0xe2, 0x80], false),
        ];
        for (bytes, over) in cases {
            assert_eq!(ends_a_word(bytes), over, "{bytes:?}");
        }
    }

    #[test]
    fn the_readout_over_the_trie_equals_scoring_each_answer_token_by_token() {
        for spec in tiny::families() {
            let family = spec.family;
            let file = tiny::file(&spec).open().unwrap();
            let decoder = Decoder::load(&file, Arithmetic::Integers, 2, &mut |_| {}, &Cancel::new()).unwrap();
            let answers: [&[u32]; 5] = [&[3, 4, 5], &[3, 4], &[3, 9], &[8], &[3, 4, 5, 6]];
            let endings = [0, 1, 5, 7];
            let tokens: Vec<u32> = (0..70).map(|i| (i * 7 + 39 + i * i * 3) % tiny::VOCABULARY as u32).collect();
            let mut sequence = Sequence::new(decoder.kv(), Vec::new());
            let read = |sequence: &mut Sequence, tokens: &[u32]| {
                scoring::read(&decoder, sequence, tokens, &mut Default::default(), &mut |_| {}, &Cancel::new()).unwrap()
            };
            let logits = read(&mut sequence, &tokens);
            let all: Vec<Vec<u32>> = answers.iter().map(|a| a.to_vec()).collect();
            let plan = Plan::new(&decoder, sequence.len(), &all).unwrap();
            let rows: Vec<Row> = plan.rows(0).collect();
            let after = decoder.forward(&mut plan.branches(&mut sequence), &rows, &Cancel::new()).unwrap();
            let scores = plan.scores(&logits, &after, &endings).unwrap();
            assert_eq!(scores.computed, 6, "each token of the trie once");
            for (answer, got) in answers.iter().zip(&scores.logprobs) {
                let mut fresh = Sequence::new(decoder.kv(), Vec::new());
                let mut logits = read(&mut fresh, &tokens);
                let mut want = 0.0;
                for token in *answer {
                    want += LogSoftmax::new(&logits).unwrap().logprob(logits[*token as usize]);
                    logits = read(&mut fresh, &[*token]);
                }
                let softmax = LogSoftmax::new(&logits).unwrap();
                // After [3, 4] the ending token 5 continues to [3, 4, 5], which is another answer.
                let ends = endings.iter().filter(|e| !(**answer == [3, 4] && **e == 5));
                want += ends.map(|e| softmax.logprob(logits[*e as usize]).exp()).sum::<f64>().ln();
                assert!((got - want).abs() < 1e-5, "{family} {answer:?}: {got} {want}");
            }
        }
    }
}
