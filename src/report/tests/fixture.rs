//! A scripted session: a small policy, a sample with a trap in it, and what happened.

use crate::domain::{
    Classifier, Content, Digest, Field, Gold, Judgement, Mode, ModelInfo, Name, Outcome, Rationale, Readout, Sample,
    StopReason, Target, Usage, Verdict,
};
use crate::policy::{Policy, parse};
use crate::session::{Fact, LeafReached, NodeRef, PolicyRecord, SessionState, SourceFile, Step, Taken, WalkId};

pub const POLICY: &str = r#"[policy]
id = "scams"
version = "1.2.0"
title = "Scams and deceptive practices"
owner = "Integrity policy"
effective = 2026-10-01
root = "awareness"
instructions = "You check one post against one rule at a time."

[[term]]
name = "request for value"
definition = "Words that ask the reader to pay, send or buy something."

[node.awareness]
question = "Does the post warn about scams?"
guidance = ["Count news and advice.", "Answer no when the post asks for money itself."]
examples = [
  { text = "Police warn of fake parcel texts.", answer = "yes", why = "It informs." },
  { text = "SCAM ALERT! Log in here.", answer = "no" },
]
answers = { yes = { leaf = "clean" }, no = { next = "request" } }

[node.request]
question = "Does the post make a [[request for value]]?"
guidance = ["Count fees."]
examples = [
  { text = "Pay the 2 euro fee.", answer = "yes" },
  { text = "Send your CV.", answer = "no" },
]
answers = { yes = { next = "sender" }, no = { leaf = "clean" }, unclear = { leaf = "review" } }
unsure = { margin = 0.15, leaf = "review" }

[node.sender]
question = "Does the sender pretend to be a bank, a company or an authority?"
examples = [
  { text = "Your bank: confirm your PIN.", answer = "yes" },
  { text = "Hi mum, new number.", answer = "no" },
]
answers = { yes = { leaf = "remove" }, no = { leaf = "review" } }

[leaf.remove]
outcome = "violating"
label = "SC1"
severity = 3
action = "remove"
rule_ids = ["SC1.a", "SC1.c"]

[leaf.clean]
outcome = "non_violating"
label = "SC0"

[leaf.review]
outcome = "escalate"
label = "SC9"
action = "review"
"#;

pub const WALK: WalkId = WalkId(1);

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn policy() -> Policy {
    let parsed = parse("scams.toml", POLICY, &mut |_| Err("no includes".to_owned()));
    parsed.policy.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
}

pub fn record() -> PolicyRecord {
    let policy = policy();
    PolicyRecord {
        id: policy.id,
        version: policy.version,
        title: policy.title,
        sha256: policy.sha256,
        files: vec![SourceFile { path: "policies/scams.toml".into(), text: POLICY.into() }],
    }
}

pub fn model() -> ModelInfo {
    ModelInfo {
        name: "SmolLM2-135M-Instruct".into(),
        architecture: "llama".into(),
        sha256: Digest::of(b"model"),
        tokenizer_sha256: Digest::of(b"tokenizer"),
        template_sha256: Digest::of(b"template"),
        kernel: "candle-f32/1".into(),
        isa: "avx512".into(),
        kv_dtype: "f32".into(),
        device: "cpu".into(),
        context: 8192,
        parameters: 134_515_008,
    }
}

pub fn text_sample() -> Sample {
    let content = Content::Text(
            "Your parcel is on hold. Pay the 1.99 cus\u{200b}toms fee within 12 hours: parcel-release.example/pay\nReply \u{202e}POTS\u{202c} to opt out 👩‍👧".into(),
        );
    Sample {
        gold: Gold {
            outcome: Some(Outcome::Violating),
            label: Some(name("SC1")),
            path: vec![(name("awareness"), name("no")), (name("request"), name("yes"))],
        },
        scores: vec![(name("scam"), 0.93), (name("spam"), 0.2), (name("adult"), 0.01)],
        thresholds: vec![(name("scam"), 0.7), (name("spam"), 0.5)],
        classifier: Some(Classifier { id: "scam-clf".into(), version: Some("2026-09".into()) }),
        verdicts: vec![(name("auditor"), Verdict { outcome: Outcome::Violating, label: Some(name("SC2")) })],
        meta: Some("{\"source\":\"appeals\"}".into()),
        ..Sample::new("sc-001", content)
    }
}

