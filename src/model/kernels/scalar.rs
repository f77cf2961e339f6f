//! The reference kernel, which all others must equal to the bit; also what runs where there are no vectors.
//!
//! Must stay as plain as the definition in [`super::tile`].

use super::activations::GROUP;
use super::arena::Line;
use super::packed::{PANEL, Packed};
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
            let (codes, rests, scales, sums) = unsafe {
                (
                    std::slice::from_raw_parts(rows.codes[r], groups * GROUP),
                    std::slice::from_raw_parts(rows.rests[r], groups * GROUP),
                    std::slice::from_raw_parts(rows.scales[r], groups),
                    &mut *rows.sums[r].cast::<[f32; PANEL]>(),
                )
            };
            if rows.fresh {
                *sums = [0.0; PANEL];
            }
            let order = (0..groups).map(|g| (g, false)).chain((0..groups).map(|g| (g, true)));
            for (g, rest) in order.filter(|(g, rest)| !rest || scales[*g].rest_scale != 0.0) {
                let of_row = &scales[g];
                let (codes, rests) = (&codes[g * GROUP..(g + 1) * GROUP], &rests[g * GROUP..(g + 1) * GROUP]);
                let vectors = &stretch.codes[g * stretch.stride..];
                for sub in 0..SCALES {
                    let inputs = sub * GROUP / SCALES..(sub + 1) * GROUP / SCALES;
                    let mass = if SCALES == 1 { of_row.mass } else { of_row.half_mass[sub] };
                    for (column, sum) in sums.iter_mut().enumerate() {
                        let at = (g * SCALES + sub) * PANEL + column;
                        let dot = |codes: &[i8]| -> f32 {
                            let product = |i: usize| {
                                let code = vectors[i / 4 * 2 + column / 16].0[column % 16 * 4 + i % 4];
                                (i32::from(code) - stretch.offset) * i32::from(codes[i])
                            };
                            inputs.clone().map(product).sum::<i32>() as f32
                        };
                        if rest {
                            *sum = dot(rests).mul_add(stretch.scales[at] * of_row.rest_scale, *sum);
                            continue;
                        }
                        *sum = dot(codes).mul_add(stretch.scales[at] * of_row.scale, *sum);
                        if MIN {
                            *sum = stretch.mins[at].mul_add(mass, *sum);
                        }
                    }
                }
            }
        }
    }
}
