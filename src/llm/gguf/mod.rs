//! Reads GGUF model files (versions 2 and 3, little-endian) and checks everything in the header before any of it is
//! used.
//!
//! Must not trust a number of the file, must not map it into memory, and must not know what a model does with its
//! tensors. Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod dequant;
mod error;
mod metadata;
mod source;
mod split;
mod tensors;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod write;

pub use dequant::dequantize_into;
pub(super) use dequant::{aligned, quantized};
pub use error::GgufError;
pub use metadata::{Metadata, StringList};
pub use tensors::{GgmlType, TensorInfo};

use crate::domain::{Cancel, Digest};
use sha2::{Digest as _, Sha256};
use source::Source;
use split::Split;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The most that tensor data may be aligned to; files have 32.
const MAX_ALIGNMENT: u32 = 1 << 16;

/// An open model whose header was checked: one file, or several that were split. Tensor data is read when asked for.
#[derive(Debug)]
pub struct GgufFile {
    parts: Vec<Part>,
    metadata: Metadata,
    tensors: tensors::Tensors,
}

/// One of a model's files.
#[derive(Debug)]
struct Part {
    file: Mutex<File>,
    len: u64,
}

/// A tensor's bytes as they stand in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorData {
    /// Its name, for errors.
    pub name: String,
    /// How the numbers are stored; never [`GgmlType::Other`].
    pub dtype: GgmlType,
    /// Dimensions, slowest first.
    pub shape: Vec<usize>,
    /// Whole blocks, exactly as many as the shape needs.
    pub bytes: Vec<u8>,
}

impl TensorData {
    /// All numbers as 32-bit floats, in row-major order.
    pub fn to_f32(&self) -> Result<Vec<f32>, GgufError> {
        let mut out = vec![0.0; self.shape.iter().product()];
        dequantize_into(self.dtype, &self.bytes, &mut out).map_err(|what| self.error(what))?;
        Ok(out)
    }

    /// An error about this tensor.
    pub fn error(&self, what: impl AsRef<str>) -> GgufError {
        GgufError::tensor(&self.name, what)
    }
}

impl GgufFile {
    /// Opens a file, and with any part of a split model all its parts, and checks their headers: takes milliseconds,
    /// and never more memory than a small multiple of 64 MiB.
    ///
    /// # Errors
    /// [`GgufError`] says what is wrong, where, and (by its hint) what to do.
    pub fn open(path: &Path, cancel: &Cancel) -> Result<Self, GgufError> {
        let one = Self::open_one(path, 0, 0, cancel)?;
        let Some(split) = Split::read(&one.metadata)? else { return Ok(one) };
        let mut whole: Option<Self> = None;
        for (number, path) in (0..split.count).zip(split.paths(path)?) {
            let in_part = |error| GgufError::in_part(&path, error);
            let before = whole.as_ref().map_or(0, |whole| whole.tensors.len() as u64);
            let part = Self::open_one(&path, number, before, cancel).map_err(in_part)?;
            if !split.fits(Split::read(&part.metadata).map_err(in_part)?, number) {
                let problem = format!("it does not say that it is part {} of {}", number + 1, split.count);
                return Err(in_part(GgufError::key("split.no", problem)));
            }
            match &mut whole {
                None => whole = Some(part),
                Some(whole) => whole.add(part).map_err(in_part)?,
            }
        }
        let whole = whole.unwrap_or(one);
        match split.tensors {
            Some(count) if count as usize != whole.tensors.len() => {
                let problem = format!("the parts have {} tensors instead of {count}", whole.tensors.len());
                Err(GgufError::key("split.tensors.count", problem))
            }
            _ => Ok(whole),
        }
    }

    /// Takes the next part of the model. Its metadata says nothing that the first part's does not.
    fn add(&mut self, part: Self) -> Result<(), GgufError> {
        for (name, info) in part.tensors {
            if self.tensors.contains_key(&name) {
                return Err(GgufError::tensor(&name, "it stands in an earlier part too"));
            }
            self.tensors.insert(name, info);
        }
        self.parts.extend(part.parts);
        Ok(())
    }

    /// Opens part `part` of a model whose earlier parts have `before` tensors.
    fn open_one(path: &Path, part: u32, before: u64, cancel: &Cancel) -> Result<Self, GgufError> {
        let opening = |source| GgufError::Io { doing: "open", source };
        // Before opening: a named pipe would wait for a writer.
        if !std::fs::metadata(path).map_err(opening)?.is_file() {
            return Err(GgufError::NotAFile);
        }
        let file = File::open(path).map_err(opening)?;
        let len = file.metadata().map_err(opening)?.len();
        let mut source = Source::new(BufReader::with_capacity(1 << 16, &file), len, cancel);
        let (metadata, mut tensors) = read_header(&mut source, len, before)?;
        tensors.values_mut().for_each(|info| info.part = part);
        Ok(Self { parts: vec![Part { file: Mutex::new(file), len }], metadata, tensors })
    }

    /// The keys and values.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Length of the file, or of all parts together, in bytes.
    pub fn file_len(&self) -> u64 {
        self.parts.iter().map(|part| part.len).sum()
    }

