//! `Value`: the result of an expression, as plain data.
//!
//! Must stay bounded: lists and maps are cut, so that a view can show any value.

use crate::text::Untrusted;
use minijinja::value::ValueKind;

/// The most entries of a list or map that are kept.
const MAX_ENTRIES: usize = 200;
/// The deepest nesting that is kept.
const MAX_DEPTH: usize = 8;

/// The value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not known.
    None,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(Untrusted),
    /// Several values.
    List(Vec<Self>),
    /// Values by name.
    Map(Vec<(Untrusted, Self)>),
}

impl Value {
    pub(super) fn of(value: &minijinja::Value) -> Self {
        Self::at_depth(value, 0)
    }

    fn at_depth(value: &minijinja::Value, depth: usize) -> Self {
        if depth == MAX_DEPTH {
            return Self::Text("…".into());
        }
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => Self::None,
            ValueKind::Bool => Self::Bool(value.is_true()),
            ValueKind::Number => match i64::try_from(value.clone()) {
                Ok(integer) if value.is_integer() => Self::Integer(integer),
                _ => f64::try_from(value.clone()).map_or(Self::None, Self::Number),
            },
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter().into_iter().flatten().take(MAX_ENTRIES);
                Self::List(items.map(|item| Self::at_depth(&item, depth + 1)).collect())
            }
            ValueKind::Map => {
                let keys = value.try_iter().into_iter().flatten().take(MAX_ENTRIES);
                let entry = |key: minijinja::Value| {
                    let item = value.get_item(&key).unwrap_or_default();
                    (Untrusted::from(key.to_string()), Self::at_depth(&item, depth + 1))
                };
                Self::Map(keys.map(entry).collect())
            }
            _ => Self::Text(value.to_string().into()),
        }
    }
}
