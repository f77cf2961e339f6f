//! Next-token probabilities after exact token ids: the log-softmax, the most likely tokens, greedy continuation.
//!
//! Must work on ids alone; text, templates and answers are other modules' business.

use super::LlmError;
use super::decoder::{Decoder, Row};
use super::kv::Sequence;
use super::simd::{self, LANES, Vectors};
use crate::domain::{Cancel, Complaint};
use pulp::Simd;
use std::time::{Duration, Instant};

/// How many tokens one pass of prefill takes. Long passes use the weights well, but progress is seen, and a prefix is
/// kept after a cancel, once per pass, and a cancel waits for one layer of a pass; so the number follows the speed of
/// the machine. It has no influence on any result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace(usize);

impl Pace {
    const MOST: usize = 128;
    const PASS: Duration = Duration::from_millis(500);

    /// How many rows the next pass may have.
    pub fn rows(self) -> usize {
        self.0
    }

    /// Adapts to a pass of `rows` rows that took `elapsed`.
    pub fn adapt(&mut self, rows: usize, elapsed: Duration) {
        let per_pass = Self::PASS.as_secs_f64() / elapsed.as_secs_f64().max(1e-6) * rows as f64;
        // A short last chunk says little of long ones, so it may make the pace slower but not faster.
        let most = if rows < self.0 { self.0 } else { Self::MOST };
        self.0 = (per_pass as usize).clamp(4, most.max(4));
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self(16)
    }
}

/// Normaliser of one row of logits over the full vocabulary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogSoftmax {
    most: f32,
    log_sum: f64,
}

impl LogSoftmax {
    /// How far below the likeliest token logits must lie to be summed relative to their own largest: `exp(-40)` is far
    /// from vanishing, and so rare that sums of ordinary answers keep the bits they always had.
    const FAR: f32 = 40.0;

    /// Of `logits`.
    ///
    /// # Errors
    /// Where a logit is no finite number: the model file is damaged or its numbers overflow.
    pub fn new(logits: &[f32]) -> Result<Self, LlmError> {
        if logits.is_empty() || !are_finite(logits) {
            return Err(not_finite());
        }
        let most = simd::dispatch(Most(logits));
        let sum = exp_sum(logits.iter().copied(), most);
        Ok(Self { most, log_sum: f64::from(most) + sum.ln() })
    }

    /// Log-probability of a token with this logit.
    pub fn logprob(&self, logit: f32) -> f64 {
        f64::from(logit) - self.log_sum
    }

    /// Logarithm of the probability of all the tokens with these logits together; minus infinity only where there are
    /// none.
    pub fn log_mass(&self, logits: impl Iterator<Item = f32> + Clone) -> f64 {
        let own = logits.clone().fold(f32::NEG_INFINITY, f32::max);
        // Far below the likeliest token exponentials would vanish in f32, so they are taken relative to their own
        // largest.
        let most = if own.is_finite() && self.most - own > Self::FAR { own } else { self.most };
        f64::from(most) + exp_sum(logits, most).ln() - self.log_sum
    }
}

/// The error for logits that are none.
pub fn not_finite() -> LlmError {
    Complaint::new("the model computes numbers that are not finite")
        .hinted("the model file is damaged or badly converted: fetch it again or take another")
        .into()
}

/// Whether all of `logits` are numbers.
pub fn are_finite(logits: &[f32]) -> bool {
    simd::dispatch(Finite(logits))
}

/// `Σ exp(logit - most)`: exponentials to 2e-7 of their value in f32, groups of 16 of them summed in f64.
fn exp_sum(mut logits: impl Iterator<Item = f32>, most: f32) -> f64 {
    const PIECE: usize = 1024;
    let mut sum = 0.0f64;
    let mut piece = [f32::NEG_INFINITY; PIECE];
    loop {
        let mut count = 0;
        for (slot, logit) in piece.iter_mut().zip(logits.by_ref()) {
            *slot = logit - most;
            count += 1;
        }
        if count == 0 {
            return sum;
        }
        piece[count..].fill(f32::NEG_INFINITY);
        simd::dispatch(Exp(&mut piece));
        sum += piece.as_chunks::<LANES>().0.iter().map(|lanes| f64::from(simd::sum_lanes(*lanes))).sum::<f64>();
        if count < PIECE {
            return sum;
        }
    }
}

struct Exp<'a>(&'a mut [f32]);

