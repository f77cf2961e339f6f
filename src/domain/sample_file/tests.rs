//! What would break for an analyst whose file is slightly wrong, or hostile.
//!
//! Must stay table-driven: a new fault is a new row.

use super::*;
use proptest::prelude::*;

fn good(line: &str) -> Sample {
    parse_line(7, line.as_bytes()).unwrap_or_else(|e| panic!("{line}: {e:?}"))
}

fn hint_of(error: &SampleError) -> &str {
    error.complaint.hint.as_deref().unwrap_or_default()
}

#[test]
fn every_key_of_the_format_arrives_where_it_belongs() {
    let s = good(
        r#"{"id":"v1","fields":{"caption":"hi","hashtags":["a","b"],"ocr":null},"gold":"violating","gold_label":"SC1",
            "gold_path":{"news":"no","money":"yes","later":null},"scores":{"scam":0.91,"spam":null},"thresholds":{"scam":0.8},
            "classifier":{"id":"clf","version":3.1},"verdicts":{"auditor":{"outcome":"escalate","label":"SC2"},"llm":false},
            "meta":{"lang":"en","n":12345678901234567890123}}"#,
    );
    insta::assert_debug_snapshot!(s, @r#"
    Sample {
        id: "v1",
        content: Fields(
            [
                Field {
                    name: "caption",
                    values: [
                        "hi",
                    ],
                },
                Field {
                    name: "hashtags",
                    values: [
                        "a",
                        "b",
                    ],
                },
            ],
        ),
        gold: Gold {
            outcome: Some(
                Violating,
            ),
            label: Some(
                "SC1",
            ),
            path: [
                (
                    "news",
                    "no",
                ),
                (
                    "money",
                    "yes",
                ),
            ],
        },
        scores: [
            (
                "scam",
                0.91,
            ),
        ],
        thresholds: [
            (
                "scam",
                0.8,
            ),
        ],
        classifier: Some(
            Classifier {
                id: "clf",
                version: Some(
                    "3.1",
                ),
            },
        ),
        verdicts: [
            (
                "auditor",
                Verdict {
                    outcome: Escalate,
                    label: Some(
                        "SC2",
                    ),
                },
            ),
            (
                "llm",
                Verdict {
                    outcome: NonViolating,
                    label: None,
                },
            ),
        ],
        meta: Some(
            "{\"lang\":\"en\",\"n\":12345678901234567890123}",
        ),
    }
    "#);
}

#[test]
fn an_absent_or_null_label_is_unknown_and_never_no() {
    for line in [
        r#"{"text":"x"}"#,
        r#"{"text":"x","gold":null,"gold_label":null,"gold_path":null,"scores":null,"classifier":null,"meta":null,"id":null}"#,
        r#"{"text":"x","gold":null,"gold_violates":null}"#,
    ] {
        let s = good(line);
        assert_eq!(s.gold, crate::domain::Gold::default(), "{line}");
        assert_eq!((s.id.raw(), s.meta, s.scores.len()), ("line-7", None, 0), "{line}");
    }
}

