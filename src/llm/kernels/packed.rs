//! Weight matrices in the form the kernels read: panels of 32 outputs, one stream of bytes each, in the order of use.
//!
//! Must hold exactly the numbers of the file's blocks (codes whose scale is zero become the code for zero), in nearly
//! as few bits: reading the weights limits the speed of decode.
//!
//! A panel is a row of spans (32 inputs, or 256 for nested scales): `[scale f16 × 32][min f16 × 32]` for nested types,
//! then groups of 32 inputs. A group is `[codes][scales][mins]`. Codes stand as 16 vectors of 64 bytes; vector
//! `2 s + h` holds inputs `4 s .. 4 s + 4` of outputs `16 h .. 16 h + 16`, four bytes to an output. Of codes of 4 to 6
//! bits, vectors 0–7 have their low four bits in the low halves of 8 stored vectors, vectors 8–15 in the high halves;
//! the fifth (and sixth) bits follow as 2 (4) vectors of as many bits for each of 8 (4) of the 16, see [`plane`].

use super::arena::{Arena, Line, Region};
use super::blocks::{Block, Format};
use super::record::GROUP;
use half::f16;
use rayon::prelude::*;
use std::array;

/// Outputs per panel.
pub const PANEL: usize = 32;

/// Bytes of the unpacked codes of one group of a panel.
pub const GROUP_CODES: usize = PANEL * GROUP;

/// Where things stand in a panel, in bytes. All are multiples of 64.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Before the groups of a span.
    pub header: usize,
    /// Of one group.
    pub group: usize,
    /// Groups per span.
    pub groups_per_span: usize,
    /// From a group's start to its scales.
    pub scales: usize,
    /// From a group's start to its minima.
    pub mins: usize,
}

impl Layout {
    /// Of a format.
    pub fn of(format: &Format) -> Self {
        let codes = GROUP_CODES * format.bits / 8;
        let per_scale = if format.nested { 1 } else { 2 };
        let scales = PANEL * format.scales * per_scale;
        let mins = if format.min { scales } else { 0 };
        Self {
            header: if !format.nested { 0 } else { PANEL * if format.min { 4 } else { 2 } },
            group: (codes + scales + mins).next_multiple_of(64),
            groups_per_span: format.span() / GROUP,
            scales: codes,
            mins: codes + scales,
        }
    }

    /// Where group `g` of a panel begins.
    #[inline]
    pub fn group_at(&self, g: usize) -> usize {
        g * self.group + if self.header > 0 { (g / self.groups_per_span + 1) * self.header } else { 0 }
    }

    /// Where the span of group `g` begins.
    pub fn span_at(&self, g: usize) -> usize {
        g / self.groups_per_span * (self.header + self.groups_per_span * self.group)
    }
}

/// A packed matrix.
#[derive(Debug)]
pub struct Packed {
    /// How its codes and scales are kept.
    pub format: Format,
    /// Where things stand in a panel.
    pub layout: Layout,
    /// Length of a row.
    pub inputs: usize,
    /// Number of rows.
    pub outputs: usize,
    region: Region,
    panel_lines: usize,
}

