//! Tests of expressions: what they see, what is refused, and that hostile ones stay harmless.

use super::*;
use crate::domain::{
    Content, Digest, Gold, Judgement, Name, Outcome, Rationale, Readout, Sample, StopReason, Target, Usage, Verdict,
};
use crate::session::{Fact, LeafReached, NodeRef, SessionState, Step, Subject, Taken, WalkId};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn sample(gold: Option<Outcome>) -> Sample {
    Sample {
        id: "s-7".into(),
        content: Content::Text("Send me a gift card".into()),
        gold: Gold { outcome: gold, label: None, path: vec![(name("asks"), name("no"))] },
        scores: vec![(name("scam"), 0.4)],
        thresholds: vec![(name("scam"), 0.8)],
        classifier: None,
        verdicts: Vec::new(),
        meta: None,
    }
}

fn state(gold: Option<Outcome>) -> SessionState {
    let walk = WalkId(1);
    let readout = Readout::from_logprobs([(name("yes"), 0.6f64.ln()), (name("no"), 0.2f64.ln())]);
    let judgement = Judgement {
        rationale: Some(Rationale { text: "It asks.".into(), tokens: 3, stop: StopReason::Cue }),
        readout,
        prompt_sha256: Digest::of(b""),
        logits_sha256: Digest::of(b""),
        usage: Usage::default(),
    };
    let step = Step {
        node: NodeRef { id: name("asks"), hash: Digest::of(b"") },
        judgement: Some(judgement),
        answer: name("yes"),
        taken: Taken::Argmax,
        target: Target::Leaf(name("remove")),
    };
    let leaf = LeafReached {
        id: name("remove"),
        verdict: Verdict { outcome: Outcome::Violating, label: Some(name("SC1")) },
        severity: Some(3),
        action: None,
        rule_ids: Vec::new(),
    };
    let mut state = SessionState::default();
    for fact in [
        Fact::WalkStarted { walk, index: 6, sample: sample(gold), root: name("asks") },
        Fact::Stepped { walk, step },
        Fact::LeafReached { walk, leaf },
        Fact::ThresholdSet { name: name("scam"), value: 0.3 },
        Fact::Tagged { on: Subject::Walk(walk), tag: name("gift-card") },
    ] {
        state.apply(&fact);
    }
    state
}

#[test]
fn expressions_see_the_step_the_walk_and_the_sample() {
    let state = state(Some(Outcome::NonViolating));
    let context = Context::of(&state).with_hits(2);
    for source in [
        "p.yes > 0.74 and p[\"yes\"] < 0.76 and margin | round(3) == 0.5",
        "coverage < 0.81 and entropy > 0.8",
        "answer == 'yes' and node == \"asks\" and taken == 'argmax'",
        "verdict == 'violating' and outcome == verdict and label == 'SC1' and leaf == 'remove' and severity >= 3",
        "gold == 'non_violating' and verdict != gold and wrong",
        "gold_path.asks == 'no' and path.asks == 'yes'",
        "scores.scam < 0.8 and thresholds.scam == 0.3 and classifier == 'violating'",
        "sample.id == 's-7' and 'gift' in sample.text and sample.number == 7 and sample.text | length == 19",
        "'gift-card' in tags and steps == 1 and walk == 1 and hits == 2",
        "'asks' in rationale",
        "action is none",
        "p | length == 2",
    ] {
        assert_eq!(holds(source, &context), Ok(true), "{source}");
    }
}

