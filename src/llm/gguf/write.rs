//! Writes small GGUF files for tests, well-formed or broken on purpose.
//!
//! Must only be used in tests.
#![cfg(test)]

use std::io::Write as _;

/// A file in the making. Keys and tensors come out in the order in which they were put in, duplicates included.
#[derive(Clone, Default)]
pub(crate) struct GgufWriter {
    keys: Vec<(String, Vec<u8>)>,
    tensors: Vec<TestTensor>,
    alignment: Option<u32>,
}

#[derive(Clone)]
struct TestTensor {
    name: String,
    code: u32,
    /// As in the file: fastest first.
    dims: Vec<u64>,
    data: Vec<u8>,
    offset: Option<u64>,
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

impl GgufWriter {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A key whose type code and value bytes are given as they shall stand in the file.
    pub(crate) fn raw(mut self, key: &str, code: u32, value: &[u8]) -> Self {
        self.keys.push((key.to_owned(), [&code.to_le_bytes()[..], value].concat()));
        self
    }

    pub(crate) fn u32(self, key: &str, value: u32) -> Self {
        self.raw(key, 4, &value.to_le_bytes())
    }

    pub(crate) fn f32(self, key: &str, value: f32) -> Self {
        self.raw(key, 6, &value.to_le_bytes())
    }

    pub(crate) fn bool(self, key: &str, value: bool) -> Self {
        self.raw(key, 7, &[value.into()])
    }

    pub(crate) fn str(self, key: &str, value: &str) -> Self {
        self.raw(key, 8, &string(value))
    }

    fn array(self, key: &str, code: u32, count: usize, items: Vec<u8>) -> Self {
        let head = [&code.to_le_bytes()[..], &(count as u64).to_le_bytes()].concat();
        self.raw(key, 9, &[head, items].concat())
    }

    pub(crate) fn strings<S: AsRef<str>>(self, key: &str, values: &[S]) -> Self {
        self.array(key, 8, values.len(), values.iter().flat_map(|s| string(s.as_ref())).collect())
    }

    pub(crate) fn i32s(self, key: &str, values: &[i32]) -> Self {
        self.array(key, 5, values.len(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    pub(crate) fn f32s(self, key: &str, values: &[f32]) -> Self {
        self.array(key, 6, values.len(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// Sets `general.alignment` and aligns the data to it.
    pub(crate) fn alignment(mut self, alignment: u32) -> Self {
        self.alignment = Some(alignment);
        self.u32("general.alignment", alignment)
    }

    /// Leaves out a key that was put in.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.keys.retain(|(name, _)| name != key);
        self
    }

    /// A tensor with ggml type `code` and `shape`, slowest dimension first.
    pub(crate) fn tensor(mut self, name: &str, code: u32, shape: &[u64], data: &[u8]) -> Self {
        let dims = shape.iter().rev().copied().collect();
        self.tensors.push(TestTensor { name: name.to_owned(), code, dims, data: data.to_owned(), offset: None });
        self
    }

    /// A tensor of 32-bit floats.
    pub(crate) fn tensor_f32(self, name: &str, shape: &[u64], data: &[f32]) -> Self {
        let bytes: Vec<u8> = data.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.tensor(name, 0, shape, &bytes)
    }

    /// Lies about the last tensor's offset.
    pub(crate) fn at_offset(mut self, offset: u64) -> Self {
        self.tensors.last_mut().expect("a tensor was added").offset = Some(offset);
        self
    }

    /// Length of header and table, without padding.
    pub(crate) fn header_len(&self) -> usize {
        self.header().len()
    }

    fn align(&self) -> usize {
        self.alignment.map_or(32, |a| if a.is_power_of_two() { a as usize } else { 32 })
    }

    fn header(&self) -> Vec<u8> {
        let mut out = b"GGUF\x03\0\0\0".to_vec();
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            out.extend(string(key));
            out.extend(value);
        }
        let mut next = 0u64;
        for tensor in &self.tensors {
            out.extend(string(&tensor.name));
            out.extend((tensor.dims.len() as u32).to_le_bytes());
            tensor.dims.iter().for_each(|d| out.extend(d.to_le_bytes()));
            out.extend(tensor.code.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(next).to_le_bytes());
            next = (next + tensor.data.len() as u64).next_multiple_of(self.align() as u64);
        }
        out
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.header();
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(self.align()), 0);
            out.extend(&tensor.data);
        }
        out
    }

    /// The whole file on disk, removed when dropped.
    pub(crate) fn file(&self) -> tempfile::NamedTempFile {
        on_disk(&self.bytes())
    }

    /// The whole file, opened.
    pub(crate) fn open(&self) -> Result<super::GgufFile, super::GgufError> {
        super::GgufFile::open(self.file().path(), &crate::domain::Cancel::new())
    }
}

/// Puts bytes into a file that is removed when dropped.
pub(crate) fn on_disk(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("a temporary file can be written");
    file
}
