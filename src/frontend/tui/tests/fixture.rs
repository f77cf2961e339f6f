//! A small session made of facts, for the screens to show.

use crate::domain::{
    Classifier, Content, Digest, Field, Gold, Judgement, Layout, ModelInfo, Name, Outcome, Rationale, Readout, Sample,
    StopReason, Target, Usage, Verdict,
};
use crate::policy::{Example, Leaf, Node, Policy, Unsure};
use crate::session::{Fact, LeafReached, NodeRef, PolicyRecord, SourceFile, Step, Taken, WalkId};
use crate::text::Untrusted;

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn digest() -> Digest {
    Digest::of(b"fixture")
}

fn node(id: &str, question: &str, guidance: &[&str], answers: &[(&str, Target)], line: usize) -> Node {
    Node {
        id: name(id),
        question: question.into(),
        guidance: guidance.iter().map(|g| Untrusted::from(*g)).collect(),
        examples: Vec::new(),
        answers: answers.iter().map(|(a, t)| (name(a), t.clone())).collect(),
        unsure: None,
        hash: digest(),
        line,
        file: 0,
    }
}

fn to(id: &str) -> Target {
    Target::Node(name(id))
}

fn end(id: &str) -> Target {
    Target::Leaf(name(id))
}

fn leaf(id: &str, outcome: Outcome, label: Option<&str>) -> Leaf {
    Leaf {
        id: name(id),
        verdict: Verdict { outcome, label: label.map(name) },
        severity: None,
        action: None,
        rule_ids: Vec::new(),
    }
}

pub fn policy() -> Policy {
    let mut nodes = vec![
        node(
            "is_report",
            "Does the text report, warn of or discuss a scam that somebody else ran?",
            &["News, warnings and victims' accounts are reports.", "A quote inside an appeal for money is no report."],
            &[("yes", end("clean")), ("no", to("asks_for_value"))],
            20,
        ),
        node(
            "asks_for_value",
            "Does the text ask the reader for money, credentials or personal data?",
            &[
                "Count gift cards, crypto and bank transfers as money.",
                "An offer to buy something at a stated price is no request.",
            ],
            &[("yes", to("deceptive")), ("no", to("recruits"))],
            31,
        ),
        node(
            "deceptive",
            "Is the reason that the text gives for its request deceptive?",
            &["Look for a false identity, a false emergency or a return that nobody can promise."],
            &[("yes", end("remove")), ("no", end("clean"))],
            45,
        ),
        node(
            "recruits",
            "Does the text recruit the reader for a scheme?",
            &[],
            &[("yes", to("deceptive")), ("no", end("clean"))],
            60,
        ),
    ];
    nodes[2].unsure = Some(Unsure { margin: 0.15, target: end("review") });
    nodes[0].examples = vec![Example {
        text: "My bank warned me of calls like this.".into(),
        answer: name("yes"),
        why: Some("a warning".into()),
    }];
    Policy {
        id: name("scams"),
        version: "1.2.0".into(),
        title: "Scams and deceptive practices".into(),
        owner: None,
        effective: None,
        root: name("is_report"),
        instructions: "Read the post.".into(),
        layout: Layout::SampleFirst,
        terms: Vec::new(),
        nodes,
        leaves: vec![
            leaf("remove", Outcome::Violating, Some("SC1")),
            leaf("clean", Outcome::NonViolating, None),
            leaf("review", Outcome::Escalate, None),
        ],
        sha256: digest(),
    }
}

pub fn sample() -> Sample {
    let field = |n: &str, values: &[&str]| Field {
        name: name(n),
        values: values.iter().map(|v| Untrusted::from(*v)).collect(),
    };
    let content = Content::Fields(vec![
        field("caption", &["Double your coins today! Send 0.1 to the address below and get 0.2 back within the hour."]),
        field("transcript", &["hi everyone, this is a limited thing so please be quick 🎉 今日だけ"]),
        field("hashtags", &["#crypto", "#giveaway"]),
    ]);
    Sample {
        gold: Gold {
            outcome: Some(Outcome::Violating),
            label: Some(name("SC1")),
            path: vec![
                (name("is_report"), name("no")),
                (name("asks_for_value"), name("yes")),
                (name("deceptive"), name("yes")),
            ],
        },
        scores: vec![(name("scam"), 0.83), (name("spam"), 0.41)],
        thresholds: vec![(name("scam"), 0.70), (name("spam"), 0.90)],
        classifier: Some(Classifier { id: "scamnet".into(), version: Some("2026-09".into()) }),
        ..Sample::new("post-0003", content)
    }
}