#[test]
fn a_condition_that_reads_what_is_not_known_does_not_hold() {
    let state = state(None);
    let context = Context::of(&state);
    for source in
        ["verdict != gold", "gold != 'violating'", "not gold", "p.maybe < 0.5", "scores.hate < 1", "wrong == false"]
    {
        assert_eq!(holds(source, &context), Ok(false), "{source}");
    }
    assert_eq!(holds("gold is none", &context), Ok(true));
    assert_eq!(holds("gold is not none and verdict != gold", &context), Ok(false));
    for (source, expected) in [
        ("verdict == 'violating' or gold == 'violating'", true),
        ("gold == 'violating' or verdict == 'violating'", true),
        ("gold == 'violating' or verdict == 'escalate'", false),
        ("not (gold == 'violating' or verdict == 'escalate')", false),
        ("not (gold == 'violating' and verdict == 'escalate')", true),
        ("gold == 'violating' and verdict == 'violating'", false),
        ("gold is none or verdict != gold", true),
        ("gold is not none or verdict != gold", false),
        ("gold and gold | upper == 'X' or true", true),
    ] {
        assert_eq!(holds(source, &context), Ok(expected), "{source}");
    }
    let evaluated = eval("p.maybe", &context).unwrap();
    assert_eq!((evaluated.value, evaluated.absent), (Value::None, vec!["p.maybe".into()]));
    let before = Context::of_sample(&state, 0, &sample(None));
    assert_eq!(holds("p.yes < 0.5", &before), Ok(false));
    assert_eq!(holds("scores.scam >= thresholds.scam", &before), Ok(true));
}

#[test]
fn mistakes_are_found_when_the_expression_is_set() {
    let cases = [
        ("", "the expression is empty"),
        ("p.yes <", "cannot be read"),
        ("verdct == 'violating'", "there is no `verdct` here"),
        ("answer == yes", "there is no `yes` here"),
        ("sample.txt", "there is no `sample.txt` here"),
        ("range(10)", "there is no `range` here"),
        ("a.b\u{1b}", "cannot be read"),
    ];
    for (source, message) in cases {
        let error = check(source).expect_err(source);
        assert!(error.to_string().contains(message), "{source}: {error}");
    }
    let error = check("verdct").unwrap_err();
    assert!(error.hint.as_deref().is_some_and(|h| h.contains("verdict") && h.contains("scores")), "{error:?}");
    assert_eq!(check("p.yes < 0.6 and verdict != gold"), Ok(()));
}

#[test]
fn hostile_expressions_end_in_an_error_soon() {
    let context = Context::of(&state(None));
    let deep = format!("{}1{}", "(".repeat(1500), ")".repeat(1500));
    let nots = format!("{}true", "not ".repeat(1000));
    let minus = format!("{}1", "-".repeat(4000));
    let list = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
    let long = "1+".repeat(5000) + "1";
    let pow = format!("2{}", "**9".repeat(1000));
    for source in [
        "'a' * 100000000 == 'b'",
        "('x' * 10000000) | length > 1",
        &deep,
        &nots,
        &minus,
        &list,
        &long,
        &pow,
        "sample.text | nonsense",
        "sample.text.nonsense()",
        "p()",
        "1 / 0 > 1",
        "9223372036854775807 * 9223372036854775807 * 9223372036854775807 * 9223372036854775807",
        "{% include 'x' %}",
        "sample.text < {'a': [1]}",
    ] {
        // The value does not matter: that it comes back, and as a value or an error, does.
        let start = std::time::Instant::now();
        let result = eval(source, &context);
        assert!(start.elapsed().as_secs() < 5, "{}", &source.chars().take(30).collect::<String>());
        if let Err(error) = result {
            assert!(!error.message.is_empty());
        }
    }
    for source in ["'a' * 100000000 == 'b'", &deep, &list, &long] {
        assert!(eval(source, &context).is_err(), "{}", &source.chars().take(30).collect::<String>());
    }
}

#[test]
fn values_come_out_as_plain_data() {
    let context = Context::of(&state(None));
    let value = |source: &str| eval(source, &context).unwrap().value;
    assert_eq!(value("1 + 1"), Value::Integer(2));
    assert_eq!(value("p.yes | round(6)"), Value::Number(0.75));
    assert_eq!(value("margin > 0.1"), Value::Bool(true));
    assert_eq!(value("answer"), Value::Text("yes".into()));
    assert_eq!(value("tags"), Value::List(vec![Value::Text("gift-card".into())]));
    assert_eq!(value("path"), Value::Map(vec![("asks".into(), Value::Text("yes".into()))]));
}
