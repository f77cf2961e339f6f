//! Text that came from outside: the type that marks it and the only way it reaches a terminal.
//!
//! Must not know what the text means (sample, policy, model output) and must not print.

mod escape;
mod untrusted;
pub mod width;

pub use escape::Escaped;
pub use untrusted::Untrusted;
