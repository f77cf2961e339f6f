//! The tensor table of a model file: names, types, shapes and where the bytes are, all checked against the file.
//!
//! Must not read tensor data.

use super::GgufError;
use super::source::Source;
use std::collections::BTreeMap;
use std::io::Read;

/// The most tensors of a model, in all its parts; the largest mixtures of experts have some tens of thousands.
pub(super) const MAX_TENSORS: u64 = 1 << 16;
/// The longest tensor name in bytes (ggml itself: 64).
const MAX_NAME: u64 = 256;
/// The most dimensions (ggml: 4).
const MAX_DIMS: u32 = 4;

/// How the numbers of a tensor are stored. Names, codes and block sizes as in ggml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "the names of the field")]
pub enum GgmlType {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// 16-bit brain floats.
    BF16,
    /// 4 bits, one scale per 32.
    Q4_0,
    /// 4 bits, scale and minimum per 32.
    Q4_1,
    /// 5 bits, one scale per 32.
    Q5_0,
    /// 5 bits, scale and minimum per 32.
    Q5_1,
    /// 8 bits, one scale per 32.
    Q8_0,
    /// 2 bits in super-blocks of 256.
    Q2_K,
    /// 3 bits in super-blocks of 256.
    Q3_K,
    /// 4 bits in super-blocks of 256.
    Q4_K,
    /// 5 bits in super-blocks of 256.
    Q5_K,
    /// 6 bits in super-blocks of 256.
    Q6_K,
    /// A type that cannot be read (yet), by its code.
    Other(u32),
}

impl GgmlType {
    /// All that can be read: floats first, then the quantised ones.
    #[cfg(test)]
    pub const ALL: [Self; 13] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q2_K,
        Self::Q3_K,
        Self::Q4_K,
        Self::Q5_K,
        Self::Q6_K,
    ];

    fn from_code(code: u32) -> Self {
        match code {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            10 => Self::Q2_K,
            11 => Self::Q3_K,
            12 => Self::Q4_K,
            13 => Self::Q5_K,
            14 => Self::Q6_K,
            30 => Self::BF16,
            other => Self::Other(other),
        }
    }

    /// Elements and bytes of one block; `None` for a type that cannot be read.
    pub const fn block(self) -> Option<(usize, usize)> {
        Some(match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::BF16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q2_K => (256, 84),
            Self::Q3_K => (256, 110),
            Self::Q4_K => (256, 144),
            Self::Q5_K => (256, 176),
            Self::Q6_K => (256, 210),
            Self::Other(_) => return None,
        })
    }
}

impl std::fmt::Display for GgmlType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Other(code) => match other_name(*code) {
                Some(name) => f.pad(name),
                None => write!(f, "type {code}"),
            },
            known => write!(f, "{known:?}"),
        }
    }
}

/// Names of types that are known to exist, so that an error can say which one a file uses.
const fn other_name(code: u32) -> Option<&'static str> {
    Some(match code {
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return None,
    })
}

/// One tensor: what it is and where its bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// How its numbers are stored.
    pub dtype: GgmlType,
    /// Its dimensions, slowest first: a matrix is `[rows, columns]` and each row is contiguous. Never empty, no zero.
    pub shape: Vec<usize>,
    /// Which of a split model's files it is in, from 0.
    pub part: u32,
    /// Its first byte in the file.
    pub offset: u64,
    /// Its length in bytes; `None` for a type that cannot be read.
    pub size: Option<u64>,
}

