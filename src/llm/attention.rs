//! Causal grouped-query attention over segmented keys and values.
//!
//! Must reduce in blocks of 64 ABSOLUTE positions, in order, with each sum in one fixed order inside a block: then a
//! row's result has the same bits however its sequence was cut into segments, prefill chunks and batches, and whichever
//! other rows are worked through with it. The softmax is the online one of Milakov and Gimelshein (arXiv 1805.02867), a
//! block at a time as in FlashAttention.

mod codes;
mod floats;

use super::kernels::pool::Pool;
use super::kv::lanes::Form;
use super::kv::{Run, Sequence};
use super::simd::{self, LANES, TILE_ROWS, Vectors};
use codes::Codes;
use floats::Floats;
use pulp::Simd;
use std::array;

/// Positions per step of the online softmax.
const BLOCK: usize = 64;

/// Most queries of a task: so many tiles find a block of keys and values in the nearest cache.
const TASK: usize = 8 * TILE_ROWS;

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
    // The queries of one key head stand together, row by row: rows of several sequences share a tile where these share
    // keys.
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

/// The keys and values of one head in one block, as far as they are of use.
#[derive(Clone, Copy)]
struct Seen<'a> {
    sequence: &'a Sequence,
    layer: usize,
    kv_head: usize,
    /// First position of the block.
    from: usize,
    /// In order of position.
    runs: &'a [Run],
}

/// A form of keys and values, and what is computed with it.
trait Inner {
    /// A task's queries in the form that they are multiplied in.
    type Queries;
    /// Keys and values of a block.
    type View<'a>;
    /// Room for what is computed on the way, of no meaning afterwards.
    type Room: Default;

    /// Room for queries of `dim` numbers, reused by the thread.
    fn take(dim: usize) -> Self::Queries;
    /// Gives the room back.
    fn give(queries: Self::Queries);
    /// Puts in query `i`.
    fn put(queries: &mut Self::Queries, i: usize, query: &[f32]);
    /// What some queries share.
    fn view(seen: Seen<'_>) -> Self::View<'_>;

    /// The scores of `R` queries, from number `first` on, against the first `runs` runs, as far as each query sees
    /// them; the rest stays as it is.
    #[allow(clippy::too_many_arguments, reason = "the inner loop of attention")]
    fn scores<S: Simd, const V: usize, const R: usize>(
        simd: S,
        view: &Self::View<'_>,
        runs: usize,
        queries: &Self::Queries,
        first: usize,
        of: &[Query; R],
        scores: &mut [[f32; BLOCK]; R],
        room: &mut Self::Room,
    );

    /// `out[r] = out[r] * keep[r] + Σ weights[r][position] * value[position]` over the first `runs` runs, where `out`
    /// is `[query][dim]`; with no `keep`, what `out[r]` held is of no meaning. What `weights` hold afterwards neither.
    fn values<S: Simd, const V: usize, const R: usize>(
        simd: S,
        view: &Self::View<'_>,
        runs: usize,
        weights: &mut [[f32; BLOCK]; R],
        keep: [Option<f32>; R],
        out: &mut [f32],
        room: &mut Self::Room,
    );
}

impl Vectors for &mut Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        match self.past.sequences.first().map(Sequence::form) {
            Some(Form::Codes) => self.walk::<S, V, Codes>(simd),
            Some(Form::Floats) => self.walk::<S, V, Floats>(simd),
            None => {}
        }
    }
}

