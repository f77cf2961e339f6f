//! Causal grouped-query attention over segmented keys and values.
//!
//! Must reduce in blocks of 64 ABSOLUTE positions, in order, with each sum in one fixed order inside a block: then a row's
//! result has the same bits however its sequence was cut into segments, prefill chunks and batches, and whichever other rows
//! are worked through with it.
//! The softmax is the online one of Milakov and Gimelshein (arXiv 1805.02867), a block at a time as in FlashAttention.

use super::kernels::pool::Pool;
use super::kv::{Run, Sequence};
use super::simd::{self, LANES, TILE_ROWS, Vectors};
use pulp::Simd;
use std::array;
use std::cell::Cell;

/// Positions per step of the online softmax.
const BLOCK: usize = 64;

/// Most queries of a task: so many tiles find a block of keys and values in the nearest cache.
const TASK: usize = 4 * TILE_ROWS;

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

/// What the rows of one pass look at.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    /// The rows.
    pub rows: &'a [At],
    /// All sequences; keys and values of the rows themselves have been written.
    pub sequences: &'a [Sequence],
    /// The runs of every sequence.
    pub runs: &'a [Vec<Run>],
}

/// `mixed[key head][row][head of the group] = softmax(q · K) · V` for all rows; what `mixed` held does not matter.
///
/// `q` holds the queries, already scaled, as `[row][head][dim]`, with `stride` numbers from row to row.
pub fn attend(
    pool: &Pool,
    attention: Attention,
    layer: usize,
    past: Past<'_>,
    q: &[f32],
    stride: usize,
    mixed: &mut Vec<f32>,
) {
    let Attention { heads, kv_heads, dim, .. } = attention;
    // The queries of one key head stand together, row by row: rows of several sequences share a tile where these share keys.
    let of_head = past.rows.len() * (heads / kv_heads);
    mixed.resize(past.rows.len() * heads * dim, 0.0);
    // Whole tiles, and several tasks a thread.
    let size = (of_head * kv_heads / (pool.threads() * 6)).next_multiple_of(TILE_ROWS).clamp(TILE_ROWS, TASK);
    let mut tasks = Vec::with_capacity(kv_heads * of_head.div_ceil(size));
    for (kv_head, mixed) in mixed.chunks_mut((of_head * dim).max(1)).enumerate() {
        for (number, out) in mixed.chunks_mut(size * dim).enumerate() {
            tasks.push(Task { attention, layer, past, q, stride, kv_head, first: number * size, out });
        }
    }
    pool.pieces(&mut tasks, 1, 1, |_, task| task.iter_mut().for_each(simd::dispatch));
}

/// Puts the results of one row, which [`attend`] leaves apart by key heads, into `out` as `[head][dim]`.
pub fn gather(attention: Attention, mixed: &[f32], rows: usize, row: usize, out: &mut [f32]) {
    let size = attention.heads / attention.kv_heads * attention.dim;
    for (kv_head, out) in out.chunks_exact_mut(size).enumerate() {
        out.copy_from_slice(&mixed[(kv_head * rows + row) * size..][..size]);
    }
}

thread_local! {
    /// Each thread's room for the queries of a task, `[dim][query]`.
    static PACKED: Cell<Vec<[f32; TASK]>> = const { Cell::new(Vec::new()) };
}

/// Queries of one key head.
struct Task<'a> {
    attention: Attention,
    layer: usize,
    past: Past<'a>,
    q: &'a [f32],
    stride: usize,
    kv_head: usize,
    /// Number of the first query: row times heads per key head.
    first: usize,
    /// `[query][dim]`.
    out: &'a mut [f32],
}

/// A query, and how far its softmax has come. Its numbers stand apart, as `[dim][query]`.
#[derive(Clone, Copy)]
struct Query {
    sequence: usize,
    /// The positions it sees.
    low: usize,
    high: usize,
    /// The largest score so far.
    most: f32,
    /// The sum of `exp(score - most)` so far.
    mass: f32,
}