impl Packed {
    /// Packs `bytes`, the rows of a matrix `[outputs][inputs]`, one after the other in whole blocks.
    ///
    /// # Errors
    /// In words, where the bytes are not that, a scale is no finite number, or memory is short.
    pub fn new(arena: &mut Arena, format: Format, outputs: usize, inputs: usize, bytes: &[u8]) -> Result<Self, String> {
        let span = format.span();
        let (_, block_bytes) = format.dtype.block().unwrap_or((span, 0));
        let row_bytes = inputs / span * block_bytes;
        if !inputs.is_multiple_of(span) || row_bytes.checked_mul(outputs) != Some(bytes.len()) || bytes.is_empty() {
            let shape = format!("{outputs} rows of {inputs} numbers");
            return Err(format!("{} bytes of {} are not {shape}", bytes.len(), format.dtype));
        }
        let layout = Layout::of(&format);
        let panel_lines = inputs / span * (layout.header + layout.groups_per_span * layout.group) / 64;
        let region = arena.take(panel_lines * outputs.div_ceil(PANEL));
        let mut region = region.map_err(|e| format!("no memory for {outputs} rows of {inputs} numbers: {e}"))?;
        region.lines_mut().par_chunks_mut(panel_lines).zip(bytes.par_chunks(row_bytes * PANEL)).try_for_each_init(
            || array::from_fn(|_| Block::default()),
            |blocks: &mut [Block; PANEL], (panel, rows)| {
                for s in 0..inputs / span {
                    for (block, row) in blocks.iter_mut().zip(rows.chunks_exact(row_bytes)) {
                        block.read(format.dtype, &row[s * block_bytes..(s + 1) * block_bytes]);
                        block.settle(&format)?;
                    }
                    blocks[rows.len() / row_bytes..].fill_with(Block::default);
                    write_span(&format, &layout, panel, s * layout.groups_per_span, blocks);
                }
                Ok::<(), String>(())
            },
        )?;
        Ok(Self { format, layout, inputs, outputs, region, panel_lines })
    }

    /// Number of panels; the last may have outputs that do not exist, with zero weights.
    pub fn panels(&self) -> usize {
        self.outputs.div_ceil(PANEL)
    }

    /// Groups of 32 inputs.
    pub fn groups(&self) -> usize {
        self.inputs / GROUP
    }

    /// The stream of panel `p`.
    pub fn panel(&self, p: usize) -> &[Line] {
        &self.region.lines()[p * self.panel_lines..(p + 1) * self.panel_lines]
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.region.lines().len() * 64
    }

    /// The weights of output `row` as floats; `out` is `[inputs]`.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        let (panel, column) = (self.panel(row / PANEL), row % PANEL);
        let per_scale = GROUP / self.format.scales;
        for (g, out) in out.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
            for (sub, out) in out.chunks_exact_mut(per_scale).enumerate() {
                let (scale, min) = self.scale_and_min(panel, g, sub, column);
                for (i, out) in out.iter_mut().enumerate() {
                    let code = self.code(panel, g, sub * per_scale + i, column);
                    *out = scale * (i32::from(code) - self.format.offset) as f32 + min;
                }
            }
        }
    }

    /// The code of input `i` of group `g`.
    pub fn code(&self, panel: &[Line], g: usize, i: usize, column: usize) -> u8 {
        let at = self.layout.group_at(g);
        let (vector, byte) = place(i, column);
        if self.format.bits == 8 {
            return get(panel, at + vector * 64 + byte);
        }
        let low = get(panel, at + vector % 8 * 64 + byte) >> (vector / 8 * 4) & 15;
        if self.format.bits == 4 {
            return low;
        }
        let (plane, shift) = plane(self.format.bits, vector);
        let high = get(panel, at + GROUP_CODES / 2 + plane * 64 + byte) >> shift;
        low | (high & ((1 << (self.format.bits - 4)) - 1)) << 4
    }

    /// Scale and minimum number `sub` of group `g`, multiplied out: both are exact products of numbers of 11 and 7
    /// bits.
    pub fn scale_and_min(&self, panel: &[Line], g: usize, sub: usize, column: usize) -> (f32, f32) {
        let (at, span) = (self.layout.group_at(g), self.layout.span_at(g));
        let half = |at: usize| f16::from_le_bytes([get(panel, at), get(panel, at + 1)]).to_f32();
        let number = |from: usize, of_span: usize| {
            if self.format.nested {
                f32::from(get(panel, from + sub * PANEL + column) as i8) * half(of_span + column * 2)
            } else {
                half(from + (sub * PANEL + column) * 2)
            }
        };
        let scale = number(at + self.layout.scales, span);
        (scale, if self.format.min { number(at + self.layout.mins, span + PANEL * 2) } else { 0.0 })
    }
}

