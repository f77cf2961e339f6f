//! What could break for a reader of records: a value that does not survive the round trip, a field that the schema
//! lacks.
//!
//! Must generate records from the published schema, so that a new column needs no third hand-written list.

use super::*;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use proptest::string::string_regex;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

static PUBLISHED: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../docs/check-record.schema.json")).expect("the schema is JSON")
});

/// Any value that fits `schema`.
fn fitting(schema: &'static Value) -> BoxedStrategy<Value> {
    if let Some(name) = schema["$ref"].as_str() {
        // What else a name must not hold is in its description only.
        return match name.trim_start_matches("#/$defs/") {
            "name" => name_text().prop_map(Value::from).boxed(),
            definition => fitting(&PUBLISHED["$defs"][definition]),
        };
    }
    if let Some(value) = schema.get("const") {
        return Just(value.clone()).boxed();
    }
    if let Some(values) = schema["enum"].as_array() {
        return select(values.clone()).boxed();
    }
    if let Some(all) = schema["oneOf"].as_array() {
        return Union::new(all.iter().map(fitting)).boxed();
    }
    let types = schema["type"].as_array().map_or_else(|| vec![&schema["type"]], |all| all.iter().collect());
    Union::new(types.into_iter().map(|name| of_type(name.as_str().unwrap_or_default(), schema))).boxed()
}

fn of_type(name: &str, schema: &'static Value) -> BoxedStrategy<Value> {
    match name {
        "null" => Just(Value::Null).boxed(),
        "string" => match schema["pattern"].as_str() {
            Some(pattern) => {
                string_regex(pattern.trim_matches(['^', '$'])).expect("a pattern").prop_map(Value::from).boxed()
            }
            None => any::<String>().prop_map(Value::from).boxed(),
        },
        "integer" => {
            let (least, most) = (schema["minimum"].as_u64().unwrap_or(0), schema["maximum"].as_u64());
            (least..=most.unwrap_or(u64::MAX)).prop_map(Value::from).boxed()
        }
        "number" => match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
            (Some(least), Some(most)) => (least..=most).prop_map(Value::from).boxed(),
            _ => any::<f64>()
                .prop_filter("JSON has finite numbers only", |x| x.is_finite())
                .prop_map(Value::from)
                .boxed(),
        },
        "array" => vec(fitting(&schema["items"]), 0..3).prop_map(Value::from).boxed(),
        "object" => object(schema),
        other => panic!("no values of type {other:?} are made here"),
    }
}

fn object(schema: &'static Value) -> BoxedStrategy<Value> {
    if let Some(rest) = schema.get("additionalProperties") {
        return btree_map(name_text(), fitting(rest), 0..4)
            .prop_map(|all| Value::Object(all.into_iter().collect()))
            .boxed();
    }
    let required = schema["required"].as_array().map_or(&[] as &[_], Vec::as_slice);
    let mut whole = Just(Map::new()).boxed();
    for (name, member) in schema["properties"].as_object().expect("an object has properties") {
        let value = if required.iter().any(|r| r == name) {
            fitting(member).prop_map(Some).boxed()
        } else {
            option::of(fitting(member)).boxed()
        };
        whole = (whole, value)
            .prop_map(move |(mut whole, value)| {
                whole.extend(value.map(|value| (name.clone(), value)));
                whole
            })
            .boxed();
    }
    whole.prop_map(Value::Object).boxed()
}

fn name_text() -> impl Strategy<Value = String> {
    "[a-zA-Zж_/.@-][a-z0-9_.:/+@-]{0,12}( [a-z]{1,3})?"
}

fn any_record() -> BoxedStrategy<Value> {
    fitting(&PUBLISHED)
}

proptest! {
    #[test]
    fn whatever_the_schema_allows_is_read_and_written_back_as_it_was(value in any_record()) {
        let record = Record::read(&value.to_string()).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let line = record.write().expect("every record has a JSON form");
        prop_assert!(!line.chars().any(crate::text::is_hidden), "{line:?}");
        prop_assert_eq!(&serde_json::from_str::<Value>(&line).expect("JSON"), &value);
        prop_assert_eq!(Record::read(&line).expect("its own line"), record);
    }

    #[test]
    fn a_field_of_a_later_program_is_passed_over(value in any_record()) {
        let mut later = value.clone();
        later["later"] = json!({"x": [1]});
        later["policy"]["later"] = Value::Null;
        let read = |value: &Value| Record::read(&value.to_string()).expect("a record");
        prop_assert_eq!(read(&later), read(&value));
    }
}

#[test]
fn a_record_of_another_version_says_which_and_what_to_do() {
    let read = |text: &str| Record::read(text).expect_err(text).0.into_raw();
    assert!(read(r#"{"v":1}"#).contains("version 1; run `check` again"));
    assert!(read(r#"{"v":3}"#).contains("version 3, and this program reads version 2"));
    assert!(read(r#"{"v":2}"#).contains("missing field"));
    assert!(read("{}").contains("missing field `v`") && read("x").contains("expected value"));
}

#[test]
fn the_key_is_the_digest_of_what_made_by_says_line_by_line_and_nothing_else() {
    let digest = |text: &str| Digest::of(text.as_bytes());
    let made_by = MadeBy {
        sample: Some(digest("s")),
        policy: digest("p"),
        model: digest("m"),
        chat: digest("c"),
        calibration: None,
        mode: "direct".to_owned(),
        build: "0.1.0 int8/4 i16".to_owned(),
        isa: "avx512".to_owned(),
    };
    let text = format!(
        "{}\n{}\n{}\n{}\n\ndirect\n0.1.0 int8/4 i16\navx512\n",
        digest("s"),
        digest("p"),
        digest("m"),
        digest("c")
    );
    assert_eq!(made_by.key(), Some(Digest::of(text.as_bytes())));
    let others = [
        MadeBy { sample: Some(digest("t")), ..made_by.clone() },
        MadeBy { policy: digest("t"), ..made_by.clone() },
        MadeBy { model: digest("t"), ..made_by.clone() },
        MadeBy { chat: digest("t"), ..made_by.clone() },
        MadeBy { calibration: Some(digest("t")), ..made_by.clone() },
        MadeBy { mode: "rationale:96".to_owned(), ..made_by.clone() },
        MadeBy { build: "0.1.1".to_owned(), ..made_by.clone() },
        MadeBy { isa: "avx2".to_owned(), ..made_by.clone() },
    ];
    assert!(others.iter().all(|other| other.key() != made_by.key()));
    assert_eq!(MadeBy { sample: None, ..made_by }.key(), None);
}
