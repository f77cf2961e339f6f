//! The published schema of a session file: the envelope of a line, and the facts as declared.
//!
//! Must be compiled for tests only: the program itself never reads a schema.
#![cfg(test)]

use super::{KINDS, MAJOR};
use crate::session::Fact;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// The schema of a fact, with the definitions it refers to under `$defs`.
pub(in crate::session) fn of_fact() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
    settings.into_generator().into_root_schema_for::<Fact>().to_value()
}

/// The schema of a line.
pub(super) fn of_line() -> Value {
    let mut fact = of_fact();
    let definitions = fact.as_object_mut().and_then(|f| f.remove("$defs")).expect("definitions");
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("crossexam-session-v{MAJOR}"),
        "title": format!("One line of a crossexam session file, format {MAJOR}"),
        "description": "See session-format.md for what the envelope promises. A newer minor version may add members and \
            kinds of facts; readers ignore members they do not know.",
        "type": "object",
        "required": ["seq", "len", "prev", "fact", "crc"],
        "properties": {
            "crossexam_session": {
                "description": "Version of the format; in the first line only.",
                "type": "string",
                "pattern": format!("^{MAJOR}\\.[0-9]+$"),
            },
            "seq": { "description": "Number of the line, from 0.", "type": "integer", "minimum": 0 },
            "len": { "description": "Bytes of the fact's JSON text.", "type": "integer", "minimum": 2 },
            "prev": {
                "description": "Digest of the whole line before; zeros in the first line.",
                "$ref": "#/$defs/Digest",
            },
            "fact": fact,
            "crc": {
                "description": "CRC-32 of the line before `,\"crc\":`.",
                "type": "string",
                "pattern": "^[0-9a-f]{8}$",
            },
        },
        "$defs": definitions,
    })
}

/// Compares a generated page with the published file; `UPDATE_DOCS=1` rewrites the file.
fn published(name: &str, page: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page).expect("docs can be written");
    }
    let written = std::fs::read_to_string(&path).expect("a published page").replace("\r\n", "\n");
    assert!(written == page, "docs/{name} is stale: run the tests with UPDATE_DOCS=1");
}

#[test]
fn the_published_schema_is_what_the_declarations_say() {
    let text = serde_json::to_string_pretty(&of_line()).expect("a schema is JSON");
    published("session.schema.json", &format!("{text}\n"));
}

#[test]
fn the_documented_kinds_are_the_ones_there_are() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/session-format.md");
    let page = std::fs::read_to_string(path).expect("the page").replace("\r\n", "\n");
    let (head, rest) = page.split_once("## Facts\n").expect("a list of facts");
    let (_, tail) = rest.split_once("\n- ").expect("remarks below it");
    let fact = of_fact();
    let kinds = fact["oneOf"].as_array().expect("kinds");
    assert_eq!(kinds.len(), KINDS.len());
    let rows: String = KINDS
        .iter()
        .zip(kinds)
        .map(|(kind, schema)| {
            let properties = schema["properties"].as_object().expect("members");
            let members: Vec<_> = properties.keys().skip(1).map(|member| format!("`{member}`")).collect();
            let meaning = schema["description"].as_str().expect("a doc comment");
            format!("| `{kind}` | {meaning} | {} |\n", members.join(" "))
        })
        .collect();
    published(
        "session-format.md",
        &format!("{head}## Facts\n\n| kind | meaning | members |\n|---|---|---|\n{rows}\n- {tail}"),
    );
    assert!(page.starts_with(&format!("# The session file, format {MAJOR}")));
}
