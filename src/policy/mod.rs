//! Policies: the tree a policy file describes, how it is parsed and validated, and what `lint` says of it.
//!
//! Must not read files itself (the caller gives a way to read includes) and must not know of models or sessions.

pub mod tree;

pub use tree::{Example, Leaf, Node, Policy, Term, Unsure};