#[test]
fn labels_of_public_data_sets_give_the_outcome_and_keep_their_words() {
    let cases = [
        (r#""gold":true"#, Some(Outcome::Violating), None),
        (r#""gold":false"#, Some(Outcome::NonViolating), None),
        (r#""gold":"escalate""#, Some(Outcome::Escalate), None),
        (
            r#""gold":"ham","gold_violates":false,"category":[]"#,
            Some(Outcome::NonViolating),
            Some(r#"{"gold":"ham","category":[]}"#),
        ),
        (r#""gold":{"S": 1},"gold_violates":true"#, Some(Outcome::Violating), Some(r#"{"gold":{"S": 1}}"#)),
        (r#""gold":"1","gold_violates":null"#, None, Some(r#"{"gold":"1"}"#)),
        (r#""gold":"violating","gold_violates":true"#, Some(Outcome::Violating), None),
        (r#""meta":{"a":1},"target":"x""#, None, Some(r#"{"a":1,"target":"x"}"#)),
    ];
    for (keys, outcome, meta) in cases {
        let s = good(&format!(r#"{{"text":"t",{keys}}}"#));
        assert_eq!((s.gold.outcome, s.meta.as_ref().map(Untrusted::raw)), (outcome, meta), "{keys}");
    }
}

#[test]
fn a_bad_line_says_where_what_and_what_to_do() {
    let cases: &[(&[u8], usize, &str, &str)] = &[
        (b"", 1, "empty", "one JSON object"),
        (b"  \t", 1, "empty", "one JSON object"),
        (b"[1]", 1, "a list, not an object", "write a sample as"),
        (b"  \"x\"", 3, "a text, not an object", "write a sample as"),
        (b"{\"text\":\"a\xffb\"}", 11, "UTF-8", "as UTF-8"),
        ("{\"text\":\"é\" \"b\"}".as_bytes(), 13, "not valid JSON", "not JSON"),
        (b"{\"text\":\"cut", 12, "not valid JSON", "ends too early"),
        (b"{'text':'a'}", 2, "not valid JSON", "single quotes"),
        (b"{\"text\":\"a\\ud800b\"}", 17, "hex escape", "surrogate pair"),
        (b"{\"text\":\"a\\ud800\\u0041\"}", 22, "surrogate", "surrogate pair"),
        (b"{\"text\":\"a\x01\"}", 11, "control character", "inside texts"),
        (b"{\"text\":\"a\",\"scores\":{\"s\":NaN}}", 27, "not valid JSON", "NaN"),
        (b"{\"text\":\"a\",\"scores\":{\"s\":1e999}}", 31, "out of range", "finite"),
        (b"{\"text\":\"a\"} {\"text\":\"b\"}", 14, "trailing characters", "one JSON object a line"),
        (b"{\"id\":\"a\"}", 1, "neither `text` nor `fields`", "caption"),
        (b"{\"id\":\"a\",\"text\":null}", 18, "neither `text` nor `fields`", "caption"),
        (b"{\"text\":\"a\",\"fields\":{\"c\":\"d\"}}", 22, "both `text` and `fields`", "keep `text`"),
        (b"{\"text\":5}", 9, "`text` is a number, not a text", "write a text"),
        (b"{\"fields\":{}}", 11, "nothing to read", "at least one"),
        (b"{\"fields\":{\"a\":null}}", 11, "nothing to read", "at least one"),
        (b"{\"fields\":{\"a\":[\"b\",1]}}", 16, "the field \"a\" is a list", "list of texts"),
        (b"{\"fields\":{\"a\\u202e\":\"b\"}}", 22, "U+202E", "letters"),
        (b"{\"text\":\"a\",\"text\":\"b\"}", 20, "twice", "keep one"),
        (b"{\"text\":\"a\",\"scores\":{\"s\":1,\"s\":2}}", 33, "twice", "keep one"),
        (b"{\"id\":\"\",\"text\":\"a\"}", 7, "id is empty", "leave it out"),
        (b"{\"id\":1.5,\"text\":\"a\"}", 7, "`id` is 1.5, not a text or a whole number", "as a text"),
        (b"{\"id\":123.0,\"text\":\"a\"}", 7, "`id` is 123.0", "read the column as text"),
        (b"{\"id\":[1],\"text\":\"a\"}", 7, "`id` is a list", "whole number"),
        (b"\xff\xfe{\0\"\0", 1, "UTF-16", "iconv"),
        (b"\xfe\xff\0{\0\"", 1, "UTF-16", "iconv"),
        (b"\0{\0\"\0i", 1, "UTF-16", "iconv"),
        (b"{\0\"\0i\0", 1, "UTF-16", "iconv"),
        (b"\0", 1, "UTF-16", "iconv"),
        ("\r\0".as_bytes(), 1, "UTF-16", "iconv"),
        (b"{\"text\":\"a\0b\"}", 11, "control character", "inside texts"),
        (b"{\"text\":\0\"a\"}", 9, "not valid JSON: expected value", "one JSON object a line"),
        (b"\0{\"text\":\"a\"}", 1, "not valid JSON: expected value", "one JSON object a line"),
        (b"{\"text\":\"a\"}\0\0\0", 13, "trailing characters", "one JSON object a line"),
        (b"\0\0\0\0\0", 1, "not valid JSON: expected value", "one JSON object a line"),
        (b"\xef\xbb\xbf{\"text\":\"a\"}", 1, "byte order mark", "EF BB BF"),
        (b"{\"text\":\"a\",\"gold\":\"scam\"}", 20, "no outcome", "gold_label"),
        (b"{\"text\":\"a\",\"gold\":1}", 20, "`gold` is a number", "outcome word"),
        (b"{\"text\":\"a\",\"gold\":false,\"gold_violates\":true}", 20, "`gold_violates` says true", "right"),
        (b"{\"text\":\"a\",\"gold_violates\":\"yes\"}", 29, "`gold_violates` is a text", "true or false"),
        (b"{\"text\":\"a\",\"gold_path\":{\"n\":true}}", 30, "true or false, not a text", "write a text"),
        (b"{\"text\":\"a\",\"scores\":{\"s\":\"0.5\"}}", 27, "\"s\" in `scores` is a text", "a number"),
        (b"{\"text\":\"a\",\"scores\":[0.5]}", 22, "`scores` is a list", "an object"),
        (b"{\"text\":\"a\",\"threshold\":{\"s\":1}}", 25, "\"threshold\" is not known", "`thresholds`"),
        (b"{\"text\":\"a\",\"goldLabel\":\"x\"}", 25, "not known", "`gold_label`"),
        (b"{\"text\":\"a\",\"classifier\":{\"version\":\"1\"}}", 26, "no `id`", "name the classifier"),
        (b"{\"text\":\"a\",\"classifier\":{\"id\":\"c\",\"ver\":1}}", 42, "no key \"ver\"", "under `meta`"),
        (b"{\"text\":\"a\",\"verdicts\":{\"x\":{\"label\":\"L\"}}}", 29, "no `outcome`", "leave it out"),
        (b"{\"text\":\"a\",\"meta\":\"m\"}", 20, "`meta` is a text", "an object"),
        (b"{\"text\":\"a\",\"meta\":{\"k\":1},\"k\":2}", 32, "both in the sample and in its `meta`", "keep one"),
    ];
    let mut wrong = Vec::new();
    for (line, col, message, hint) in cases {
        let shown = String::from_utf8_lossy(line);
        let e = parse_line(3, line).expect_err(&shown);
        if !(e.line == 3 && e.col == *col && e.complaint.message.raw().contains(message) && hint_of(&e).contains(hint))
        {
            wrong.push(format!("{shown}: {e:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn deep_nesting_and_huge_lines_are_errors_and_no_crash() {
    let deep = format!(r#"{{"text":"a","meta":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(parse_line(1, deep.as_bytes()).expect_err("too deep").complaint.message.raw().contains("recursion"));
    let mut file = format!(r#"{{"text":"{}"}}"#, "x".repeat(MAX_LINE_BYTES)).into_bytes();
    file.extend_from_slice(b"\n{\"text\":\"next\"}");
    let loaded = load(file.as_slice()).expect("memory does not fail");
    assert_eq!((loaded.samples.len(), loaded.errors.len()), (1, 1));
    assert_eq!(loaded.samples[0].0, 2);
    assert!(loaded.errors[0].complaint.message.raw().contains("longer than"));
}

#[test]
fn a_file_keeps_every_good_line_also_with_a_repeated_id_and_reports_bad_lines() {
    let file =
        b"\xef\xbb\xbf{\"id\":\"a\",\"text\":\" 1 \"}\r\n\nbroken\n{\"id\":\"a\",\"text\":\"2\"}\n{\"text\":\"3\"}";
    let loaded = load(&file[..]).expect("memory does not fail");
    let texts: Vec<_> = loaded.samples.iter().map(|(n, s)| (*n, s.id.raw(), s.content.clone())).collect();
    let text = |t: &str| Content::Text(t.into());
    assert_eq!(texts, [(1, "a", text(" 1 ")), (4, "a", text("2")), (5, "line-5", text("3"))]);
    assert_eq!(loaded.errors.iter().map(|e| e.line).collect::<Vec<_>>(), [3]);
    assert_eq!(loaded.bad, 1);
    assert_eq!(loaded.sha256, crate::domain::Digest::of(file));
}

#[test]
fn bad_lines_are_counted_and_only_the_first_are_kept() {
    let loaded = load("x\n".repeat(10_000).as_bytes()).expect("memory does not fail");
    assert_eq!((loaded.bad, loaded.errors.len()), (10_000, MAX_ERRORS));
}

#[test]
fn a_message_does_not_grow_with_what_it_quotes() {
    let long = "k".repeat(100_000);
    let lines = [
        format!(r#"{{"text":"a","{long}":1,"{long}":2}}"#),
        format!(r#"{{"text":"a","gold":"{long}"}}"#),
        format!(r#"{{"text":"a","scores":{{"{long}":1}}}}"#),
        format!(r#"{{"text":"a","classifier":{{"{long}":1}}}}"#),
    ];
    for line in lines {
        let e = parse_line(1, line.as_bytes()).expect_err("bad");
        assert!(
            e.complaint.message.raw().chars().count() <= MAX_MESSAGE + 1 && hint_of(&e).len() < 400,
            "{}",
            e.complaint.message.raw().len()
        );
    }
}

/// The members of an object with `n` keys.
fn keys(n: usize) -> String {
    (0..n).map(|i| format!(r#""k{i}":{i}"#)).collect::<Vec<_>>().join(",")
}

#[test]
fn a_sample_with_very_many_keys_costs_what_its_length_costs() {
    // Quadratic work on these took minutes in this profile.
    let many = keys(100_000);
    let sample = parse_line(1, format!(r#"{{"text":"a",{many}}}"#).as_bytes()).expect("all go to meta");
    assert_eq!(sample.meta.expect("meta").raw().len(), many.len() + 2);
    let both = format!(r#"{{"text":"a","meta":{{{many}}},{}}}"#, many.replace("\"k", "\"l"));
    assert!(parse_line(1, both.as_bytes()).is_ok());
    let twice = format!(r#"{{"text":"a",{many},"k0":1}}"#);
    assert!(parse_line(1, twice.as_bytes()).expect_err("twice").complaint.message.raw().contains("twice"));
    for key in ["scores", "thresholds", "fields", "gold_path", "verdicts"] {
        let line =
            format!(r#"{{"id":"a","text":"a","{key}":{{{many}}}}}"#).replace(r#""text":"a","fields""#, r#""fields""#);
        let e = parse_line(1, line.as_bytes()).expect_err(key);
        assert!(e.complaint.message.raw().contains("at most 4096"), "{key}: {}", e.complaint.message.raw());
    }
}

#[test]
fn shared_evaluation_files_are_read_without_an_error() {
    let shared = std::env::var("CROSSEXAM_SHARED").unwrap_or_else(|_| "../shared".to_owned());
    let Ok(sets) = std::fs::read_dir(std::path::Path::new(&shared).join("data")) else {
        eprintln!("skipped: no data in {shared}");
        return;
    };
    for set in sets.flatten() {
        let Ok(file) = std::fs::File::open(set.path().join("samples.jsonl")) else { continue };
        let loaded = load(std::io::BufReader::new(file)).expect("a readable file");
        assert!(loaded.errors.is_empty() && !loaded.samples.is_empty(), "{:?} {:?}", set.path(), loaded.errors.first());
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Err(e) = parse_line(1, &bytes) {
            prop_assert!(e.col >= 1 && !hint_of(&e).is_empty() && !e.complaint.message.is_empty());
        }
    }

    #[test]
    fn no_json_like_text_makes_it_panic(text in r#"[{}\[\]",:\\u0-9a-f \.\-etxgold_]{0,60}"#) {
        let line = format!(r#"{{"text":"a",{text}}}"#);
        for bytes in [line.as_bytes(), text.as_bytes()] {
            if let Err(e) = parse_line(1, bytes) {
                prop_assert!(e.col <= String::from_utf8_lossy(bytes).chars().count() + 1);
            }
        }
    }

    #[test]
    fn content_arrives_byte_for_byte(text in any::<String>(), other in any::<String>(), ascii in any::<bool>()) {
        let quote = |t: &str| {
            let q = json::quoted(t);
            if !ascii { return q; }
            let escape = |c: char| if c.is_ascii() { c.to_string() } else {
                c.encode_utf16(&mut [0; 2]).iter().map(|u| format!("\\u{u:04x}")).collect()
            };
            q.chars().map(escape).collect()
        };
        let line = format!(r#"{{"fields":{{"ocr":{},"comments":[{},{}]}}}}"#, quote(&text), quote(&other), quote(&text));
        let sample = parse_line(1, line.as_bytes()).expect("valid by construction");
        let Content::Fields(fields) = sample.content else { panic!("fields") };
        let raw: Vec<&str> = fields.iter().flat_map(|f| f.values.iter().map(Untrusted::raw)).collect();
        prop_assert_eq!(raw, [text.as_str(), other.as_str(), text.as_str()]);
    }
}
