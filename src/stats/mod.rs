//! Statistics of verdicts: agreement of classifier, LLM and gold, and what is counted over many samples.
//!
//! Must not read files or know of sessions.

pub mod agreement;

pub use agreement::{Agreement, Cell, Confusion};
