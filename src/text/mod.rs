//! Text from outside: the type that marks it, and the only way it reaches a terminal.
//!
//! Must not know what the text means (sample, policy, model output) and must not print.

pub mod alike;
pub mod ascii;
#[cfg(test)]
mod corpus;
mod emoji;
mod escape;
mod hidden;
pub mod json;
mod stream;
mod untrusted;
pub mod width;

pub use escape::{Escaped, Segment};
pub use hidden::is_hidden;
pub use stream::Stream;
pub use untrusted::Untrusted;
