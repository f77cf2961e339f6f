//! How fast a model reads and writes on this machine: the figures of `bench`.
//!
//! Must measure the very code that answers questions, and must not change anything that it computes.

use super::LlmError;
use super::decoder::{Decoder, Row};
use super::device::Processor;
use super::gguf::GgufFile;
use super::kernels::isa::Isa;
use super::kernels::probe;
use super::kv::Sequence;
use super::linear::Arithmetic;
use super::scoring::{self, Pace};
use crate::domain::{Cancel, Device};
use std::path::Path;
use std::time::Instant;

/// Tokens that are written for a figure of writing.
const WRITTEN: usize = 48;

/// A model to measure.
pub struct Measured {
    decoder: Decoder,
    repeats: usize,
    cancel: Cancel,
}

/// What the machine can do at most, all threads together.
#[derive(Clone, Copy, Debug)]
pub struct Roof {
    /// Products of bytes, in 10⁹ a second.
    pub int8_gmacs: f64,
    /// Bytes from memory, in 10⁹ a second.
    pub memory_gb: f64,
}

impl Measured {
    /// Opens a GGUF file; each figure is the median of `repeats` runs.
    ///
    /// # Errors
    /// As for opening a judge.
    pub fn open(
        path: &Path,
        threads: usize,
        device: Device,
        repeats: usize,
        cancel: &Cancel,
    ) -> Result<Self, LlmError> {
        let arithmetic = Processor::open(device)?.map_or(Arithmetic::Integers, Arithmetic::On);
        let file = GgufFile::open(path, cancel)?;
        let decoder = Decoder::load(&file, arithmetic, threads, &mut |_| {}, cancel)?;
        Ok(Self { decoder, repeats: repeats.max(1), cancel: cancel.clone() })
    }

    /// Threads that compute.
    pub fn threads(&self) -> usize {
        self.decoder.pool().threads()
    }

    /// Where the weights are multiplied.
    pub fn device(&self) -> &str {
        self.decoder.device()
    }

    /// What computes: instruction sets, and a device's model.
    pub fn isa(&self) -> String {
        self.decoder.isa()
    }

    /// Bytes of weights that every written token reads.
    pub fn weight_bytes(&self) -> usize {
        self.decoder.weight_bytes()
    }

    /// Products that every token read costs in the layers.
    pub fn products_per_token(&self) -> usize {
        self.decoder.products_per_token()
    }

    /// The machine's limits.
    ///
    /// # Errors
    /// Cancelled.
    pub fn roof(&self) -> Result<Roof, LlmError> {
        let (pool, stop) = (self.decoder.pool(), || self.cancel.is_cancelled());
        let int8_gmacs = probe::int8_peak(pool, Isa::best(), &stop);
        let roof = Roof { int8_gmacs, memory_gb: probe::memory_bandwidth(pool, &stop) };
        if stop() { Err(LlmError::Cancelled) } else { Ok(roof) }
    }

    /// Tokens a second when a prompt of `len` tokens is read.
    ///
    /// # Errors
    /// Cancelled, or the context is shorter.
    pub fn prefill(&self, len: usize) -> Result<f64, LlmError> {
        let tokens = self.tokens(len);
        let mut pace = Pace::default();
        self.median(|| {
            let mut sequence = Sequence::new(self.decoder.kv(), Vec::new());
            let start = Instant::now();
            scoring::read(&self.decoder, &mut sequence, &tokens, &mut pace, &mut |_| {}, &self.cancel)?;
            Ok(len as f64 / start.elapsed().as_secs_f64())
        })
    }

    /// Tokens a second, all texts together, when `batch` texts are written at once from their beginning.
    ///
    /// # Errors
    /// Cancelled.
    pub fn decode(&self, batch: usize) -> Result<f64, LlmError> {
        self.median(|| {
            let fresh = || Sequence::new(self.decoder.kv(), Vec::new());
            let mut sequences: Vec<Sequence> = (0..batch).map(|_| fresh()).collect();
            let mut next: Vec<u32> = self.tokens(batch);
            let vocabulary = self.decoder.vocabulary();
            let start = Instant::now();
            for _ in 0..WRITTEN {
                let row = |(sequence, token): (usize, &u32)| Row { logits: true, ..Row::new(*token, sequence) };
                let rows: Vec<Row> = next.iter().enumerate().map(row).collect();
                let logits = self.decoder.forward(&mut sequences, &rows, &self.cancel)?;
                next = logits.chunks_exact(vocabulary).map(scoring::argmax).collect();
                self.decoder.recycle(logits);
            }
            Ok((WRITTEN * batch) as f64 / start.elapsed().as_secs_f64())
        })
    }

    /// Any tokens: what they are makes no difference to the work.
    fn tokens(&self, len: usize) -> Vec<u32> {
        let vocabulary = self.decoder.vocabulary() as u32;
        (0..len as u32).map(|i| (i * 7919 + 17) % vocabulary).collect()
    }

    /// One run to warm up, then the median.
    fn median(&self, mut run: impl FnMut() -> Result<f64, LlmError>) -> Result<f64, LlmError> {
        run()?;
        let mut figures = (0..self.repeats).map(|_| run()).collect::<Result<Vec<_>, _>>()?;
        figures.sort_by(f64::total_cmp);
        Ok(figures[figures.len() / 2])
    }
}