pub fn video_sample() -> Sample {
    Sample::new(
        "clip-9",
        Content::Fields(vec![
            Field { name: name("caption"), values: vec!["Easy money, ask me how".into()] },
            Field { name: name("hashtags"), values: vec!["#hustle".into(), "#fyp".into()] },
            Field {
                name: name("transcript"),
                values: vec![
                    "I made three thousand last week just by liking videos, and so can you, write me today.".into(),
                ],
            },
        ]),
    )
}

pub fn judgement(ps: &[(&str, f64)], rationale: Option<(&str, StopReason)>) -> Judgement {
    Judgement {
        rationale: rationale.map(|(text, stop)| Rationale { text: text.into(), tokens: 23, stop }),
        readout: Readout::from_logprobs(ps.iter().map(|(answer, p)| (name(answer), p.ln()))),
        prompt_sha256: Digest::of(b"prompt"),
        logits_sha256: Digest::of(b"logits"),
        usage: Usage { prompt_tokens: 1412, reused_tokens: 1380, computed_tokens: 61, millis: 812 },
    }
}

pub fn step(node: &str, judgement: Option<Judgement>, answer: &str, taken: Taken, target: Target) -> Step {
    let hash = policy().node(node).unwrap().hash;
    Step { node: NodeRef { id: name(node), hash }, judgement, prompt: Vec::new(), answer: name(answer), taken, target }
}

pub fn first_step() -> Step {
    let said = "The post does not warn about anything. It asks the reader to pay a fee, under time pressure, \
                to a site that is not the carrier's.";
    let judgement = judgement(&[("yes", 0.06), ("no", 0.92)], Some((said, StopReason::Cue)));
    step("awareness", Some(judgement), "no", Taken::Argmax, Target::Node(name("request")))
}

pub fn unsure_step() -> Step {
    let judgement =
        judgement(&[("yes", 0.11), ("no", 0.1), ("unclear", 0.02)], Some((" It may\n", StopReason::Length)));
    step("request", Some(judgement), "yes", Taken::Unsure, Target::Leaf(name("review")))
}

pub fn overridden_step() -> Step {
    step("request", None, "yes", Taken::Overridden, Target::Node(name("sender")))
}

pub fn last_step() -> Step {
    let judgement = judgement(&[("yes", 0.998), ("no", 0.0001)], None);
    step("sender", Some(judgement), "yes", Taken::Argmax, Target::Leaf(name("remove")))
}

pub fn leaf(id: &str) -> LeafReached {
    let leaf = policy().leaf(id).unwrap().clone();
    LeafReached {
        id: leaf.id,
        verdict: leaf.verdict,
        severity: leaf.severity,
        action: leaf.action,
        rule_ids: leaf.rule_ids,
    }
}

/// The facts of a session in which the model gave up at the second node and a person went on in a branch.
pub fn facts() -> Vec<Fact> {
    let branch = WalkId(2);
    vec![
        Fact::Opened { program: "0.1.0".into(), at: "2026-11-23T02:30:00Z".into() },
        Fact::PolicyLoaded(record()),
        Fact::SamplesLoaded {
            path: "samples/scams.jsonl".into(),
            count: 46,
            bad: 2,
            faults: vec!["7:12: `gold` is no outcome (write violating)".into()],
            sha256: Digest::of(b"s"),
        },
        Fact::ModelLoaded(model()),
        Fact::ModeSet { mode: Mode::Rationale { max_tokens: 96 } },
        Fact::WalkStarted { walk: WALK, index: 0, sample: text_sample(), root: name("awareness") },
        Fact::Stepped { walk: WALK, step: first_step() },
        Fact::Stepped { walk: WALK, step: unsure_step() },
        Fact::LeafReached { walk: WALK, leaf: leaf("review") },
        Fact::WalkForked { walk: branch, from: WALK, at: 1 },
        Fact::Stepped { walk: branch, step: overridden_step() },
        Fact::Stepped { walk: branch, step: last_step() },
        Fact::LeafReached { walk: branch, leaf: leaf("remove") },
    ]
}

pub fn state(facts: &[Fact]) -> SessionState {
    let mut state = SessionState::default();
    facts.iter().for_each(|fact| state.apply(fact));
    state
}
