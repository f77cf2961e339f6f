//! Generated facts for property tests: every kind, hostile text, every float.
//!
//! Must be compiled for tests only, and must not name a field: values are generated from the schema, which is derived
//! from the declarations of the facts.
#![cfg(test)]

use super::wire::{self, schema};
use super::{Fact, LeafReached, Step};
use crate::domain::Name;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::Union;
use serde_json::{Map, Value, json};

/// A name in a test.
pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("a test name")
}

/// Any text, half of it of the kind that breaks line formats and terminals.
pub(super) fn text() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "\"}\n{\"seq\":1,",
        "\n",
        "\r\n",
        "\u{1b}[2J",
        "\u{202e}",
        "\u{200b}",
        "\u{9b}31m",
        "\0",
        "\\u0000",
        "\u{feff}",
        "\u{e0041}",
        "👩‍👩‍👧",
        " \u{2028} ",
        ",\"crc\":\"00000000\"}",
    ]);
    let plain = vec(any::<char>(), 0..6).prop_map(String::from_iter);
    vec(prop_oneof![nasty.prop_map(str::to_owned), plain], 0..4).prop_map(|parts| parts.concat())
}

/// Any float but NaN, which is equal to nothing, so that facts can be compared.
fn float() -> impl Strategy<Value = Value> {
    let edges = vec![0.0, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, 0.1 + 0.2, 1e22];
    prop_oneof![prop::sample::select(edges), any::<u64>().prop_map(f64::from_bits)].prop_map(|f| match f {
        f if f.is_finite() => json!(f),
        f64::INFINITY => json!("inf"),
        _ => json!("-inf"),
    })
}

/// A number that is likely to meet itself again, or the largest one.
fn integer(format: &str) -> BoxedStrategy<Value> {
    let largest = match format {
        "uint8" => u64::from(u8::MAX),
        "uint32" => u64::from(u32::MAX),
        "uint" | "uint64" => u64::MAX,
        other => panic!("no numbers of the format {other}"),
    };
    prop_oneof![9 => 0..5_u64, 1 => Just(largest)].prop_map(|n| json!(n)).boxed()
}

/// Any JSON value that fits `schema`; `root` holds the definitions.
fn value(root: &Value, schema: &Value) -> BoxedStrategy<Value> {
    let any_of = |alternatives: &Value| {
        let alternatives = alternatives.as_array().expect("a list");
        Union::new(alternatives.iter().map(|one| value(root, one))).boxed()
    };
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) {
        return match name {
            "Name" => "[a-zа-я0-9_:/+.-]{1,9}( [a-z]{1,3})?".prop_map(|name| json!(name)).boxed(),
            "Digest" => "[0-9a-f]{64}".prop_map(|digest| json!(digest)).boxed(),
            "Float" => float().boxed(),
            _ => value(root, &root["$defs"][name]),
        };
    }
    if let Some(alternatives) = schema.get("oneOf").or_else(|| schema.get("anyOf")) {
        return any_of(alternatives);
    }
    if let Some(constant) = schema.get("const") {
        return Just(constant.clone()).boxed();
    }
    if let Some(words) = schema["enum"].as_array() {
        return prop::sample::select(words.clone()).boxed();
    }
    if let Value::Array(types) = &schema["type"] {
        return Union::new(types.iter().map(|one| {
            let mut schema = schema.clone();
            schema["type"] = one.clone();
            value(root, &schema)
        }))
        .boxed();
    }
    match schema["type"].as_str().expect("a schema names a type") {
        "null" => Just(Value::Null).boxed(),
        "boolean" => any::<bool>().prop_map(Value::Bool).boxed(),
        "string" => text().prop_map(Value::String).boxed(),
        "integer" => integer(schema["format"].as_str().expect("an integer has a format")),
        "array" => vec(value(root, &schema["items"]), 0..3).prop_map(Value::Array).boxed(),
        "object" => object(root, schema),
        other => panic!("no values of the type {other}"),
    }
}

/// Any object: all required members, and each of the others or not.
fn object(root: &Value, schema: &Value) -> BoxedStrategy<Value> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let (names, members): (Vec<_>, Vec<_>) = schema["properties"]
        .as_object()
        .expect("an object has members")
        .iter()
        .map(|(name, member)| {
            let any = value(root, member);
            let always = required.iter().any(|r| r == name);
            let drawn = if always { any.prop_map(Some).boxed() } else { proptest::option::of(any).boxed() };
            (name.clone(), drawn)
        })
        .unzip();
    members
        .prop_map(move |drawn| {
            let pairs = names.iter().cloned().zip(drawn).filter_map(|(name, value)| Some((name, value?)));
            Value::Object(pairs.collect::<Map<_, _>>())
        })
        .boxed()
}

/// Any value of a type that facts hold, by its name.
fn defined<T: serde::de::DeserializeOwned + std::fmt::Debug>(name: &str) -> impl Strategy<Value = T> + use<T> {
    let root = schema::of_fact();
    value(&root, &root["$defs"][name])
        .prop_map(|value| serde_json::from_value(value).expect("what fits the schema can be read"))
}

/// Any step.
pub(super) fn step() -> impl Strategy<Value = Step> {
    defined("Step")
}

/// Any leaf.
pub(super) fn leaf() -> impl Strategy<Value = LeafReached> {
    defined("LeafReached")
}

/// Any fact of a kind.
fn of_kind(kind: &str) -> BoxedStrategy<Fact> {
    let root = schema::of_fact();
    let kinds = root["oneOf"].as_array().expect("a list of kinds");
    let schema =
        kinds.iter().find(|one| one["properties"]["kind"]["const"] == kind).expect("every kind is in the schema");
    value(&root, schema).prop_map(|value| wire::from_json(value).expect("what fits the schema is a fact")).boxed()
}

/// The first fact of a session.
pub(super) fn opened() -> impl Strategy<Value = Fact> {
    of_kind("opened")
}

/// The start of any walk.
pub(super) fn walk_started() -> impl Strategy<Value = Fact> {
    of_kind("walk_started")
}

/// One strategy for every kind of fact that may follow the first, in the order of the enum.
pub(super) fn kinds() -> Vec<BoxedStrategy<Fact>> {
    wire::KINDS.iter().filter(|kind| **kind != "opened").map(|kind| of_kind(kind)).collect()
}

/// Any fact that may follow the first.
pub(crate) fn fact() -> impl Strategy<Value = Fact> {
    Union::new(kinds())
}

/// Facts of a whole session.
pub(super) fn session(facts: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<Fact>> {
    (opened(), vec(fact(), facts)).prop_map(|(opened, rest)| std::iter::once(opened).chain(rest).collect())
}

/// One fact of every kind, always the same ones.
pub(super) fn one_of_each() -> Vec<Fact> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    std::iter::once(opened().boxed())
        .chain(kinds())
        .map(|kind| kind.new_tree(&mut runner).expect("no strategy here rejects values").current())
        .collect()
}
