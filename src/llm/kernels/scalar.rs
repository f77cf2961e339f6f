//! The reference kernel, which all others must equal to the bit; also what runs where there are no vectors.
//!
//! Must stay as plain as the definition in [`super::tile`].

use super::arena::Line;
use super::packed::{PANEL, Packed};
use super::record::{GROUP, MASS, RECORD, SCALE};
use super::tile::{Rows, Scratch, Stretch, Tiles};

/// Plain loops over the definition.
#[derive(Clone, Copy)]
pub struct Scalar;

impl Tiles for Scalar {
    fn unpack<'a>(
        self,
        weights: &Packed,
        panel: &'a [Line],
        first: usize,
        groups: usize,
        scratch: &'a mut Scratch,
    ) -> Stretch<'a> {
        let count = weights.format.scales;
        for g in 0..groups {
            for column in 0..PANEL {
                for i in 0..GROUP {
                    let line = &mut scratch.codes[g * 16 + i / 4 * 2 + column / 16];
                    line.0[column % 16 * 4 + i % 4] = weights.code(panel, first + g, i, column);
                }
                for sub in 0..count {
                    let at = (g * count + sub) * PANEL + column;
                    (scratch.scales[at], scratch.mins[at]) = weights.scale_and_min(panel, first + g, sub, column);
                }
            }
        }
        scratch.stretch(weights.format.offset, groups)
    }

    #[allow(unsafe_code, reason = "see the trait")]
    unsafe fn tile<const SCALES: usize, const MIN: bool>(self, stretch: &Stretch<'_>, rows: &Rows) {
        for r in 0..rows.count {
            let groups = stretch.groups;
            // SAFETY: what the caller promises.
            let (words, half_masses, rests, sums) = unsafe {
                (
                    std::slice::from_raw_parts(rows.words, groups * RECORD * rows.count),
                    std::slice::from_raw_parts(rows.half_masses[r], groups),
                    rows.rests(0),
                    &mut *rows.sums.add(r * rows.stride).cast::<[f32; PANEL]>(),
                )
            };
            if rows.fresh {
                *sums = [0.0; PANEL];
            }
            // The codes of scale `sub` of group `g` times the weights of a column.
            let dot = |g: usize, sub: usize, column: usize, of_row: &dyn Fn(usize) -> i8| -> f32 {
                let product = |i: usize| {
                    let weight = stretch.codes[g * stretch.stride + i / 4 * 2 + column / 16].0[column % 16 * 4 + i % 4];
                    (i32::from(weight) - stretch.offset) * i32::from(of_row(i))
                };
                (sub * GROUP / SCALES..(sub + 1) * GROUP / SCALES).map(product).sum::<i32>() as f32
            };
            let at = |g: usize, sub: usize, column: usize| (g * SCALES + sub) * PANEL + column;
            for g in 0..groups {
                let word = |w: usize| words[(g * RECORD + w) * rows.count + r];
                let float = |w: usize| f32::from_bits(word(w));
                let code = |i: usize| word(i / 4).to_le_bytes()[i % 4] as i8;
                for (sub, half_mass) in half_masses[g].iter().enumerate().take(SCALES) {
                    let mass = if SCALES == 1 { float(MASS) } else { *half_mass };
                    for (column, sum) in sums.iter_mut().enumerate() {
                        let at = at(g, sub, column);
                        *sum = dot(g, sub, column, &code).mul_add(stretch.scales[at] * float(SCALE), *sum);
                        if MIN {
                            *sum = stretch.mins[at].mul_add(mass, *sum);
                        }
                    }
                }
            }
            for rest in rests.iter().filter(|rest| rest.row as usize == r) {
                let g = rest.group as usize - rows.first;
                for sub in 0..SCALES {
                    for (column, sum) in sums.iter_mut().enumerate() {
                        let factor = stretch.scales[at(g, sub, column)] * rest.scale;
                        *sum = dot(g, sub, column, &|i| rest.codes[i]).mul_add(factor, *sum);
                    }
                }
            }
        }
    }
}
