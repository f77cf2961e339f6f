//! The JSON form of named numbers in a record: an object from name to number, in order.
//!
//! Must keep the order, and must refuse an invalid name.

use crate::domain::Name;
use serde::Serializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::fmt;

/// The form, for `#[serde(with = "Numbers")]`.
pub(super) struct Numbers;

impl Numbers {
    pub fn serialize<S: Serializer>(values: &[(Name, f64)], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(values.iter().map(|(name, value)| (name, value)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(Name, f64)>, D::Error> {
        deserializer.deserialize_map(Self)
    }
}

impl<'de> Visitor<'de> for Numbers {
    type Value = Vec<(Name, f64)>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object: name to number")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = map.next_entry()? {
            values.push(value);
        }
        Ok(values)
    }
}
