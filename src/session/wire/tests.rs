//! Laws of the JSON form, and the form itself as people and scripts see it.

use super::*;
use crate::schema as check;
use crate::session::arbitrary;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Holds the JSON of a fact against the published schema of a line.
fn misfit(fact: &Fact) -> Result<(), String> {
    let whole: serde_json::Value =
        serde_json::from_str(include_str!("../../../docs/session.schema.json")).expect("the schema is JSON");
    check::misfit(&whole, &whole["properties"]["fact"], &to_json(fact), "fact")
}

#[test]
fn every_kind_of_fact_fits_the_published_schema_and_another_one_does_not() {
    for fact in arbitrary::one_of_each() {
        misfit(&fact).unwrap_or_else(|fault| panic!("{fault}"));
    }
    let whole: serde_json::Value =
        serde_json::from_str(include_str!("../../../docs/session.schema.json")).expect("the schema is JSON");
    for wrong in [
        serde_json::json!({ "kind": "tagged", "on": "session" }),
        serde_json::json!({ "kind": "tagged", "on": "sesion", "tag": "t" }),
        serde_json::json!({ "kind": "tagged", "on": "session", "tag": "t", "more": 1 }),
        serde_json::json!({ "kind": "threshold_set", "name": "n", "value": "infinite" }),
        serde_json::json!({ "kind": "unheard_of" }),
    ] {
        assert!(check::misfit(&whole, &whole["properties"]["fact"], &wrong, "fact").is_err(), "{wrong}");
    }
}

#[test]
fn every_kind_of_fact_reads_back_as_it_was_written() {
    let mut kinds = BTreeSet::new();
    for fact in arbitrary::one_of_each() {
        let text = to_text(&fact);
        assert_eq!(from_text(text.as_bytes()).as_ref(), Ok(&fact), "{text}");
        kinds.insert(to_json(&fact)["kind"].as_str().expect("a kind").to_owned());
    }
    assert_eq!(kinds, KINDS.iter().map(|k| (*k).to_owned()).collect());
}

proptest! {
    #[test]
    fn any_fact_fits_the_published_schema(fact in arbitrary::fact()) {
        prop_assert_eq!(misfit(&fact), Ok(()));
    }

    #[test]
    fn any_fact_reads_back_with_every_byte_of_text_and_every_bit_of_a_float(fact in arbitrary::fact()) {
        let text = to_text(&fact);
        let back = from_text(text.as_bytes());
        prop_assert_eq!(back.as_ref(), Ok(&fact));
        // Equality takes 0.0 for -0.0; the text does not.
        prop_assert_eq!(to_text(&back.expect("just compared")), text.clone());
        prop_assert_eq!(from_json(to_json(&fact)), Ok(fact));
        prop_assert!(!text.chars().any(char::is_control), "{}", text);
    }

    #[test]
    fn any_float_keeps_its_bits(bits in any::<u64>()) {
        let float = f64::from_bits(bits);
        let fact = Fact::ThresholdSet { name: arbitrary::name("t"), value: float };
        let Ok(Fact::ThresholdSet { value, .. }) = from_text(to_text(&fact).as_bytes()) else {
            panic!("not read back")
        };
        prop_assert_eq!(value.to_bits(), bits);
    }
}

#[test]
fn floats_without_a_json_number_have_a_written_form() {
    let cases = [
        (f64::INFINITY, "\"inf\""),
        (f64::NEG_INFINITY, "\"-inf\""),
        (f64::NAN, "\"nan\""),
        (f64::from_bits(0xfff8_0000_0000_0001), "\"nan:fff8000000000001\""),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
    ];
    for (value, written) in cases {
        let text = to_text(&Fact::ThresholdSet { name: arbitrary::name("t"), value });
        assert_eq!(text, format!("{{\"kind\":\"threshold_set\",\"name\":\"t\",\"value\":{written}}}"));
        let Ok(Fact::ThresholdSet { value: back, .. }) = from_text(text.as_bytes()) else { panic!("{text}") };
        assert_eq!(back.to_bits(), value.to_bits());
    }
    let whole = br#"{"kind":"threshold_set","name":"t","value":1}"#;
    assert_eq!(from_text(whole), Ok(Fact::ThresholdSet { name: arbitrary::name("t"), value: 1.0 }));
}

