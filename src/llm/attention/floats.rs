//! Attention over keys and values stored as 32-bit floats.
//!
//! Must accumulate in ascending order of positions (or of the numbers of a head), whatever the size of the tile.

use super::super::kv::{Run, lanes};
use super::super::simd::{self, LANES};
use super::{BLOCK, Inner, Query, Seen, TASK};
use pulp::Simd;
use std::array;
use std::cell::Cell;

/// See [`Inner`].
pub(super) struct Floats;

thread_local! {
    /// Each thread's room for the queries of a task, `[dim][query]`.
    static QUERIES: Cell<Vec<[f32; TASK]>> = const { Cell::new(Vec::new()) };
}

impl Inner for Floats {
    type Queries = Vec<[f32; TASK]>;
    type View<'a> = Seen<'a>;
    type Room = ();

    fn take(dim: usize) -> Self::Queries {
        let mut queries = QUERIES.take();
        queries.resize(dim, [0.0; TASK]);
        queries
    }

    fn give(queries: Self::Queries) {
        QUERIES.set(queries);
    }

    #[inline(always)]
    fn put(queries: &mut Self::Queries, i: usize, query: &[f32]) {
        queries.iter_mut().zip(query).for_each(|(to, q)| to[i] = *q);
    }

    fn view(seen: Seen<'_>) -> Self::View<'_> {
        seen
    }

    #[inline(always)]
    fn scores<S: Simd, const V: usize, const R: usize>(
        simd: S,
        view: &Seen<'_>,
        runs: usize,
        queries: &Self::Queries,
        first: usize,
        of: &[Query; R],
        scores: &mut [[f32; BLOCK]; R],
        _room: &mut (),
    ) {
        for run in &view.runs[..runs] {
            let keys = simd::groups::<S, V>(view.floats(run).keys);
            // Said here so that nothing has to be checked in the loop.
            assert!(first + R <= TASK && keys.len() == queries.len());
            let mut sums = [[simd.splat_f32s(0.0); V]; R];
            for (keys, queries) in keys.iter().zip(queries) {
                for r in 0..R {
                    let factor = simd.splat_f32s(queries[first + r]);
                    for v in 0..V {
                        sums[r][v] = simd.mul_add_e_f32s(factor, keys[v], sums[r][v]);
                    }
                }
            }
            for (query, (scores, sums)) in of.iter().zip(scores.iter_mut().zip(&sums)) {
                let seen = run.from.max(query.low)..run.to.min(query.high);
                if !seen.is_empty() {
                    let mut lanes = [0.0; LANES];
                    simd::groups_mut::<S, V>(&mut lanes)[0] = *sums;
                    let of_group = seen.start % LANES..seen.start % LANES + seen.len();
                    scores[seen.start - view.from..seen.end - view.from].copy_from_slice(&lanes[of_group]);
                }
            }
        }
    }

    #[inline(always)]
    fn values<S: Simd, const V: usize, const R: usize>(
        simd: S,
        view: &Seen<'_>,
        runs: usize,
        weights: &mut [[f32; BLOCK]; R],
        keep: [Option<f32>; R],
        out: &mut [f32],
        _room: &mut (),
    ) {
        let dim = out.len() / R;
        for d in 0..dim / LANES {
            let mut sums = [[simd.splat_f32s(0.0); V]; R];
            for r in 0..R {
                if let Some(keep) = keep[r] {
                    let by = simd.splat_f32s(keep);
                    let out = simd::groups::<S, V>(&out[r * dim + d * LANES..][..LANES])[0];
                    sums[r] = array::from_fn(|v| simd.mul_f32s(out[v], by));
                }
            }
            for run in &view.runs[..runs] {
                let values = simd::groups::<S, V>(view.floats(run).values);
                let len = run.to - run.from;
                let values = &values[d * LANES + run.from % LANES..][..len];
                let weights: [&[f32]; R] = array::from_fn(|r| &weights[r][run.from - view.from..][..len]);
                for (p, values) in values.iter().enumerate() {
                    for r in 0..R {
                        let factor = simd.splat_f32s(weights[r][p]);
                        for v in 0..V {
                            sums[r][v] = simd.mul_add_e_f32s(factor, values[v], sums[r][v]);
                        }
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                simd::groups_mut::<S, V>(&mut out[r * dim + d * LANES..][..LANES])[0] = *sums;
            }
        }
    }
}

impl<'a> Seen<'a> {
    fn floats(&self, run: &Run) -> lanes::Floats<'a> {
        self.sequence.segment(run.segment).floats(self.layer, self.kv_head, run.from / LANES)
    }
}