impl Vectors for &mut Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let Attention { heads, kv_heads, dim, window, .. } = self.attention;
        let (group, count) = (heads / kv_heads, self.out.len() / dim);
        let mut packed = PACKED.take();
        packed.resize(packed.len().max(dim), [0.0; TASK]);
        let mut queries: [Query; TASK] = array::from_fn(|i| {
            let number = self.first + i.min(count - 1);
            let at = self.past.rows[number / group];
            let from = number / group * self.stride + (self.kv_head * group + number % group) * dim;
            if i < count {
                packed.iter_mut().zip(&self.q[from..from + dim]).for_each(|(to, q)| to[i] = *q);
            }
            let high = at.position + 1;
            let low = window.map_or(0, |w| high.saturating_sub(w));
            Query { sequence: at.sequence, low, high, most: f32::NEG_INFINITY, mass: 0.0 }
        });
        let queries = &mut queries[..count];
        let first = queries.iter().map(|q| q.low).min().unwrap_or(0);
        let last = queries.iter().map(|q| q.high).max().unwrap_or(0);
        for block in first / BLOCK..last.div_ceil(BLOCK) {
            let mut done = 0;
            while done < count {
                let runs = self.runs(queries[done].sequence, block);
                let same = |query: &&Query| self.same(runs, queries[done].sequence, query.sequence, block);
                let tile = queries[done..].iter().take(TILE_ROWS).take_while(same).count();
                let queries = &mut queries[done..done + tile];
                match tile {
                    1 => self.block::<S, V, 1>(simd, block, runs, &packed, queries, done),
                    2 => self.block::<S, V, 2>(simd, block, runs, &packed, queries, done),
                    3 => self.block::<S, V, 3>(simd, block, runs, &packed, queries, done),
                    4 => self.block::<S, V, 4>(simd, block, runs, &packed, queries, done),
                    5 => self.block::<S, V, 5>(simd, block, runs, &packed, queries, done),
                    _ => self.block::<S, V, 6>(simd, block, runs, &packed, queries, done),
                }
                done += tile;
            }
        }
        for (out, query) in self.out.chunks_exact_mut(dim).zip(queries) {
            let scale = 1.0 / query.mass;
            out.iter_mut().for_each(|x| *x *= scale);
        }
        PACKED.set(packed);
    }
}

