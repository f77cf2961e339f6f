//! Reports: what a person reads, as documents of labelled roles, and the renderers for plain text, ANSI, JSON and Markdown.
//!
//! Must not print, and must not know colours: a role says what a text is, a renderer or theme says how it looks.

pub mod doc;

pub use doc::{Doc, Line, Role, Span};