/// Which vector and which of its bytes input `i` of a group has at `column`.
fn place(i: usize, column: usize) -> (usize, usize) {
    (i / 4 * 2 + column / 16, column % 16 * 4 + i % 4)
}

/// Where the bits of `vector` beyond the fourth are, in codes of 5 or 6 `bits`: in which of the vectors that follow the
/// low bits, and how far up in each of its bytes.
pub const fn plane(bits: usize, vector: usize) -> (usize, usize) {
    let more = bits - 4;
    (vector % (2 * more), vector / (2 * more) * more)
}

/// Bytes of a group in a panel, see [`Layout`].
pub const fn group_bytes(bits: usize, scales: usize, min: bool, nested: bool) -> usize {
    let numbers = PANEL * scales * if nested { 1 } else { 2 } * if min { 2 } else { 1 };
    (GROUP_CODES * bits / 8 + numbers).next_multiple_of(64)
}

/// The code that stands for zero, for types without minima, as a power of two.
pub const fn log_offset(bits: usize, scales: usize) -> usize {
    if scales == 2 && bits == 4 { 2 } else { bits - 1 }
}

fn get(lines: &[Line], at: usize) -> u8 {
    lines[at / 64].0[at % 64]
}

fn byte(lines: &mut [Line], at: usize) -> &mut u8 {
    &mut lines[at / 64].0[at % 64]
}

/// Writes the blocks of 32 outputs, whose first group is `first`, into a panel that holds zeros there.
fn write_span(format: &Format, layout: &Layout, panel: &mut [Line], first: usize, blocks: &[Block; PANEL]) {
    let halves = |line: &mut Line, number: fn(&Block) -> u16| {
        for (to, block) in line.0.as_chunks_mut().0.iter_mut().zip(blocks) {
            *to = number(block).to_le_bytes();
        }
    };
    let at = if format.nested { layout.span_at(first) } else { layout.group_at(first) + layout.scales } / 64;
    halves(&mut panel[at], |block| block.scale);
    if format.min {
        halves(&mut panel[at + 1], |block| block.min);
    }
    for g in 0..layout.groups_per_span {
        let group = &mut panel[layout.group_at(first + g) / 64..][..layout.group / 64];
        for sub in 0..if format.nested { format.scales } else { 0 } {
            let number = g * format.scales + sub;
            for (column, block) in blocks.iter().enumerate() {
                *byte(group, layout.scales + sub * PANEL + column) = block.scales[number] as u8;
                if format.min {
                    *byte(group, layout.mins + sub * PANEL + column) = block.mins[number] as u8;
                }
            }
        }
        write_codes(format.bits, group, &spread(g, blocks));
    }
}

/// The codes of group `g` of each block, as vectors of a byte each.
fn spread(g: usize, blocks: &[Block; PANEL]) -> [[u8; 64]; 16] {
    let mut vectors = [[0; 64]; 16];
    for (column, block) in blocks.iter().enumerate() {
        let codes = &block.codes[g * GROUP..(g + 1) * GROUP];
        for (s, four) in codes.as_chunks::<4>().0.iter().enumerate() {
            vectors[s * 2 + column / 16].as_chunks_mut().0[column % 16] = *four;
        }
    }
    vectors
}

/// Writes the vectors of a group with as few bits as they need.
fn write_codes(bits: usize, group: &mut [Line], vectors: &[[u8; 64]; 16]) {
    if bits == 8 {
        group.iter_mut().zip(vectors).for_each(|(line, vector)| line.0 = *vector);
        return;
    }
    let (low, high) = group.split_at_mut(8);
    for (v, line) in low.iter_mut().enumerate() {
        for (i, byte) in line.0.iter_mut().enumerate() {
            *byte = vectors[v][i] & 15 | vectors[v + 8][i] << 4;
        }
    }
    for (v, vector) in vectors.iter().enumerate().take(if bits > 4 { 16 } else { 0 }) {
        let (plane, shift) = plane(bits, v);
        for (byte, code) in high[plane].0.iter_mut().zip(vector) {
            *byte |= code >> 4 << shift;
        }
    }
}
