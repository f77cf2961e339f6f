//! Tests over texts that people and attackers really wrote; they are skipped, with a message, if the shared data is
//! absent.
//!
//! Must not print or copy a text: much of it is offensive. Code points and counts are enough to find a fault.
#![cfg(test)]

use super::{Escaped, is_hidden, width};
use std::path::PathBuf;
use unicode_segmentation::UnicodeSegmentation;

fn shared(path: &str) -> Option<String> {
    let root = std::env::var_os("CROSSEXAM_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let read = std::fs::read_to_string(root.join("data").join(path));
    if read.is_err() {
        eprintln!("skipped: no {path} under the shared data ({})", root.display());
    }
    read.ok()
}

/// The texts of a JSON-lines file of samples.
fn texts(path: &str) -> Vec<String> {
    let lines = shared(path).unwrap_or_default();
    let text =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?.get("text")?.as_str().map(str::to_owned);
    lines.lines().filter_map(text).collect()
}

#[test]
fn emoji_that_people_post_stay_whole() {
    let mut hidden = std::collections::BTreeMap::<String, usize>::new();
    let texts = texts("hatemojicheck/samples.jsonl");
    for text in &texts {
        for segment in Escaped::line(text).segments().filter(|s| s.hidden) {
            *hidden.entry(segment.text.to_owned()).or_default() += 1;
        }
    }
    assert!(hidden.is_empty(), "hidden in {} texts: {hidden:?}", texts.len());
}

#[test]
fn no_string_of_the_hostile_collections_gets_through() {
    let lists = ["hostile-strings/blns.txt", "hostile-strings/garak_badchars_intentional.txt"];
    for raw in
        lists.iter().filter_map(|path| shared(path)).flat_map(|t| t.lines().map(str::to_owned).collect::<Vec<_>>())
    {
        let escaped = Escaped::line(&raw);
        let left: Vec<char> = escaped.as_str().chars().filter(|c| is_hidden(*c)).collect();
        let allowed = |c: &char| matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}');
        assert!(left.iter().all(allowed), "{left:?}");
        assert!(escaped.as_str().graphemes(true).all(|g| width::width(g) > 0));
        assert_eq!(Escaped::line(escaped.as_str()).as_str(), escaped.as_str());
    }
}

#[test]
fn ordinary_texts_are_not_escaped_without_need() {
    for path in ["hatecheck/samples.jsonl", "xstest/samples.jsonl"] {
        for text in texts(path) {
            let escaped = Escaped::line(&text);
            let expected = text.chars().filter(|c| is_hidden(*c)).count();
            assert!(escaped.hidden() <= expected, "{path}: {} markers, {expected} hidden characters", escaped.hidden());
        }
    }
}
