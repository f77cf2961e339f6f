//! The filter `crossexam models score`: token ids in; next-token log-probabilities and a greedy continuation out.
//!
//! Must add nothing to the ids, so that the numbers can be compared with another engine's.

use super::models::{FilterError, LineError, each_line};
use crate::domain::Cancel;
use crate::judge::JudgeError;
use crate::llm::decoder::Decoder;
use crate::llm::gguf::GgufFile;
use crate::llm::linear::Arithmetic;
use crate::llm::scoring;
use serde_json::json;
use std::io::{BufRead, Write};
use std::path::Path;

/// How many of the most likely tokens are given.
const TOP: usize = 50;
/// How many tokens are continued greedily.
const GREEDY: usize = 24;

/// Scores `{"ids": [..]}` lines: `{"top": [[id, logprob] × 50], "greedy": [24 ids]}` for each, or an error record.
/// `arithmetic` selects the kernels that answer questions, or exact ones to compare them with. `threads` 0 means one
/// per core. Returns the exit code: 0, or 1 if a line was bad.
pub fn score(
    model: &Path,
    arithmetic: Arithmetic,
    threads: usize,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    cancel: &Cancel,
) -> Result<u8, FilterError> {
    let file = GgufFile::open(model, cancel).map_err(|e| JudgeError::from(e).in_file(model))?;
    let decoder = Decoder::load(&file, arithmetic, threads, &mut |_| {}, cancel)
        .map_err(|e| JudgeError::from(e).in_file(model))?;
    each_line(input, output, cancel, &mut |line| {
        let ids = line.get("ids").ok_or_else(|| LineError::bad_line("the object has no `ids`"))?;
        let ids = ids.as_array().ok_or_else(|| LineError::bad_line("`ids` is not an array"))?;
        let ids: Option<Vec<u32>> = ids.iter().map(|id| u32::try_from(id.as_u64()?).ok()).collect();
        let ids = ids.ok_or_else(|| LineError::bad_line("`ids` holds something that is no token id"))?;
        let next = scoring::next(&decoder, &ids, TOP, GREEDY, cancel)
            .map_err(|e| LineError { kind: "model", message: e.to_string() })?;
        Ok(json!({ "top": next.top, "greedy": next.greedy }))
    })
}
