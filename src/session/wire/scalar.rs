//! Written forms of single values: names, digests and floats.
//!
//! Must refuse what the domain type refuses, and must give a float back bit for bit.

use crate::domain::{Digest, Name};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A [`Name`] as a JSON string.
#[derive(Clone, Debug)]
pub(super) struct WireName(pub(super) Name);

/// A [`Digest`] as 64 hexadecimal digits.
#[derive(Clone, Debug)]
pub(super) struct WireDigest(pub(super) Digest);

/// A float. A finite one is a JSON number that reads back to the same bits; the others, for which JSON has no number, are the
/// strings `inf`, `-inf`, `nan`, and `nan:` with the 16 hexadecimal digits of its bits for any NaN but the usual one.
#[derive(Clone, Copy, Debug)]
pub(super) struct WireFloat(pub(super) f64);

impl From<&Name> for WireName {
    fn from(name: &Name) -> Self {
        Self(name.clone())
    }
}

impl From<WireName> for Name {
    fn from(name: WireName) -> Self {
        name.0
    }
}

impl From<Digest> for WireDigest {
    fn from(digest: Digest) -> Self {
        Self(digest)
    }
}

impl From<WireDigest> for Digest {
    fn from(digest: WireDigest) -> Self {
        digest.0
    }
}

impl Serialize for WireName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for WireName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Name::new(&text).map(Self).map_err(D::Error::custom)
    }
}

impl Serialize for WireDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for WireDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::from_hex(&text).map(Self).ok_or_else(|| D::Error::custom("a digest is 64 hexadecimal digits"))
    }
}

impl Serialize for WireFloat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.0;
        if value.is_finite() {
            serializer.serialize_f64(value)
        } else if value == f64::INFINITY {
            serializer.serialize_str("inf")
        } else if value == f64::NEG_INFINITY {
            serializer.serialize_str("-inf")
        } else if value.to_bits() == f64::NAN.to_bits() {
            serializer.serialize_str("nan")
        } else {
            serializer.collect_str(&format_args!("nan:{:016x}", value.to_bits()))
        }
    }
}

impl<'de> Deserialize<'de> for WireFloat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FloatVisitor).map(Self)
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
