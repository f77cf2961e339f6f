//! Policies: the tree a policy file describes, how it is parsed and validated, and what `lint` reports.
//!
//! Must not read files itself (the caller passes a function that reads includes) and must not know models or sessions.

mod build;
mod check_file;
mod check_graph;
mod codes;
pub mod cost;
mod diagnostics;
mod draft;
mod extent;
mod fields;
mod flat;
pub mod graph;
mod include;
mod index;
pub mod layout;
pub mod limits;
mod parse;
mod read;
mod source;
mod style;
mod syntax;
mod terms;
pub mod tree;
mod words;

pub use codes::{Basis, CODES, Code, CodeInfo, Severity};
pub use diagnostics::{Diagnostic, Location};
pub use graph::GraphFormat;
pub use include::ReadFile;
pub use index::{Index, Spot};
pub use parse::{Parsed, parse};
pub use source::SourceFile;
pub use tree::{Edge, Example, Leaf, Node, Policy, Term, Unsure};

#[cfg(test)]
mod tests;