impl TensorInfo {
    /// How many numbers it has.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// All tensors by name.
pub(super) type Tensors = BTreeMap<String, TensorInfo>;

/// Reads `count` entries; offsets are still relative to the data section.
pub(super) fn read<R: Read>(source: &mut Source<'_, R>, count: u64, before: u64) -> Result<Tensors, GgufError> {
    if count.saturating_add(before) > MAX_TENSORS {
        let more = if before > 0 { format!(" after {before} in earlier parts") } else { String::new() };
        return Err(GgufError::header(8, format!("{count} tensors{more}; at most {MAX_TENSORS} are allowed")));
    }
    let mut all = Tensors::new();
    for index in 0..count {
        source.check_cancel()?;
        let at = source.at();
        let name = source.string(&format!("name of tensor {index} of {count}"), MAX_NAME)?;
        let info = read_info(source, &name)?;
        if all.contains_key(&name) {
            return Err(GgufError::header(at, format!("tensor `{name}` stands there twice")));
        }
        all.insert(name, info);
    }
    Ok(all)
}

fn read_info<R: Read>(source: &mut Source<'_, R>, name: &str) -> Result<TensorInfo, GgufError> {
    let what = format!("description of tensor `{name}`");
    let dims = source.u32(&what)?;
    if dims == 0 || dims > MAX_DIMS {
        return Err(GgufError::tensor(name, format!("{dims} dimensions; 1 to {MAX_DIMS} are allowed")));
    }
    let mut sizes = Vec::new();
    for _ in 0..dims {
        sizes.push(source.u64(&what)?);
    }
    if sizes.contains(&0) {
        return Err(GgufError::tensor(name, "a dimension of size 0"));
    }
    // The product must also fit the signed 64 bits in which other programs count.
    let elements = sizes.iter().try_fold(1u64, |all, n| all.checked_mul(*n)).filter(|n| i64::try_from(*n).is_ok());
    let Some(elements) = elements else {
        return Err(GgufError::tensor(name, format!("the product of its dimensions {sizes:?} overflows 63 bits")));
    };
    let dtype = GgmlType::from_code(source.u32(&what)?);
    let offset = source.u64(&what)?;
    let size = match dtype.block() {
        None => None,
        Some((per_block, bytes)) => {
            let row = sizes.first().copied().unwrap_or(0);
            if row % per_block as u64 != 0 {
                return Err(GgufError::tensor(
                    name,
                    format!("its rows have {row} numbers, which is no multiple of the {per_block} in a {dtype} block"),
                ));
            }
            let size = (elements / per_block as u64).checked_mul(bytes as u64);
            Some(size.ok_or_else(|| GgufError::tensor(name, "its size in bytes overflows 64 bits"))?)
        }
    };
    let shape = sizes.iter().rev().map(|n| usize::try_from(*n));
    let shape =
        shape.collect::<Result<Vec<_>, _>>().map_err(|_| GgufError::tensor(name, "a dimension is too large"))?;
    Ok(TensorInfo { dtype, shape, part: 0, offset, size })
}

/// Checks every place against the file and makes offsets absolute.
///
/// Rules: aligned, inside the file, no two tensors share a byte. A tensor of unknown type has an unknown end; its first
/// byte must still lie inside the file and inside no other tensor.
pub(super) fn place(all: &mut Tensors, data_start: u64, alignment: u64, file_len: u64) -> Result<(), GgufError> {
    for (name, info) in all.iter_mut() {
        if !info.offset.is_multiple_of(alignment) {
            let problem = format!("its offset {} is no multiple of the alignment {alignment}", info.offset);
            return Err(GgufError::tensor(name, problem));
        }
        let start = data_start.checked_add(info.offset);
        let end = start.and_then(|start| start.checked_add(info.size.unwrap_or(1)));
        let (Some(start), Some(end)) = (start, end) else {
            return Err(GgufError::tensor(name, format!("its offset {} overflows 64 bits", info.offset)));
        };
        if end > file_len {
            return Err(GgufError::Truncated {
                what: crate::text::Escaped::line(&format!("tensor `{name}`")),
                at: start,
                needed: info.size.unwrap_or(1),
                file_len,
            });
        }
        info.offset = start;
    }
    let mut by_place: Vec<_> = all.iter().map(|(name, info)| (info.offset, info.size.unwrap_or(1), name)).collect();
    by_place.sort_unstable();
    for pair in by_place.windows(2) {
        let [(start, size, first), (next, _, second)] = pair else { continue };
        if start + size > *next {
            let problem = format!("it begins at byte {next}, inside tensor `{first}`, which ends at {}", start + size);
            return Err(GgufError::tensor(second, problem));
        }
    }
    Ok(())
}
