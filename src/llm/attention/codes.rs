//! Attention over keys and values stored as 16-bit codes.
//!
//! Must sum the integer products of a whole block of positions before anything is rounded, so that the boundaries of
//! segments do not change a bit.
//!
//! Each query is quantised with one scale. The softmax weights of a block are multiplied with the scales of its values
//! first and then quantised, with one scale per query. Sums of integer products are exact.

use super::super::kernels::pairs::{Bounds, COLUMNS, Dots, Pair, Part, ROWS, Sums, Tile, Vector, nearest, scale};
use super::super::kv::{Run, lanes};
use super::super::simd::{self, LANES, TILE_ROWS};
use super::{BLOCK, Inner, Query, Seen, TASK};
use pulp::Simd;
use std::array;
use std::cell::Cell;

const _: () = assert!(TILE_ROWS == ROWS && COLUMNS * LANES == BLOCK);

/// See [`Inner`].
pub(super) struct Codes;

/// The queries of a task.
pub(super) struct Queries {
    /// `[dim / 2][query]`.
    pairs: Vec<[Pair; TASK]>,
    scales: [f32; TASK],
}

/// Keys and values of a block.
pub(super) struct View<'a> {
    seen: Seen<'a>,
    /// Whether no two runs lie in the same lane group.
    apart: bool,
    /// Of the first runs.
    keys: [&'a [Vector]; COLUMNS],
    values: [&'a [Vector]; COLUMNS],
    /// Of each position; zero where there is none.
    key_scales: [f32; BLOCK],
    value_scales: [f32; BLOCK],
}

thread_local! {
    /// Each thread's room for the queries of a task.
    static QUERIES: Cell<Vec<[Pair; TASK]>> = const { Cell::new(Vec::new()) };
}

/// Codes of weights that are multiplied at once: those of a block, or of twice as many lane groups where some of these
/// stand more than once, in several segments.
const ROW: usize = 2 * BLOCK;

const NOTHING: Part<'_> = Part { from: 0, columns: [&[]; COLUMNS] };

/// See [`Inner::Room`].
pub(super) struct Room {
    /// Codes of weights; beyond those of a block they have no meaning.
    codes: [[i16; ROW]; ROWS],
    sums: Sums,
}

impl Default for Room {
    fn default() -> Self {
        Self { codes: [[0; ROW]; ROWS], sums: [[[0; LANES]; COLUMNS]; ROWS] }
    }
}

impl Inner for Codes {
    type Queries = Queries;
    type View<'a> = View<'a>;
    type Room = Room;

    fn take(dim: usize) -> Queries {
        let mut pairs = QUERIES.take();
        pairs.resize(dim / 2, [[0; 2]; TASK]);
        Queries { pairs, scales: [0.0; TASK] }
    }

    fn give(queries: Queries) {
        QUERIES.set(queries.pairs);
    }

    #[inline(always)]
    fn put(queries: &mut Queries, i: usize, query: &[f32]) {
        let (scale, inverse) = scale(query, Bounds::of(query.len()).queries);
        queries.scales[i] = scale;
        for (pairs, two) in queries.pairs.iter_mut().zip(query.as_chunks::<2>().0) {
            pairs[i] = two.map(|x| nearest(x * inverse));
        }
    }

    #[inline(always)]
    fn view(seen: Seen<'_>) -> View<'_> {
        let apart = seen.runs.windows(2).all(|two| two[0].from / LANES != two[1].from / LANES);
        let mut view = View {
            seen,
            apart,
            keys: [&[]; COLUMNS],
            values: [&[]; COLUMNS],
            key_scales: [0.0; BLOCK],
            value_scales: [0.0; BLOCK],
        };
        for (i, run) in seen.runs.iter().enumerate() {
            let codes = seen.codes(run);
            if i < COLUMNS {
                (view.keys[i], view.values[i]) = (codes.keys, codes.values);
            }
            let at = run.from - seen.from;
            if run.to - run.from == LANES {
                view.key_scales.as_chunks_mut().0[at / LANES] = *codes.key_scales;
                view.value_scales.as_chunks_mut().0[at / LANES] = *codes.value_scales;
            } else {
                let (at, of) = (at..run.to - seen.from, run.from % LANES..run.from % LANES + run.to - run.from);
                view.key_scales[at.clone()].copy_from_slice(&codes.key_scales[of.clone()]);
                view.value_scales[at].copy_from_slice(&codes.value_scales[of]);
            }
        }
        view
    }

    #[inline(always)]
    fn scores<S: Simd, const V: usize, const R: usize>(
        simd: S,
        view: &View<'_>,
        runs: usize,
        queries: &Queries,
        first: usize,
        of: &[Query; R],
        scores: &mut [[f32; BLOCK]; R],
        room: &mut Room,
    ) {
        let sums = &mut room.sums;
        for (i, runs) in view.seen.runs[..runs].chunks(COLUMNS).enumerate() {
            let columns = match i {
                0 => view.keys,
                _ => array::from_fn(|c| runs.get(c).map_or(&[][..], |run| view.seen.codes(run).keys)),
            };
            let tile = Tile::<'_, TASK, 1> {
                rows: R,
                columns: runs.len(),
                pairs: &queries.pairs.as_flattened()[first..],
                steps: queries.pairs.len(),
                parts: &[Part { from: 0, columns }],
                fresh: true,
            };
            Dots::best().add(&tile, sums);
            for (r, query) in of.iter().enumerate() {
                let by = simd.splat_f32s(queries.scales[first + r]);
                for (run, sums) in runs.iter().zip(&sums[r]) {
                    let group = (run.from - view.seen.from) / LANES;
                    let scales = simd::groups::<S, V>(&view.key_scales)[group];
                    let sums = simd::groups::<S, V>(&sums.map(|sum| sum as f32))[0];
                    let all = array::from_fn(|v| simd.mul_f32s(sums[v], simd.mul_f32s(scales[v], by)));
                    let seen = run.from.max(query.low)..run.to.min(query.high);
                    if seen.len() == LANES {
                        simd::groups_mut::<S, V>(&mut scores[r])[group] = all;
                    } else if !seen.is_empty() {
                        let mut lanes = [0.0; LANES];
                        simd::groups_mut::<S, V>(&mut lanes)[0] = all;
                        let of_group = seen.start % LANES..seen.start % LANES + seen.len();
                        scores[r][seen.start - view.seen.from..seen.end - view.seen.from]
                            .copy_from_slice(&lanes[of_group]);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn values<S: Simd, const V: usize, const R: usize>(
        simd: S,
        view: &View<'_>,
        runs: usize,
        weights: &mut [[f32; BLOCK]; R],
        keep: [Option<f32>; R],
        out: &mut [f32],
        room: &mut Room,
    ) {
        let (dim, runs) = (out.len() / R, &view.seen.runs[..runs]);
        let most = Bounds::of(dim).weights;
        let Room { codes, sums } = room;
        let Some(codes) = codes.first_chunk_mut::<R>() else { return };
        let mut scales = [0.0; R];
        for r in 0..R {
            weights[r].iter_mut().zip(&view.value_scales).for_each(|(weight, scale)| *weight *= scale);
            let (scale, inverse) = scale(&weights[r], most);
            codes[r].iter_mut().zip(&weights[r]).for_each(|(code, weight)| *code = nearest(weight * inverse));
            scales[r] = scale;
        }
        for d in (0..dim / LANES).step_by(COLUMNS) {
            let columns = (dim / LANES - d).min(COLUMNS);
            if view.apart {
                let mut parts = [NOTHING; COLUMNS];
                for (i, (part, run)) in parts.iter_mut().zip(runs).enumerate() {
                    *part = of_run((run.from - view.seen.from) / LANES, view.values[i], d);
                }
                add(codes, &parts[..runs.len()], columns, true, sums);
            } else {
                for (i, runs) in runs.chunks(ROW / LANES).enumerate() {
                    // Of positions outside a run its lanes hold anything, so each run has codes of its own.
                    let mut of_runs = [[0; ROW]; R];
                    for (number, run) in runs.iter().enumerate() {
                        let to = number * LANES + run.from % LANES;
                        let at = run.from - view.seen.from..run.to - view.seen.from;
                        for (of_runs, codes) in of_runs.iter_mut().zip(&*codes) {
                            of_runs[to..to + at.len()].copy_from_slice(&codes[at.clone()]);
                        }
                    }
                    let mut parts = [NOTHING; ROW / LANES];
                    for (number, (part, run)) in parts.iter_mut().zip(runs).enumerate() {
                        *part = of_run(number, view.seen.codes(run).values, d);
                    }
                    add(&of_runs, &parts[..runs.len()], columns, i == 0, sums);
                }
            }
            for r in 0..R {
                let out = simd::groups_mut::<S, V>(&mut out[r * dim + d * LANES..][..columns * LANES]);
                let by = simd.splat_f32s(scales[r]);
                for (out, sums) in out.iter_mut().zip(&sums[r]) {
                    let sums = simd::groups::<S, V>(&sums.map(|sum| sum as f32))[0];
                    *out = match keep[r] {
                        None => array::from_fn(|v| simd.mul_f32s(sums[v], by)),
                        Some(keep) => {
                            let keep = simd.splat_f32s(keep);
                            array::from_fn(|v| simd.mul_add_e_f32s(sums[v], by, simd.mul_f32s(out[v], keep)))
                        }
                    };
                }
            }
        }
    }
}

/// The values of a run, from the numbers `16 d` on, as the part of a tile that goes with lane group `group` of the
/// rows.
#[inline(always)]
fn of_run(group: usize, values: &[Vector], d: usize) -> Part<'_> {
    // Sixteen positions of sixteen numbers are eight vectors.
    let mut columns = NOTHING.columns;
    for (column, values) in columns.iter_mut().zip(values[d * LANES / 2..].chunks_exact(LANES / 2)) {
        *column = values;
    }
    Part { from: group * LANES / 2, columns }
}

/// `sums[r][c] += Σ codes[r] · values`.
#[inline(always)]
fn add<const R: usize>(codes: &[[i16; ROW]; R], parts: &[Part<'_>], columns: usize, fresh: bool, sums: &mut Sums) {
    let pairs = codes.as_flattened().as_chunks::<2>().0;
    let tile = Tile::<'_, 1, { ROW / 2 }> { rows: R, columns, pairs, steps: LANES / 2, parts, fresh };
    Dots::best().add(&tile, sums);
}

impl<'a> Seen<'a> {
    fn codes(&self, run: &Run) -> lanes::Codes<'a> {
        self.sequence.segment(run.segment).codes(self.layer, self.kv_head, run.from / LANES)
    }
}