impl<'a> Task<'a> {
    /// The runs of a sequence that lie in a block.
    fn runs(&self, sequence: usize, block: usize) -> &'a [Run] {
        let runs = &self.past.runs[sequence];
        let skip = runs.partition_point(|run| run.to <= block * BLOCK);
        let len = runs[skip..].iter().take_while(|run| run.from < (block + 1) * BLOCK).count();
        &runs[skip..skip + len]
    }

    /// Whether two sequences have the very same keys and values in a block, where the first has `runs`.
    #[inline(always)]
    fn same(&self, runs: &[Run], a: usize, b: usize, block: usize) -> bool {
        let segments = [&self.past.sequences[a], &self.past.sequences[b]];
        let shared = |(x, y): (&Run, &Run)| {
            (x.from, x.to) == (y.from, y.to)
                && std::ptr::eq(segments[0].segment(x.segment), segments[1].segment(y.segment))
        };
        let equal = |other: &[Run]| runs.len() == other.len() && runs.iter().zip(other).all(shared);
        a == b || equal(self.runs(b, block))
    }

    /// One block for `R` queries, which have the same runs there; the first is number `number` of the task.
    #[inline(always)]
    fn block<S: Simd, const V: usize, const R: usize>(
        &mut self,
        simd: S,
        block: usize,
        runs: &[Run],
        packed: &[[f32; TASK]],
        queries: &mut [Query],
        number: usize,
    ) {
        let Some(queries) = queries.first_chunk_mut::<R>() else { return };
        let from = block * BLOCK;
        let last = queries.iter().map(|q| q.high).max().unwrap_or(0);
        let runs = &runs[..runs.iter().take_while(|run| run.from < last).count()];
        if runs.is_empty() || queries.iter().all(|q| q.low >= from + BLOCK) {
            return;
        }
        let mut scores = [[f32::NEG_INFINITY; BLOCK]; R];
        let mut rest = runs;
        // Sixteen positions of keys take one register of 512 bits, and there are 32: four times six sums.
        while let (1, Some((four, after))) = (V, rest.split_first_chunk::<4>()) {
            self.scores::<S, V, R, 4>(simd, four, packed, number, queries, from, &mut scores);
            rest = after;
        }
        while let (1, Some((two, after))) = (V, rest.split_first_chunk::<2>()) {
            self.scores::<S, V, R, 2>(simd, two, packed, number, queries, from, &mut scores);
            rest = after;
        }
        while let Some((one, after)) = rest.split_first_chunk::<1>() {
            self.scores::<S, V, R, 1>(simd, one, packed, number, queries, from, &mut scores);
            rest = after;
        }
        let mut keep = [1.0; R];
        for r in 0..R {
            let query = &mut queries[r];
            if let Some(cap) = self.attention.softcap {
                let low = query.low.saturating_sub(from).min(BLOCK);
                let high = query.high.saturating_sub(from).clamp(low, BLOCK);
                scores[r][low..high].iter_mut().for_each(|s| *s = cap * (*s / cap).tanh());
            }
            keep[r] = softmax_block::<S, V>(simd, &mut scores[r], &mut query.most, &mut query.mass);
        }
        let fresh = queries.each_ref().map(|q| q.low >= from);
        let dim = self.attention.dim;
        let mut d = 0;
        while V == 1 && d + 4 <= dim / LANES {
            self.values::<S, V, R, 4>(simd, runs, &scores, from, keep, fresh, number, d);
            d += 4;
        }
        while d < dim / LANES {
            self.values::<S, V, R, 1>(simd, runs, &scores, from, keep, fresh, number, d);
            d += 1;
        }
    }

    /// The scores of `R` queries against `C` runs, as far as each query sees them.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "the inner loop of attention")]
    fn scores<S: Simd, const V: usize, const R: usize, const C: usize>(
        &self,
        simd: S,
        runs: &[Run; C],
        packed: &[[f32; TASK]],
        number: usize,
        queries: &[Query; R],
        from: usize,
        scores: &mut [[f32; BLOCK]; R],
    ) {
        let dim = self.attention.dim;
        let sequence = &self.past.sequences[queries[0].sequence];
        let keys: [&[[S::f32s; V]]; C] = array::from_fn(|c| {
            let keys = sequence.segment(runs[c].segment).keys(self.layer, self.kv_head, runs[c].from / LANES);
            &simd::groups::<S, V>(keys)[..dim]
        });
        let packed = &packed[..dim];
        // Said here so that nothing has to be checked in the loop.
        assert!(number + R <= TASK && keys.iter().all(|keys| keys.len() == dim));
        let mut sums = [[[simd.splat_f32s(0.0); V]; C]; R];
        for d in 0..dim {
            let keys: [[S::f32s; V]; C] = array::from_fn(|c| keys[c][d]);
            for r in 0..R {
                let factor = simd.splat_f32s(packed[d][number + r]);
                for c in 0..C {
                    for v in 0..V {
                        sums[r][c][v] = simd.mul_add_e_f32s(factor, keys[c][v], sums[r][c][v]);
                    }
                }
            }
        }
        for (query, (scores, sums)) in queries.iter().zip(scores.iter_mut().zip(&sums)) {
            for (run, sums) in runs.iter().zip(sums) {
                let seen = run.from.max(query.low)..run.to.min(query.high);
                if seen.len() == LANES {
                    simd::groups_mut::<S, V>(scores)[(run.from - from) / LANES] = *sums;
                } else if !seen.is_empty() {
                    let mut lanes = [0.0; LANES];
                    simd::groups_mut::<S, V>(&mut lanes)[0] = *sums;
                    let of_group = seen.start % LANES..seen.start % LANES + seen.len();
                    scores[seen.start - from..seen.end - from].copy_from_slice(&lanes[of_group]);
                }
            }
        }
    }

    /// `out[r] = out[r] * keep[r] + sum over the runs of weights[r][position] * value[position]`, for the numbers
    /// `16 d .. 16 (d + C)` of a head.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "the inner loop of attention, called from one place")]
    fn values<S: Simd, const V: usize, const R: usize, const C: usize>(
        &mut self,
        simd: S,
        runs: &[Run],
        weights: &[[f32; BLOCK]; R],
        from: usize,
        keep: [f32; R],
        fresh: [bool; R],
        number: usize,
        d: usize,
    ) {
        let dim = self.attention.dim;
        let sequence = &self.past.sequences[self.past.rows[(self.first + number) / self.group()].sequence];
        let mut sums = [[[simd.splat_f32s(0.0); V]; C]; R];
        for r in 0..R {
            // What stands there before a query's first block is of no meaning.
            if !fresh[r] {
                let by = simd.splat_f32s(keep[r]);
                let out = &self.out[(number + r) * dim + d * LANES..][..C * LANES];
                for (sums, out) in sums[r].iter_mut().zip(simd::groups::<S, V>(out)) {
                    for v in 0..V {
                        sums[v] = simd.mul_f32s(out[v], by);
                    }
                }
            }
        }
        for run in runs {
            let values = sequence.segment(run.segment).values(self.layer, self.kv_head, run.from / LANES);
            let values = &simd::groups::<S, V>(values)[d * LANES..(d + C) * LANES];
            let len = run.to - run.from;
            let lanes: [&[[S::f32s; V]]; C] = array::from_fn(|c| &values[c * LANES + run.from % LANES..][..len]);
            let weights: [&[f32]; R] = array::from_fn(|r| &weights[r][run.from - from..][..len]);
            for p in 0..len {
                let lanes: [[S::f32s; V]; C] = array::from_fn(|c| lanes[c][p]);
                for r in 0..R {
                    let factor = simd.splat_f32s(weights[r][p]);
                    for c in 0..C {
                        for v in 0..V {
                            sums[r][c][v] = simd.mul_add_e_f32s(factor, lanes[c][v], sums[r][c][v]);
                        }
                    }
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let out = &mut self.out[(number + r) * dim + d * LANES..][..C * LANES];
            simd::groups_mut::<S, V>(out).copy_from_slice(sums);
        }
    }

    /// Query heads per key head.
    fn group(&self) -> usize {
        self.attention.heads / self.attention.kv_heads
    }
}

/// Turns scores into `exp(score - most)`, where `most` becomes the largest so far, and adds them to `mass`. Returns the factor
/// that sums made before have to be multiplied with; what is not seen has the score minus infinity and becomes 0.
#[inline(always)]
fn softmax_block<S: Simd, const V: usize>(simd: S, scores: &mut [f32; BLOCK], most: &mut f32, mass: &mut f32) -> f32 {
    let groups = simd::groups_mut::<S, V>(scores);
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for v in 0..V {
        let most = groups.iter().fold(simd.splat_f32s(f32::NEG_INFINITY), |most, g| simd.max_f32s(most, g[v]));
        simd::groups_mut::<S, V>(&mut lanes)[0][v] = most;
    }
    let top = simd::largest_lane(lanes).max(*most);
    if top == f32::NEG_INFINITY {
        // Nothing of this block is seen by this query, nor was anything before.
        scores.fill(0.0);
        return 1.0;
    }
    let by = simd.splat_f32s(top);
    let mut sums = [simd.splat_f32s(0.0); V];
    for group in groups {
        for v in 0..V {
            group[v] = simd::exp(simd, simd.sub_f32s(group[v], by));
            sums[v] = simd.add_f32s(sums[v], group[v]);
        }
    }
    let mut keep = [*most - top; LANES];
    for k in &mut simd::groups_mut::<S, V>(&mut keep)[0] {
        *k = simd::exp(simd, *k);
    }
    let mut lanes = [0.0; LANES];
    simd::groups_mut::<S, V>(&mut lanes)[0] = sums;
    *mass = *mass * keep[0] + simd::sum_lanes(lanes);
    *most = top;
    keep[0]
}
