//! Causal grouped-query attention over segmented keys and values.
//!
//! Must reduce in blocks of 64 ABSOLUTE positions, in order, with each sum in one fixed order inside a block: then a row's
//! result has the same bits however its sequence was cut into segments, prefill chunks and batches.
//! The softmax is the online one of Milakov and Gimelshein (arXiv 1805.02867), a block at a time as in FlashAttention.

use super::kernels::pool::Pool;
use super::kv::{Run, Segment, Sequence};
use super::simd::{self, LANES, TILE_ROWS, Vectors};
use pulp::Simd;

/// Positions per step of the online softmax.
const BLOCK: usize = 64;

/// Sizes and variants of one layer's attention.
#[derive(Clone, Copy, Debug)]
pub struct Attention {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Numbers per head; a multiple of [`LANES`].
    pub dim: usize,
    /// How many positions a row sees, its own included; `None`: all.
    pub window: Option<usize>,
    /// `cap * tanh(s / cap)` on the scores.
    pub softcap: Option<f32>,
}

/// A query row: which sequence it looks at and its position there.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// Index of the sequence.
    pub sequence: usize,
    /// The row's position; it sees this one and those before.
    pub position: usize,
}

/// Up to [`TILE_ROWS`] queries of one sequence and one key head, worked through together.
struct Task<'a> {
    attention: Attention,
    sequence: &'a Sequence,
    runs: &'a [Run],
    layer: usize,
    kv_head: usize,
    /// Index into the query heads of all rows (`row * heads + head`) and the row's position.
    queries: &'a [(usize, usize)],
    q: &'a [f32],
    /// `[query][dim]`.
    out: &'a mut [f32],
}

/// `out[row][head] = softmax(q · K) · V` for all rows; `q` (already scaled) and `out` are `[row][head][dim]`.
///
/// `runs` holds the runs of every sequence. Keys and values of the rows themselves must have been written.
#[allow(clippy::too_many_arguments, reason = "called from one place")]
pub fn attend(
    pool: &Pool,
    attention: Attention,
    layer: usize,
    rows: &[At],
    sequences: &[Sequence],
    runs: &[Vec<Run>],
    q: &[f32],
    out: &mut [f32],
) {
    let group = attention.heads / attention.kv_heads;
    let mut queries: Vec<(usize, usize)> = Vec::with_capacity(rows.len() * attention.heads);
    let mut cuts: Vec<(usize, usize, usize)> = Vec::new();
    // Head by head, so that what sequences share is still in the cache when the next of them comes to it.
    for kv_head in 0..attention.kv_heads {
        let mut first = 0;
        for same in rows.chunk_by(|a, b| a.sequence == b.sequence) {
            for (r, row) in same.iter().enumerate() {
                let head = (first + r) * attention.heads + kv_head * group;
                queries.extend((head..head + group).map(|h| (h, row.position)));
            }
            first += same.len();
            // As even tiles as possible: small ones make less use of each key.
            let count = same.len() * group;
            let tiles = count.div_ceil(TILE_ROWS);
            cuts.extend((0..tiles).map(|t| (same[0].sequence, kv_head, (t + 1) * count / tiles - t * count / tiles)));
        }
    }
    let mut packed = vec![0.0; queries.len() * attention.dim];
    let (mut free, mut open) = (packed.as_mut_slice(), queries.as_slice());
    let mut tasks = Vec::with_capacity(cuts.len());
    for (sequence, kv_head, count) in cuts {
        let (queries, out);
        (queries, open) = open.split_at(count);
        (out, free) = free.split_at_mut(count * attention.dim);
        let runs = &runs[sequence];
        let sequence = &sequences[sequence];
        tasks.push(Some(Task { attention, sequence, runs, layer, kv_head, queries, q, out }));
    }
    pool.pieces(&mut tasks, 1, 1, |_, task| {
        if let Some(task) = task.first_mut().and_then(Option::take) {
            simd::dispatch(task);
        }
    });
    for ((head, _), from) in queries.iter().zip(packed.chunks_exact(attention.dim)) {
        out[head * attention.dim..(head + 1) * attention.dim].copy_from_slice(from);
    }
}

