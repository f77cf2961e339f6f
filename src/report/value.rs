//! Values of expressions, for `print` and `display`.
//!
//! Must say which names had no value, so that a missing value is not read as a real one.

use super::number::decimal;
use super::{Line, Role};
use crate::domain::Complaint;
use crate::session::expr::{Evaluated, Value};

/// `NAME = VALUE`, with what was not known.
pub fn evaluated(line: Line, expr: &str, result: &Result<Evaluated, Complaint>) -> Line {
    let line = line.with(Role::Key, expr).with(Role::Muted, " = ");
    match result {
        Ok(evaluated) => {
            let line = value(line, &evaluated.value);
            match evaluated.absent.as_slice() {
                [] => line,
                absent => {
                    let mut line = line.with(Role::Muted, "  (not known here: ");
                    for (i, name) in absent.iter().enumerate() {
                        line = line.with(Role::Muted, if i > 0 { ", " } else { "" }).untrusted(Role::Muted, name);
                    }
                    line.with(Role::Muted, ")")
                }
            }
        }
        Err(error) => line.untrusted(Role::Error, &error.message),
    }
}

fn value(line: Line, value: &Value) -> Line {
    match value {
        Value::None => line.with(Role::Muted, "none"),
        Value::Bool(b) => line.with(Role::Value, b.to_string()),
        Value::Integer(n) => line.with(Role::Value, n.to_string()),
        Value::Number(n) => line.with(Role::Value, decimal(*n)),
        Value::Text(text) => line.untrusted(Role::Value, text),
        Value::List(items) => {
            let line = list(line.with(Role::Muted, "["), items.iter(), self::value);
            line.with(Role::Muted, "]")
        }
        Value::Map(entries) => {
            let line = list(line.with(Role::Muted, "{"), entries.iter(), |line, (key, item)| {
                self::value(line.untrusted(Role::Key, key).with(Role::Muted, ": "), item)
            });
            line.with(Role::Muted, "}")
        }
    }
}

fn list<T>(mut line: Line, items: impl Iterator<Item = T>, one: impl Fn(Line, T) -> Line) -> Line {
    for (i, item) in items.enumerate() {
        line = one(if i > 0 { line.with(Role::Muted, ", ") } else { line }, item);
    }
    line
}