    /// All tensors, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        self.tensors.iter().map(|(name, info)| (name.as_str(), info))
    }

    /// What a tensor is, without reading it.
    pub fn tensor_info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// Reads a tensor's bytes.
    ///
    /// # Errors
    /// Where it is missing, of a type that cannot be read, or where the file was cut or cannot be read any more.
    pub fn tensor(&self, name: &str) -> Result<TensorData, GgufError> {
        let missing = || GgufError::MissingTensor { name: crate::text::Escaped::line(name) };
        let info = self.tensors.get(name).ok_or_else(missing)?;
        let size = info.size.ok_or_else(|| GgufError::tensor(name, format!("{} cannot be read", info.dtype)))?;
        let len = usize::try_from(size).map_err(|_| GgufError::tensor(name, "too large for this machine"))?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| GgufError::tensor(name, format!("no memory for its {len} bytes")))?;
        let part = self.parts.get(info.part as usize).ok_or_else(missing)?;
        let mut file = part.lock();
        let reading = |source| GgufError::Io { doing: "read", source };
        file.seek(SeekFrom::Start(info.offset)).map_err(reading)?;
        Read::by_ref(&mut *file).take(size).read_to_end(&mut bytes).map_err(reading)?;
        if bytes.len() != len {
            return Err(GgufError::Truncated {
                what: crate::text::Escaped::line(&format!("tensor `{name}`")),
                at: info.offset,
                needed: size,
                file_len: info.offset + bytes.len() as u64,
            });
        }
        Ok(TensorData { name: name.to_owned(), dtype: info.dtype, shape: info.shape.clone(), bytes })
    }

    /// Reads a tensor and widens it to 32-bit floats, row-major.
    pub fn dequantize(&self, name: &str) -> Result<Vec<f32>, GgufError> {
        self.tensor(name)?.to_f32()
    }

    /// SHA-256 of the whole file, or of all parts one behind the other, read through the handles that the headers came
    /// from. `progress` gets bytes done and in all.
    pub fn sha256(&self, progress: &mut dyn FnMut(u64, u64), cancel: &Cancel) -> Result<Digest, GgufError> {
        let reading = |source| GgufError::Io { doing: "read", source };
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        let (mut done, all) = (0u64, self.file_len());
        for part in &self.parts {
            let mut file = part.lock();
            file.seek(SeekFrom::Start(0)).map_err(reading)?;
            loop {
                if cancel.is_cancelled() {
                    return Err(GgufError::Cancelled);
                }
                let n = match file.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => n,
                    Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                    Err(source) => return Err(reading(source)),
                };
                hasher.update(buffer.get(..n).unwrap_or_default());
                done += n as u64;
                progress(done, all.max(done));
            }
        }
        Ok(Digest::from_bytes(hasher.finalize().into()))
    }
}

impl Part {
    fn lock(&self) -> std::sync::MutexGuard<'_, File> {
        // Every reader seeks first, so a reader that panicked leaves nothing half done.
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The header of a file that holds `bytes` and nothing else: its keys, and its tensors by name.
///
/// # Errors
/// As [`GgufFile::open`].
pub fn header_of(bytes: &[u8], cancel: &Cancel) -> Result<(Metadata, Vec<(String, TensorInfo)>), GgufError> {
    let len = bytes.len() as u64;
    let (metadata, tensors) = read_header(&mut Source::new(bytes, len, cancel), len, 0)?;
    Ok((metadata, tensors.into_iter().collect()))
}

fn read_header<R: Read>(
    source: &mut Source<'_, R>,
    file_len: u64,
    before: u64,
) -> Result<(Metadata, tensors::Tensors), GgufError> {
    let magic = source.u32("the magic number")?.to_le_bytes();
    if magic != *b"GGUF" {
        let shown = magic.map(|b| char::from(b).to_string()).concat();
        return Err(GgufError::header(0, format!("it begins with `{shown}` instead of `GGUF`")));
    }
    match source.u32("the version")? {
        2 | 3 => {}
        1 => return Err(GgufError::header(4, "version 1 of GGUF, which is no longer in use")),
        v if (1..=3).contains(&v.swap_bytes()) => {
            return Err(GgufError::header(4, "a big-endian file; only little-endian is read"));
        }
        v => return Err(GgufError::header(4, format!("version {v} of GGUF; 2 and 3 are known"))),
    }
    let tensor_count = source.u64("the number of tensors")?;
    let key_count = source.u64("the number of keys")?;
    let metadata = Metadata::read(source, key_count)?;
    let alignment = metadata.u32("general.alignment")?.unwrap_or(32);
    if !alignment.is_power_of_two() || alignment > MAX_ALIGNMENT {
        let problem = format!("{alignment} is no power of two from 1 to {MAX_ALIGNMENT}");
        return Err(GgufError::key("general.alignment", problem));
    }
    let mut tensors = tensors::read(source, tensor_count, before)?;
    let data_start = source.at().next_multiple_of(u64::from(alignment));
    tensors::place(&mut tensors, data_start, u64::from(alignment), file_len)?;
    Ok((metadata, tensors))
}