impl<'a> Task<'a> {
    #[inline(always)]
    fn walk<S: Simd, const V: usize, F: Inner>(&mut self, simd: S) {
        let Attention { heads, kv_heads, dim, window, .. } = self.attention;
        let (group, count) = (heads / kv_heads, self.out.len() / dim);
        let (mut numbers, mut room) = (F::take(dim), F::Room::default());
        for i in 0..count {
            let number = self.first + i;
            let from = number / group * self.stride + (self.kv_head * group + number % group) * dim;
            F::put(&mut numbers, i, &self.q[from..from + dim]);
        }
        let mut queries: [Query; TASK] = array::from_fn(|i| {
            let At { sequence, position } = self.past.rows[(self.first + i.min(count - 1)) / group];
            let low = window.map_or(0, |w| (position + 1).saturating_sub(w));
            Query { sequence, low, high: position + 1, most: f32::NEG_INFINITY, mass: 0.0 }
        });
        let queries = &mut queries[..count];
        let first = queries.iter().map(|q| q.low).min().unwrap_or(0);
        let last = queries.iter().map(|q| q.high).max().unwrap_or(0);
        for block in first / BLOCK..last.div_ceil(BLOCK) {
            let mut done = 0;
            while done < count {
                let sequence = queries[done].sequence;
                let runs = self.runs(sequence, block);
                let same = queries[done..].iter().take_while(|q| self.same(runs, sequence, q.sequence, block)).count();
                let seen = Seen {
                    sequence: &self.past.sequences[sequence],
                    layer: self.layer,
                    kv_head: self.kv_head,
                    from: block * BLOCK,
                    runs,
                };
                let view = F::view(seen);
                for from in (done..done + same).step_by(TILE_ROWS) {
                    let queries = &mut queries[from..(from + TILE_ROWS).min(done + same)];
                    match queries.len() {
                        1 => self.block::<S, V, F, 1>(simd, seen, &view, &numbers, queries, from, &mut room),
                        2 => self.block::<S, V, F, 2>(simd, seen, &view, &numbers, queries, from, &mut room),
                        3 => self.block::<S, V, F, 3>(simd, seen, &view, &numbers, queries, from, &mut room),
                        4 => self.block::<S, V, F, 4>(simd, seen, &view, &numbers, queries, from, &mut room),
                        5 => self.block::<S, V, F, 5>(simd, seen, &view, &numbers, queries, from, &mut room),
                        _ => self.block::<S, V, F, 6>(simd, seen, &view, &numbers, queries, from, &mut room),
                    }
                }
                done += same;
            }
        }
        for (out, query) in self.out.chunks_exact_mut(dim).zip(queries) {
            let scale = 1.0 / query.mass;
            out.iter_mut().for_each(|x| *x *= scale);
        }
        F::give(numbers);
    }

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

    /// One block for `R` queries, which have the same runs there; the first is number `first` of the task.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "the inner loop of attention")]
    fn block<S: Simd, const V: usize, F: Inner, const R: usize>(
        &mut self,
        simd: S,
        seen: Seen<'a>,
        view: &F::View<'a>,
        numbers: &F::Queries,
        queries: &mut [Query],
        first: usize,
        room: &mut F::Room,
    ) {
        let Some(queries) = queries.first_chunk_mut::<R>() else { return };
        let from = seen.from;
        let last = queries.iter().map(|q| q.high).max().unwrap_or(0);
        let runs = seen.runs.iter().take_while(|run| run.from < last).count();
        if runs == 0 || queries.iter().all(|q| q.low >= from + BLOCK) {
            return;
        }
        let mut scores = [[f32::NEG_INFINITY; BLOCK]; R];
        F::scores::<S, V, R>(simd, view, runs, numbers, first, queries, &mut scores, room);
        let mut keep = [None; R];
        for r in 0..R {
            let query = &mut queries[r];
            if let Some(cap) = self.attention.softcap {
                let low = query.low.saturating_sub(from).min(BLOCK);
                let high = query.high.saturating_sub(from).clamp(low, BLOCK);
                scores[r][low..high].iter_mut().for_each(|s| *s = cap * (*s / cap).tanh());
            }
            let by = softmax_block::<S, V>(simd, &mut scores[r], &mut query.most, &mut query.mass);
            // What stands in the result before a query's first block is of no meaning.
            keep[r] = (query.low < from).then_some(by);
        }
        let dim = self.attention.dim;
        let out = &mut self.out[first * dim..(first + R) * dim];
        F::values::<S, V, R>(simd, view, runs, &mut scores, keep, out, room);
    }
}

/// Turns scores into `exp(score - most)`, where `most` becomes the largest so far, and adds them to `mass`. Returns the
/// factor that sums made before have to be multiplied with; what is not seen has the score minus infinity and becomes
/// 0.
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
