//! The written forms of names, digests, outcomes and texts inside a record, for `#[serde(with = …)]`: one word each.
//!
//! Must refuse a word it would not write.

use super::FaultKind;
use crate::domain::{Digest, Name, Outcome};
use crate::stats::agreement::{Cell, Confusion};
use crate::text::Untrusted;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serializer};
use std::borrow::Cow;

/// What is written as one text.
pub trait Word: Sized {
    /// The text.
    fn word(&self) -> Cow<'_, str>;
    /// What the text stands for.
    fn of_word(text: String) -> Result<Self, String>;
}

pub fn serialize<T: Word, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.word())
}

pub fn deserialize<'de, T: Word, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::of_word(String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// One or null.
pub mod option {
    use super::*;

    pub fn serialize<T: Word, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.serialize_some(value.word().as_ref()),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, T: Word, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
        Option::<String>::deserialize(deserializer)?.map(T::of_word).transpose().map_err(D::Error::custom)
    }
}

/// A list.
pub mod list {
    use super::*;

    pub fn serialize<T: Word, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(Word::word))
    }

    pub fn deserialize<'de, T: Word, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        words.into_iter().map(T::of_word).collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

/// An object: name to number, in order.
pub mod numbers {
    use super::*;
    use serde::de::{MapAccess, Visitor};
    use std::fmt;

    pub fn serialize<S: Serializer>(values: &[(Name, f64)], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(values.iter().map(|(name, value)| (name.as_str(), value)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(Name, f64)>, D::Error> {
        deserializer.deserialize_map(Numbers)
    }

    struct Numbers;

    impl<'de> Visitor<'de> for Numbers {
        type Value = Vec<(Name, f64)>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("an object: name to number")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut values = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, f64>()? {
                values.push((Name::of_word(name).map_err(A::Error::custom)?, value));
            }
            Ok(values)
        }
    }
}

impl Word for Name {
    fn word(&self) -> Cow<'_, str> {
        self.as_str().into()
    }

    fn of_word(text: String) -> Result<Self, String> {
        Self::new(&text).map_err(|e| e.to_string())
    }
}

impl Word for Untrusted {
    fn word(&self) -> Cow<'_, str> {
        self.raw().into()
    }

    fn of_word(text: String) -> Result<Self, String> {
        Ok(text.into())
    }
}

impl Word for Digest {
    fn word(&self) -> Cow<'_, str> {
        self.to_string().into()
    }

    fn of_word(text: String) -> Result<Self, String> {
        Self::from_hex(&text).ok_or_else(|| "a digest has 64 hexadecimal digits".to_owned())
    }
}

/// A word for each value of an enumeration that lists its values and their words.
macro_rules! listed {
    ($($kind:ty),+) => {$(
        impl Word for $kind {
            fn word(&self) -> Cow<'_, str> {
                self.as_str().into()
            }

            fn of_word(text: String) -> Result<Self, String> {
                let known = || Self::ALL.map(Self::as_str).join(", ");
                Self::ALL.into_iter().find(|v| v.as_str() == text).ok_or_else(|| format!("{text:?} is none of {}", known()))
            }
        }
    )+};
}

listed!(Outcome, Cell, Confusion, FaultKind);
