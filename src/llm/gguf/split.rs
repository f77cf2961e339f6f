//! Models in several files, as llama.cpp splits them: `NAME-00001-of-00003.gguf`, the metadata in the first.
//!
//! Must not read headers or tensor data: it says which files belong together.

use super::tensors::MAX_TENSORS;
use super::{GgufError, Metadata};
use crate::text::Escaped;
use std::path::{Path, PathBuf};

const NUMBER: &str = "split.no";
const COUNT: &str = "split.count";
const TENSORS: &str = "split.tensors.count";

/// The most parts; the largest models have some tens.
const MAX_PARTS: u32 = 512;

/// What a part says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// From 0.
    pub(super) number: u32,
    pub(super) count: u32,
    /// Tensors of all parts together.
    pub(super) tensors: Option<u32>,
}

impl Split {
    /// What `metadata` says; `None` for a file that is a whole model.
    pub(super) fn read(metadata: &Metadata) -> Result<Option<Self>, GgufError> {
        let Some(count) = metadata.u32(COUNT)?.filter(|count| *count > 1) else { return Ok(None) };
        let number = metadata.u32(NUMBER)?.ok_or_else(|| GgufError::missing_key(NUMBER))?;
        if count > MAX_PARTS {
            return Err(GgufError::key(COUNT, format!("{count} parts; at most {MAX_PARTS} are allowed")));
        }
        if number >= count {
            return Err(GgufError::key(NUMBER, format!("part {number}, counted from 0, of {count}")));
        }
        let tensors = metadata.u32(TENSORS)?;
        if let Some(tensors) = tensors.filter(|tensors| u64::from(*tensors) > MAX_TENSORS) {
            return Err(GgufError::key(TENSORS, format!("{tensors} tensors; at most {MAX_TENSORS} are allowed")));
        }
        Ok(Some(Self { number, count, tensors }))
    }

    /// Whether `other` is what part `number` of the same model says.
    pub(super) fn fits(self, other: Option<Self>, number: u32) -> bool {
        other.is_some_and(|other| {
            let tensors = self.tensors.zip(other.tensors).is_none_or(|(ours, theirs)| ours == theirs);
            (other.number, other.count) == (number, self.count) && tensors
        })
    }

    /// The files of all parts, in order, found beside `path`, the file of this one.
    pub(super) fn paths(self, path: &Path) -> Result<Vec<PathBuf>, GgufError> {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let Some(stem) = name.strip_suffix(self.ending(self.number).as_bytes()) else {
            return Err(GgufError::PartName {
                part: self.number + 1,
                count: self.count,
                ending: self.ending(self.number),
            });
        };
        let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let mut found: Vec<Option<PathBuf>> = (0..self.count).map(|_| None).collect();
        let reading = |source| GgufError::Io { doing: "look for the other parts of", source };
        // By comparing names, since names that are no text cannot be put together from parts.
        for entry in std::fs::read_dir(folder).map_err(reading)? {
            let name = entry.map_err(reading)?.file_name();
            let Some(ending) = name.as_encoded_bytes().strip_prefix(stem) else { continue };
            for (number, slot) in (0..self.count).zip(&mut found) {
                if ending == self.ending(number).as_bytes() {
                    *slot = Some(folder.join(&name));
                }
            }
        }
        let stem = String::from_utf8_lossy(stem).into_owned();
        let numbered = (0..self.count).zip(found);
        let path = |(number, slot): (u32, Option<PathBuf>)| {
            slot.ok_or_else(|| GgufError::MissingPart {
                part: number + 1,
                count: self.count,
                name: Escaped::line(&(stem.clone() + &self.ending(number))),
            })
        };
        numbered.map(path).collect()
    }

    /// How the name of part `number` (from 0) ends.
    fn ending(self, number: u32) -> String {
        format!("-{:05}-of-{:05}.gguf", number + 1, self.count)
    }
}
