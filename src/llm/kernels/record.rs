//! How rounded rows lie in memory: the constants and types that whoever fills them and whoever reads them share.
//!
//! Must hold no code that fills or reads.

/// Two 16-bit codes that are summed over together.
pub type Pair = [i16; 2];

/// Numbers per scale.
pub const GROUP: usize = 32;

/// Most rows of a block: 6 rows of 32 outputs fill the registers of AVX-512.
pub const ROWS: usize = 6;

/// A group's words of 32 bits for each row of a block. Each stands beside that of the other rows: of `R` rows, row `r`
/// has its word `w` at `w R + r`. Words 0 to 7 hold its codes, four each; then come [`SCALE`], two words [`MINUS`], and
/// [`MASS`].
pub const RECORD: usize = 12;

/// The word of the scale, a float: four to seven quarters of a power of two from 2⁻⁹⁶ on, or not a number.
pub const SCALE: usize = 8;

/// The first of two words, integers: minus the sum of all codes, and of the second 16. Times the offset of the codes of
/// a type of weights, that is what its dot products begin with.
pub const MINUS: usize = 9;

/// The word of `Σ x` as rounded, a float: the factor of a block's minimum.
pub const MASS: usize = 11;

/// Words of a group for each row of a block, each beside that of the other rows, for kernels that add up in lanes of 16
/// bits: minus the sum of the first two, and of the second two, of every four codes. Of all codes, of the first 16, and
/// of the second 16.
pub const STARTS: usize = 3;

/// Groups whose products are summed before those of their rests are. A multiple of the groups of a span.
pub const STRETCH: usize = 16;

/// `Σ x` as rounded, of the first and the second 16 of a group; few products need it.
pub type HalfMasses = [f32; 2];

/// What the codes of one group left over: `x ≈ the group's scale * code + scale * rest`. One cache line, which begins
/// like the [`RECORD`] of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct Rest {
    /// The rests.
    pub codes: [i8; GROUP],
    /// Their scale.
    pub scale: f32,
    /// Minus their sum, and that of the second 16, see [`MINUS`].
    pub minus: [i32; 2],
    /// See [`STARTS`].
    pub starts: [u32; STARTS],
    /// Number of the group in its row.
    pub group: u32,
    /// Number of the row in its block.
    pub row: u32,
}

/// The rests of a block.
#[derive(Clone, Copy)]
pub struct Rests<'a> {
    /// Group after group, in each those of its rows in order.
    pub all: &'a [Rest],
    /// How many of them come before each stretch, and how many there are.
    pub ends: &'a [u32],
}

impl Default for Rest {
    fn default() -> Self {
        Self { codes: [0; GROUP], scale: 0.0, minus: [0; 2], starts: [0; STARTS], group: 0, row: 0 }
    }
}
