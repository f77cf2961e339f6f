//! The JSON form of facts, version 1: one object per fact, with stable snake_case field names.
//!
//! Must not alter a value: untrusted text keeps every byte and a float every bit. The declaration of [`Fact`] defines
//! the form. Unknown fields are ignored, so that a newer minor version can add some.

use super::Fact;
use crate::text::{Untrusted, json};
use serde::Deserialize as _;
use serde_json::Value;
use strum::VariantNames as _;

/// Major version of the written form. A file of another major version is refused.
pub const MAJOR: u32 = 1;

/// Minor version: raised when a kind of fact or a field is added. A file of a newer minor version is read as far as it
/// is known.
pub const MINOR: u32 = 2;

/// The kinds of facts, the value of the field `kind`.
pub const KINDS: &[&str] = Fact::VARIANTS;

/// Why a JSON value is no fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The object has a `kind` that this version does not know.
    UnknownKind(Untrusted),
    /// It is not JSON, a field is missing, or a field has a value it cannot have.
    Invalid(Untrusted),
}

/// The fact as a JSON object, `kind` first.
pub fn to_json(fact: &Fact) -> Value {
    serde_json::to_value(fact).expect("facts have string keys and every float has a written form")
}

/// The fact as JSON text on one line, without a line break at its end and with nothing in it that could act on a
/// terminal.
pub fn to_text(fact: &Fact) -> String {
    json::to_string(fact).expect("facts have string keys and every float has a written form")
}

/// The fact that `value` describes.
pub fn from_json(value: Value) -> Result<Fact, WireError> {
    if !value.is_object() {
        return Err(WireError::Invalid("a fact is a JSON object".into()));
    }
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    if !kind.is_empty() && !KINDS.contains(&kind) {
        return Err(WireError::UnknownKind(kind.into()));
    }
    Fact::deserialize(value).map_err(|e| WireError::Invalid(e.to_string().into()))
}

/// The fact that JSON text describes.
pub fn from_text(text: &[u8]) -> Result<Fact, WireError> {
    let value = serde_json::from_slice(text).map_err(|e| WireError::Invalid(e.to_string().into()))?;
    from_json(value)
}

pub(super) mod schema;
#[cfg(test)]
mod tests;