impl Vectors for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let Attention { dim, window, softcap, .. } = self.attention;
        let count = self.queries.len();
        let mut q = vec![0.0; count * dim];
        for (r, (head, _)) in self.queries.iter().enumerate() {
            let from = &self.q[head * dim..(head + 1) * dim];
            q.iter_mut().skip(r).step_by(count).zip(from).for_each(|(slot, x)| *slot = *x);
        }
        let sees = |r: usize| {
            let end = self.queries[r].1 + 1;
            (window.map_or(0, |w| end.saturating_sub(w)), end)
        };
        let first = (0..count).map(|r| sees(r).0).min().unwrap_or(0);
        let last = (0..count).map(|r| sees(r).1).max().unwrap_or(0);
        let mut most = [f32::NEG_INFINITY; TILE_ROWS];
        let mut mass = [0.0f32; TILE_ROWS];
        let mut weights = vec![0.0; BLOCK * count];

        for block in first / BLOCK..last.div_ceil(BLOCK) {
            let (from, to) = (block * BLOCK, ((block + 1) * BLOCK).min(last));
            let skip = self.runs.partition_point(|run| run.to <= from);
            let len = self.runs[skip..].partition_point(|run| run.from < to);
            let runs = &self.runs[skip..skip + len];

            let mut scores = [[f32::NEG_INFINITY; BLOCK]; TILE_ROWS];
            for run in runs {
                let segment = self.sequence.segment(run.segment);
                let keys = segment.keys(self.layer, self.kv_head, run.from / LANES);
                let mut acc = [[0.0; LANES]; TILE_ROWS];
                simd::tile_rows::<S, V>(simd, count, &q, simd::groups::<S, V>(keys), &mut acc);
                for r in 0..count {
                    let (low, high) = sees(r);
                    let seen = run.from.max(low)..run.to.min(high);
                    if seen.is_empty() {
                        // Behind this query's window or before its time; another query of the tile sees it.
                        continue;
                    }
                    let lanes = seen.start % LANES..seen.start % LANES + seen.len();
                    scores[r][seen.start - from..seen.start - from + seen.len()].copy_from_slice(&acc[r][lanes]);
                }
            }
            for r in 0..count {
                if let Some(cap) = softcap {
                    scores[r].iter_mut().for_each(|s| *s = cap * (*s / cap).tanh());
                    let (low, high) = sees(r);
                    scores[r].iter_mut().enumerate().for_each(|(i, s)| {
                        if !(low..high).contains(&(from + i)) {
                            *s = f32::NEG_INFINITY;
                        }
                    });
                }
                let top = scores[r].iter().fold(most[r], |a, b| if *b > a { *b } else { a });
                if top == f32::NEG_INFINITY {
                    // Nothing of this block is seen by this query.
                    weights.iter_mut().skip(r).step_by(count).for_each(|w| *w = 0.0);
                    continue;
                }
                let mut keep = [most[r] - top; LANES];
                softmax_block::<S, V>(simd, top, &mut scores[r], &mut keep);
                let mut lanes = [0.0; LANES];
                for group in scores[r].as_chunks::<LANES>().0 {
                    lanes.iter_mut().zip(group).for_each(|(a, b)| *a += b);
                }
                mass[r] = mass[r] * keep[0] + simd::sum_lanes(lanes);
                most[r] = top;
                let by = simd.splat_f32s(keep[0]);
                for group in simd::groups_mut::<S, V>(&mut self.out[r * dim..(r + 1) * dim]) {
                    for x in group {
                        *x = simd.mul_f32s(*x, by);
                    }
                }
                weights.iter_mut().skip(r).step_by(count).zip(&scores[r]).for_each(|(w, s)| *w = *s);
            }
            for run in runs {
                let segment = self.sequence.segment(run.segment);
                add_values::<S, V>(
                    simd,
                    segment,
                    self.layer,
                    self.kv_head,
                    *run,
                    count,
                    &weights[(run.from - from) * count..],
                    dim,
                    self.out,
                );
            }
        }
        for (out, mass) in self.out.chunks_exact_mut(dim).zip(mass) {
            let scale = 1.0 / mass;
            out.iter_mut().for_each(|x| *x *= scale);
        }
    }
}

/// `scores = exp(scores - top)`, `keep = exp(keep)`.
#[inline(always)]
fn softmax_block<S: Simd, const V: usize>(simd: S, top: f32, scores: &mut [f32; BLOCK], keep: &mut [f32; LANES]) {
    let by = simd.splat_f32s(top);
    for group in simd::groups_mut::<S, V>(scores) {
        for s in group {
            *s = simd::exp(simd, simd.sub_f32s(*s, by));
        }
    }
    for k in &mut simd::groups_mut::<S, V>(keep)[0] {
        *k = simd::exp(simd, *k);
    }
}

/// `out[r] += sum over the run of weights[position][r] * value[position]`.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "the inner loop of attention, called from one place")]
fn add_values<S: Simd, const V: usize>(
    simd: S,
    segment: &Segment,
    layer: usize,
    kv_head: usize,
    run: Run,
    count: usize,
    weights: &[f32],
    dim: usize,
    out: &mut [f32],
) {
    let values = segment.values(layer, kv_head, run.from / LANES);
    let lanes = run.from % LANES..run.from % LANES + (run.to - run.from);
    let weights = &weights[..lanes.len() * count];
    for (d, values) in values.chunks_exact(LANES * LANES).enumerate() {
        let values = &simd::groups::<S, V>(values)[lanes.clone()];
        let mut acc = [[0.0; LANES]; TILE_ROWS];
        for (a, o) in acc.iter_mut().zip(out.chunks_exact(dim)) {
            a.copy_from_slice(&o[d * LANES..(d + 1) * LANES]);
        }
        simd::tile_rows::<S, V>(simd, count, weights, values, &mut acc);
        for (a, o) in acc.iter().zip(out.chunks_exact_mut(dim)) {
            o[d * LANES..(d + 1) * LANES].copy_from_slice(a);
        }
    }
}