pub fn judgement(ps: &[(&str, f64)], rationale: &str) -> Judgement {
    Judgement {
        rationale: (!rationale.is_empty()).then(|| Rationale {
            text: rationale.into(),
            tokens: rationale.split(' ').count() as u32,
            stop: StopReason::EndOfTurn,
        }),
        readout: Readout::from_logprobs(ps.iter().map(|(a, p)| (name(a), p.ln()))),
        prompt_sha256: digest(),
        logits_sha256: digest(),
        usage: Usage { prompt_tokens: 412, reused_tokens: 380, computed_tokens: 71, millis: 1840 },
    }
}

pub fn stepped(node: &str, judgement: Judgement, target: Target) -> Fact {
    let answer = judgement.readout.best().unwrap().answer.clone();
    Fact::Stepped {
        walk: WalkId(1),
        step: Step {
            node: NodeRef { id: name(node), hash: digest() },
            judgement: Some(judgement),
            prompt: Vec::new(),
            answer,
            taken: Taken::Argmax,
            target,
        },
    }
}

pub fn record() -> PolicyRecord {
    PolicyRecord {
        id: name("scams"),
        version: "1.2.0".into(),
        title: "Scams and deceptive practices".into(),
        sha256: digest(),
        files: vec![SourceFile { path: "policies/scams.toml".into(), text: "".into() }],
    }
}

/// The policy with another question at its second node.
pub fn edited() -> Policy {
    let mut policy = policy();
    policy.version = "1.2.1".into();
    policy.nodes[1].question = "Does the text ask the reader for money?".into();
    policy.nodes[1].hash = Digest::of(b"edited");
    policy
}

/// What is recorded of it.
pub fn edited_record() -> PolicyRecord {
    PolicyRecord { version: "1.2.1".into(), sha256: Digest::of(b"edited"), ..record() }
}

pub fn opening() -> Vec<Fact> {
    vec![
        Fact::Opened { program: "0.1.0".into(), at: "2026-11-23T10:00:00Z".into() },
        Fact::PolicyLoaded(record()),
        Fact::SamplesLoaded {
            path: "samples/scams.jsonl".into(),
            count: 30,
            bad: 0,
            faults: Vec::new(),
            sha256: digest(),
        },
        Fact::ModelLoaded(model()),
        Fact::WalkStarted { walk: WalkId(1), index: 2, sample: sample(), root: name("is_report") },
    ]
}

pub fn model() -> ModelInfo {
    ModelInfo {
        name: "models/SmolLM2-135M-Instruct.Q4_1.gguf".into(),
        architecture: "llama".into(),
        sha256: digest(),
        tokenizer_sha256: digest(),
        template_sha256: digest(),
        kernel: "candle-f32/1".into(),
        isa: "avx512".into(),
        kv_dtype: "f32".into(),
        device: "cpu".into(),
        context: 8192,
        parameters: 134_515_008,
    }
}

pub fn first_step() -> Fact {
    stepped(
        "is_report",
        judgement(&[("yes", 0.06), ("no", 0.91)], "The text offers coins to the reader. It does not warn of a scam."),
        to("asks_for_value"),
    )
}

pub fn to_the_leaf() -> Vec<Fact> {
    vec![
        first_step(),
        stepped(
            "asks_for_value",
            judgement(&[("yes", 0.62), ("no", 0.21)], "The text asks the reader to send 0.1 coins."),
            to("deceptive"),
        ),
        stepped(
            "deceptive",
            judgement(
                &[("yes", 0.11), ("no", 0.27)],
                "A return of double the money is promised, which is common in trading.",
            ),
            end("clean"),
        ),
        Fact::LeafReached {
            walk: WalkId(1),
            leaf: LeafReached {
                id: name("clean"),
                verdict: Verdict { outcome: Outcome::NonViolating, label: None },
                severity: None,
                action: None,
                rule_ids: Vec::new(),
            },
        },
    ]
}