impl Vectors for Exp<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        for group in simd::groups_mut::<S, V>(self.0) {
            for x in group {
                *x = simd::exp(simd, *x);
            }
        }
    }
}

/// The largest of some numbers that are no NaN.
struct Most<'a>(&'a [f32]);

impl Vectors for Most<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) -> f32 {
        let mut most = [simd.splat_f32s(f32::NEG_INFINITY); V];
        for group in simd::groups::<S, V>(self.0) {
            for v in 0..V {
                most[v] = simd.max_f32s(most[v], group[v]);
            }
        }
        let mut lanes = [f32::NEG_INFINITY; LANES];
        simd::groups_mut::<S, V>(&mut lanes)[0] = most;
        let rest = &self.0[self.0.len() / LANES * LANES..];
        lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
    }
}

struct Finite<'a>(&'a [f32]);

impl Vectors for Finite<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, _simd: S) -> bool {
        // Without an early exit, so that it is compiled to vectors.
        self.0.iter().fold(true, |all, x| all & x.is_finite())
    }
}

/// The `k` most likely tokens with their log-probabilities, most likely first; the smaller id first among equals.
pub fn top(logits: &[f32], k: usize) -> Result<Vec<(u32, f64)>, LlmError> {
    let softmax = LogSoftmax::new(logits)?;
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    let order = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    let k = k.min(ids.len());
    if k < ids.len() {
        ids.select_nth_unstable_by(k, order);
        ids.truncate(k);
    }
    ids.sort_unstable_by(order);
    Ok(ids.into_iter().map(|id| (id, softmax.logprob(logits[id as usize]))).collect())
}

/// Id of the largest logit; the smallest id among equals.
pub fn argmax(logits: &[f32]) -> u32 {
    let most = simd::dispatch(Most(logits));
    logits.iter().position(|l| *l == most).map_or(0, |id| id as u32)
}

/// [`argmax`] among the ids that `may` allows; `None` where that is none.
pub fn argmax_of(logits: &[f32], may: impl Fn(u32) -> bool) -> Option<u32> {
    let best = argmax(logits);
    if may(best) {
        return Some(best);
    }
    let allowed = logits.iter().zip(0..).filter(|(_, id)| may(*id));
    allowed.max_by(|(a, i), (b, j)| a.total_cmp(b).then(j.cmp(i))).map(|(_, id)| id)
}

/// Reads `tokens` at the end of `sequence`, chunk by chunk, and returns the logits after the last one (empty where
/// there are none). `progress` gets the number of tokens done.
///
/// # Errors
/// [`LlmError::Cancelled`], when the chunks before are read; [`LlmError::TooLong`]; an id outside the vocabulary.
pub fn read(
    decoder: &Decoder,
    sequence: &mut Sequence,
    tokens: &[u32],
    pace: &mut Pace,
    progress: &mut dyn FnMut(usize),
    cancel: &Cancel,
) -> Result<Vec<f32>, LlmError> {
    check(decoder, sequence.len() + tokens.len(), tokens)?;
    let mut done = 0;
    let mut logits = Vec::new();
    while done < tokens.len() {
        let chunk = &tokens[done..(done + pace.0).min(tokens.len())];
        done += chunk.len();
        let mut rows: Vec<Row> = chunk.iter().map(|t| Row::new(*t, 0)).collect();
        if let (true, Some(last)) = (done == tokens.len(), rows.last_mut()) {
            last.logits = true;
        }
        let start = Instant::now();
        decoder.recycle(logits);
        logits = decoder.forward(std::slice::from_mut(sequence), &rows, cancel)?;
        if rows.len() > 1 {
            pace.adapt(rows.len(), start.elapsed());
        }
        progress(done);
    }
    Ok(logits)
}

/// Whether `tokens` are in the vocabulary and `len` positions fit the context.
pub fn check(decoder: &Decoder, len: usize, tokens: &[u32]) -> Result<(), LlmError> {
    let context = decoder.arch().context;
    if len > context {
        return Err(LlmError::TooLong { tokens: len, context });
    }
    let vocabulary = decoder.vocabulary();
    match tokens.iter().find(|t| **t as usize >= vocabulary) {
        Some(id) => {
            Err(Complaint::new(format!("token id {id} is outside the vocabulary of {vocabulary} tokens")).into())
        }
        None => Ok(()),
    }
}