#[test]
fn a_field_of_a_newer_version_is_ignored_and_a_kind_of_it_is_told_from_nonsense() {
    let newer = br#"{"kind":"command","line":"step","since":"1.7"}"#;
    assert_eq!(from_text(newer), Ok(Fact::Command { line: "step".into() }));
    assert_eq!(from_text(br#"{"kind":"teleported"}"#), Err(WireError::UnknownKind("teleported".into())));
}

#[test]
fn values_that_the_domain_refuses_are_refused() {
    let cases: [(&str, &str); 8] = [
        ("{", "EOF while parsing"),
        ("[]", "a JSON object"),
        ("{}", "missing field `kind`"),
        (r#"{"kind":"command"}"#, "missing field `line`"),
        (r#"{"kind":"tagged","on":"session","tag":"a\u001b[2J"}"#, "U+001B"),
        (r#"{"kind":"walk_forked","walk":-1,"from":1,"at":0}"#, "integer `-1`"),
        (r#"{"kind":"threshold_set","name":"t","value":"nan:0000000000000000"}"#, "nan:0000"),
        (r#"{"kind":"samples_loaded","path":"p","count":1,"bad":0,"sha256":"00"}"#, "64 hexadecimal"),
    ];
    for (text, expected) in cases {
        match from_text(text.as_bytes()) {
            Err(WireError::Invalid(what)) => assert!(what.raw().contains(expected), "{text}: {what:?}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn the_written_form_is_the_one_that_scripts_rely_on() {
    let step = Fact::Stepped { walk: crate::session::WalkId(1), step: example_step() };
    insta::assert_snapshot!(serde_json::to_string_pretty(&to_json(&step)).expect("JSON"), @r#"
{
  "kind": "stepped",
  "walk": 1,
  "step": {
    "node": {
      "id": "asks_for_value",
      "hash": "545ea538461003efdc8c81c244531b003f6f26cfccf6c0073b3239fdedf49446"
    },
    "judgement": {
      "rationale": {
        "text": "Gift\ncards.",
        "tokens": 3,
        "stop": "end_of_turn"
      },
      "readout": {
        "answers": [
          {
            "answer": "yes",
            "logprob": -0.25,
            "p": 1.0
          },
          {
            "answer": "no",
            "logprob": "-inf",
            "p": 0.0
          }
        ],
        "coverage": 0.7788007830714049
      },
      "prompt_sha256": "cf07194ee232eb531e15f690000d19846dea69cf05504782658afcfacb9228a2",
      "logits_sha256": "224834529abbd9d67917ab67be9712dfdf0a290169ca580d9cae5d904d75abef",
      "usage": {
        "prompt_tokens": 300,
        "reused_tokens": 250,
        "computed_tokens": 60,
        "millis": 12
      }
    },
    "answer": "yes",
    "taken": "argmax",
    "target": {
      "node": "deceptive"
    }
  }
}
"#);
}

fn example_step() -> crate::session::Step {
    use crate::domain::{Digest, Judgement, Rationale, Readout, StopReason, Target, Usage};
    use crate::session::{NodeRef, Step, Taken};
    let name = arbitrary::name;
    Step {
        node: NodeRef { id: name("asks_for_value"), hash: Digest::of(b"node") },
        judgement: Some(Judgement {
            rationale: Some(Rationale { text: "Gift\ncards.".into(), tokens: 3, stop: StopReason::EndOfTurn }),
            readout: Readout::from_logprobs([(name("yes"), -0.25), (name("no"), f64::NEG_INFINITY)]),
            prompt_sha256: Digest::of(b"prompt"),
            logits_sha256: Digest::of(b"logits"),
            usage: Usage { prompt_tokens: 300, reused_tokens: 250, computed_tokens: 60, millis: 12 },
        }),
        prompt: Vec::new(),
        answer: name("yes"),
        taken: Taken::Argmax,
        target: Target::Node(name("deceptive")),
    }
}
