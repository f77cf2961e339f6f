//! JSON forms of domain values for which a serde derive will not do.
//!
//! Must refuse what the domain type refuses, must keep order and repetition, and must give a float back bit for bit.
//! The types here name a form, not a value: `#[serde(with = "Float")]` says how a field is written, and the schema of
//! the session file reads the same attribute.

use super::{Digest, Name, Verdict};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// A float. A finite one is a JSON number that reads back to the same bits; the others, for which JSON has no number,
/// are the strings `inf`, `-inf`, `nan`, and `nan:` with the 16 hexadecimal digits of its bits for any NaN but the
/// usual one.
pub(crate) struct Float;

/// A list of pairs as a list of objects of type `T`.
pub(crate) struct Pairs<T>(PhantomData<T>);

/// A pair as an object of type `T`; for variants of two values.
pub(crate) struct Pair<T>(PhantomData<T>);

/// Declares an object that represents a pair.
macro_rules! pair {
    ($(#[$doc:meta])* $name:ident { $(#[$a:meta])* $first:ident: $A:ty, $(#[$b:meta])* $second:ident: $B:ty }) => {
        $(#[$doc])*
        #[derive(serde::Serialize, serde::Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub(crate) struct $name {
            $(#[$a])*
            $first: $A,
            $(#[$b])*
            $second: $B,
        }

        impl From<($A, $B)> for $name {
            fn from(($first, $second): ($A, $B)) -> Self {
                Self { $first, $second }
            }
        }

        impl From<$name> for ($A, $B) {
            fn from(pair: $name) -> Self {
                (pair.$first, pair.$second)
            }
        }
    };
}
pub(crate) use pair;

pair!(
    /// A named number.
    Number { name: Name, #[serde(with = "Float")] value: f64 }
);
pair!(
    /// A node and one of its answers.
    NodeAnswer { node: Name, answer: Name }
);
pair!(
    /// A verdict and who gave it.
    GivenVerdict { by: Name, verdict: Verdict }
);

impl<T> Pairs<T> {
    pub(crate) fn serialize<A: Clone, B: Clone, S: Serializer>(list: &[(A, B)], to: S) -> Result<S::Ok, S::Error>
    where
        T: From<(A, B)> + Serialize,
    {
        to.collect_seq(list.iter().cloned().map(T::from))
    }

    pub(crate) fn deserialize<'de, A, B, D: Deserializer<'de>>(from: D) -> Result<Vec<(A, B)>, D::Error>
    where
        T: Into<(A, B)> + Deserialize<'de>,
    {
        Ok(Vec::<T>::deserialize(from)?.into_iter().map(Into::into).collect())
    }
}

impl<T> Pair<T> {
    pub(crate) fn serialize<A: Clone, B: Clone, S: Serializer>(a: &A, b: &B, to: S) -> Result<S::Ok, S::Error>
    where
        T: From<(A, B)> + Serialize,
    {
        T::from((a.clone(), b.clone())).serialize(to)
    }

    pub(crate) fn deserialize<'de, A, B, D: Deserializer<'de>>(from: D) -> Result<(A, B), D::Error>
    where
        T: Into<(A, B)> + Deserialize<'de>,
    {
        T::deserialize(from).map(Into::into)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::from_hex(&text).ok_or_else(|| D::Error::custom("a digest is 64 hexadecimal digits"))
    }
}

impl Float {
    pub(crate) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() {
            to.serialize_f64(*value)
        } else if *value == f64::INFINITY {
            to.serialize_str("inf")
        } else if *value == f64::NEG_INFINITY {
            to.serialize_str("-inf")
        } else if value.to_bits() == f64::NAN.to_bits() {
            to.serialize_str("nan")
        } else {
            to.collect_str(&format_args!("nan:{:016x}", value.to_bits()))
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        from.deserialize_any(FloatVisitor)
    }
}

struct FloatVisitor;

impl Visitor<'_> for FloatVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, \"inf\", \"-inf\" or \"nan\"")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        match text {
            "inf" => Ok(f64::INFINITY),
            "-inf" => Ok(f64::NEG_INFINITY),
            "nan" => Ok(f64::NAN),
            _ => text
                .strip_prefix("nan:")
                .and_then(|bits| u64::from_str_radix(bits, 16).ok())
                .map(f64::from_bits)
                .filter(|value| value.is_nan())
                .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

/// The same forms for the schema.
#[cfg(test)]
mod schema {
    use super::{Digest, Float, Name, Pair, Pairs};
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use std::borrow::Cow;

    macro_rules! described {
        ($type:ty, $name:literal, $schema:tt) => {
            impl JsonSchema for $type {
                fn schema_name() -> Cow<'static, str> {
                    $name.into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!($schema)
                }
            }
        };
    }

    described!(Name, "Name", {
        "description": "1 to 64 characters: letters and digits of any script, `_ - . : / + @`, or a single inner space",
        "type": "string",
        "minLength": 1
    });
    described!(Digest, "Digest", { "description": "a SHA-256", "type": "string", "pattern": "^[0-9a-f]{64}$" });
    described!(Float, "Float", {
        "description": "a number, or a string for a value that JSON has no number for",
        "oneOf": [{ "type": "number" }, { "type": "string", "pattern": "^(inf|-inf|nan|nan:[0-9a-f]{16})$" }]
    });

    impl<T: JsonSchema> JsonSchema for Pairs<T> {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            format!("List_of_{}", T::schema_name()).into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            Vec::<T>::json_schema(generator)
        }
    }

    impl<T: JsonSchema> JsonSchema for Pair<T> {
        fn inline_schema() -> bool {
            T::inline_schema()
        }

        fn schema_name() -> Cow<'static, str> {
            T::schema_name()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            T::json_schema(generator)
        }
    }
}
