//! A view of JSON text that keeps the position and spelling of every value; `serde_json` does the reading.
//!
//! Must be made by [`Raw::read`], which finds every syntax error: code that takes values apart may rely on valid JSON.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// One value as spelt in the line.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    line: &'a str,
    value: &'a RawValue,
}

impl<'a> Raw<'a> {
    /// The value that makes up the whole of `line`.
    ///
    /// # Errors
    /// Every syntax error, bad escape, number out of range, and nesting deeper than `serde_json` allows.
    pub fn read(line: &'a str) -> serde_json::Result<Self> {
        let Checked = serde_json::from_str(line)?;
        Ok(Self { line, value: serde_json::from_str(line)? })
    }

    /// Byte offset in the line.
    pub fn at(self) -> usize {
        self.text().as_ptr().addr().saturating_sub(self.line.as_ptr().addr())
    }

    /// The JSON text as it was written.
    pub fn text(self) -> &'a str {
        self.value.get()
    }

    /// What it is, for error messages.
    pub fn kind(self) -> &'static str {
        match self.text().as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'"') => "a text",
            Some(b't' | b'f') => "true or false",
            Some(b'n') => "null",
            _ => "a number",
        }
    }

    /// Whether it is null.
    pub fn is_null(self) -> bool {
        self.text() == "null"
    }

    /// The bool, if it is one.
    pub fn bool(self) -> Option<bool> {
        self.text().parse().ok()
    }

    /// The decoded text, if it is one.
    pub fn string(self) -> Option<String> {
        serde_json::from_str(self.text()).ok()
    }

    /// The number, if it is one; JSON numbers are always finite.
    pub fn number(self) -> Option<f64> {
        serde_json::from_str::<serde_json::Number>(self.text()).ok()?.as_f64().filter(|n| n.is_finite())
    }

    /// A whole number as it was written.
    pub fn whole_number(self) -> Option<String> {
        let digits = self.text().strip_prefix('-').unwrap_or(self.text());
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| self.text().to_owned())
    }

    /// The members of an object, keys decoded, in the order written, repeated keys included.
    pub fn members(self) -> Option<Vec<(String, Self)>> {
        let Members(members) = serde_json::from_str(self.text()).ok()?;
        Some(members.into_iter().map(|(key, value)| (key, Self { value, ..self })).collect())
    }

    /// The elements of a list.
    pub fn elements(self) -> Option<Vec<Self>> {
        let elements: Vec<&RawValue> = serde_json::from_str(self.text()).ok()?;
        Some(elements.into_iter().map(|value| Self { value, ..self }).collect())
    }
}

/// An object as a list, so that order and repetition stay.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self(Vec::new()))
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Members<'a> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<Self, A::Error> {
        while let Some(member) = object.next_entry()? {
            self.0.push(member);
        }
        Ok(self)
    }
}

/// Any JSON value, read to find what is wrong with it and then dropped. (`IgnoredAny` checks neither texts nor the size
/// of numbers.)
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self, A::Error> {
        while object.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// `text` as a JSON text.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
