//! Reports: what a person reads, as documents of spans with roles, and the renderers for plain text, ANSI and JSON.
//!
//! Must not print, and must not know colours outside `theme`: a role says what a text is, a renderer or theme says how
//! it looks.

pub mod absent;
pub mod ansi;
mod basis;
pub mod beside;
pub mod change;
pub mod compare;
pub mod conditions;
pub mod content;
pub mod doc;
pub mod examination;
pub mod failure;
pub mod fault;
pub mod help;
pub mod info;
pub mod json;
pub mod node;
pub mod number;
mod page;
pub mod plain;
pub mod source;
pub mod step;
pub mod theme;
pub mod transcript;
pub mod value;
pub mod view;
pub mod walk;
pub mod walk_tree;
pub mod words;

#[cfg(test)]
mod tests;

pub use basis::Basis;
pub use doc::{Doc, Line, Role, Span};
pub use page::Page;
