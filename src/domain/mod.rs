//! The vocabulary of the field as small value types: names, samples, gold, outcomes, verdicts, prompts, readouts,
//! judgements.
//!
//! Must not know models, sessions or screens, and must open files in `guarded` only. May import `text` and no other
//! module of ours.

mod cancel;
mod complaint;
mod device;
mod digest;
mod examination;
mod guarded;
mod judgement;
mod name;
mod outcome;
pub mod path_text;
mod place;
mod probability;
mod program;
mod prompt;
mod sample;
pub mod sample_file;
mod threads;
pub(crate) mod wire;

pub use cancel::Cancel;
pub use complaint::Complaint;
pub use device::{Device, DeviceError};
pub use digest::{Digest, Hasher};
pub use examination::{Examination, TokenView, TopToken};
pub use guarded::GuardedFile;
pub use judgement::{Judgement, Mode, ModelInfo, Rationale, StopReason, Usage};
pub use name::{Name, NameError};
pub use outcome::{Outcome, Provenance, Verdict};
pub use place::{Answered, BreakAt, Target};
pub use probability::{AnswerScore, Readout};
pub use program::Programs;
pub use prompt::{Layout, Part, Piece, Prompt};
pub use sample::{Classifier, Content, Field, Gold, Sample};
pub use threads::Threads;
