//! Statistics of verdicts: agreement of classifier, LLM and gold, and counts over many samples.
//!
//! Must not read files or know sessions.

pub mod agreement;

pub use agreement::{Agreement, Cell, Confusion};