/// What a model says of the next token after some ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// The most likely tokens and their log-probabilities (natural, full vocabulary).
    pub top: Vec<(u32, f64)>,
    /// The greedy continuation.
    pub greedy: Vec<u32>,
}

/// Scores the next token after exactly `ids` (nothing is added) and continues greedily for `greedy` tokens.
pub fn next(decoder: &Decoder, ids: &[u32], k: usize, greedy: usize, cancel: &Cancel) -> Result<Next, LlmError> {
    if ids.is_empty() {
        return Err(Complaint::new("there are no token ids to continue").hinted("give at least one id").into());
    }
    let mut sequence = Sequence::new(decoder.kv(), Vec::new());
    let mut pace = Pace::default();
    let mut logits = read(decoder, &mut sequence, ids, &mut pace, &mut |_| {}, cancel)?;
    let top = top(&logits, k)?;
    let mut tokens = Vec::with_capacity(greedy);
    while tokens.len() < greedy && sequence.len() < decoder.arch().context {
        let token = argmax(&logits);
        tokens.push(token);
        if tokens.len() < greedy {
            logits = read(decoder, &mut sequence, &[token], &mut pace, &mut |_| {}, cancel)?;
        }
    }
    Ok(Next { top, greedy: tokens })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_tokens_are_sorted_and_normalised_over_the_whole_vocabulary() {
        let logits = [0.0, 2.0, 1.0, 2.0];
        let all = top(&logits, 9).unwrap();
        assert_eq!(all.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 3, 2, 0]);
        assert!((all.iter().map(|(_, p)| p.exp()).sum::<f64>() - 1.0).abs() < 1e-6);
        assert_eq!(top(&logits, 1).unwrap()[0], all[0]);
        assert_eq!(argmax(&logits), 1);
    }

    #[test]
    fn the_most_likely_of_some_tokens_is_the_smallest_id_among_equals() {
        let logits = [0.0, 2.0, 1.0, 2.0, 1.0];
        for (allowed, expected) in [
            (&[0, 1, 2, 3, 4][..], Some(1)),
            (&[0, 2, 3], Some(3)),
            (&[0, 2, 4], Some(2)),
            (&[0], Some(0)),
            (&[], None),
        ] {
            assert_eq!(argmax_of(&logits, |id| allowed.contains(&id)), expected);
        }
    }

    #[test]
    fn sums_over_a_large_vocabulary_are_those_of_f64() {
        for len in [1, 17, 1024, 1025, 50_000] {
            let logits: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7).sin() * 12.0 - 3.0).collect();
            let softmax = LogSoftmax::new(&logits).unwrap();
            let exact = logits.iter().map(|l| f64::from(*l).exp()).sum::<f64>().ln();
            assert!((softmax.logprob(0.0) + exact).abs() < 1e-6);
            let some = || logits.iter().copied().step_by(3);
            let mass = some().map(|l| f64::from(l).exp()).sum::<f64>().ln() - exact;
            assert!((softmax.log_mass(some()) - mass).abs() < 1e-6);
            assert_eq!(softmax.log_mass(std::iter::empty()), f64::NEG_INFINITY);
        }
    }

    #[test]
    fn mass_far_below_the_likeliest_token_does_not_vanish_and_is_that_of_f64() {
        for shift in [0.0, 39.0, 41.0, 90.0, 200.0, 1e4, 1e30] {
            let logits = [shift, 0.0, 1.0, -2.0];
            let softmax = LogSoftmax::new(&logits).unwrap();
            let all = f64::from(shift)
                + (1.0 + [0.0, 1.0, -2.0f64].iter().map(|l| (l - f64::from(shift)).exp()).sum::<f64>()).ln();
            let exact = [0.0, 1.0, -2.0f64].iter().map(|l| l.exp()).sum::<f64>().ln() - all;
            let mass = softmax.log_mass(logits[1..].iter().copied());
            assert!((mass - exact).abs() <= 1e-6 * exact.abs().max(1.0), "{shift}: {mass} {exact}");
        }
    }

    #[test]
    fn logits_that_are_not_finite_are_an_error_and_not_a_probability() {
        assert!(LogSoftmax::new(&[0.0, f32::NAN]).is_err());
        assert!(LogSoftmax::new(&[0.0, f32::INFINITY]).is_err());
        assert!(LogSoftmax::new(&[]).is_err());
    }
}
