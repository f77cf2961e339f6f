//! Generated facts for property tests: every kind, hostile text, every float.
//!
//! Must be compiled for tests only.
#![cfg(test)]

use super::{
    Breakpoint, Fact, FailureKind, LeafReached, NodeRef, PolicyRecord, SourceFile, Step, Subject, Taken, WalkId,
};
use crate::domain::{
    AnswerScore, BreakAt, Classifier, Content, Digest, Field, Gold, Judgement, Mode, ModelInfo, Name, Outcome,
    Rationale, Readout, Sample, StopReason, Target, Usage, Verdict,
};
use crate::text::Untrusted;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

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

fn untrusted() -> impl Strategy<Value = Untrusted> {
    text().prop_map(Untrusted::from)
}

/// A valid name.
pub(super) fn any_name() -> impl Strategy<Value = Name> {
    "[a-zа-я0-9_:/+.-]{1,9}( [a-z]{1,3})?".prop_map(|text| name(&text))
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

/// Any float but NaN, which is equal to nothing, so that facts can be compared.
fn float() -> impl Strategy<Value = f64> {
    let edges = vec![0.0, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, 0.1 + 0.2, 1e22];
    prop_oneof![prop::sample::select(edges), any::<u64>().prop_map(f64::from_bits)]
        .prop_map(|f| if f.is_nan() { f64::NEG_INFINITY } else { f })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop::sample::select(Outcome::ALL.to_vec())
}

fn verdict() -> impl Strategy<Value = Verdict> {
    (outcome(), of(any_name())).prop_map(|(outcome, label)| Verdict { outcome, label })
}

fn sample() -> impl Strategy<Value = Sample> {
    let field = (any_name(), vec(untrusted(), 0..3)).prop_map(|(name, values)| Field { name, values });
    let content = prop_oneof![untrusted().prop_map(Content::Text), vec(field, 0..3).prop_map(Content::Fields)];
    let gold = (of(outcome()), of(any_name()), vec((any_name(), any_name()), 0..3))
        .prop_map(|(outcome, label, path)| Gold { outcome, label, path });
    let classifier = (untrusted(), of(untrusted())).prop_map(|(id, version)| Classifier { id, version });
    let numbers = || vec((any_name(), float()), 0..3);
    let verdicts = vec((any_name(), verdict()), 0..2);
    (untrusted(), content, gold, numbers(), numbers(), of(classifier), verdicts, of(untrusted())).prop_map(
        |(id, content, gold, scores, thresholds, classifier, verdicts, meta)| Sample {
            id,
            content,
            gold,
            scores,
            thresholds,
            classifier,
            verdicts,
            meta,
        },
    )
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![any_name().prop_map(Target::Node), any_name().prop_map(Target::Leaf)]
}

fn judgement() -> impl Strategy<Value = Judgement> {
    use StopReason::{BlankLine, Cue, EndOfTurn, Length, Repetition};
    let stop = prop::sample::select(vec![EndOfTurn, Cue, BlankLine, Repetition, Length]);
    let rationale = (untrusted(), any::<u32>(), stop).prop_map(|(text, tokens, stop)| Rationale { text, tokens, stop });
    let score = (any_name(), float(), float()).prop_map(|(answer, logprob, p)| AnswerScore { answer, logprob, p });
    let readout = (vec(score, 0..4), float()).prop_map(|(answers, coverage)| Readout { answers, coverage });
    let usage = any::<[u32; 4]>().prop_map(|[prompt_tokens, reused_tokens, computed_tokens, millis]| Usage {
        prompt_tokens,
        reused_tokens,
        computed_tokens,
        millis,
    });
    (of(rationale), readout, digest(), digest(), usage).prop_map(
        |(rationale, readout, prompt_sha256, logits_sha256, usage)| Judgement {
            rationale,
            readout,
            prompt_sha256,
            logits_sha256,
            usage,
        },
    )
}

/// Any step.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let node = (any_name(), digest()).prop_map(|(id, hash)| NodeRef { id, hash });
    let taken = prop::sample::select(vec![Taken::Argmax, Taken::Unsure, Taken::Overridden]);
    (node, of(judgement()), any_name(), taken, target()).prop_map(|(node, judgement, answer, taken, target)| Step {
        node,
        judgement,
        answer,
        taken,
        target,
    })
}

/// Any leaf.
pub(super) fn leaf() -> impl Strategy<Value = LeafReached> {
    (any_name(), verdict(), of(any::<u8>()), of(any_name()), vec(any_name(), 0..3))
        .prop_map(|(id, verdict, severity, action, rule_ids)| LeafReached { id, verdict, severity, action, rule_ids })
}

fn policy() -> impl Strategy<Value = PolicyRecord> {
    let file = (untrusted(), untrusted()).prop_map(|(path, text)| SourceFile { path, text });
    (any_name(), untrusted(), untrusted(), digest(), vec(file, 0..3))
        .prop_map(|(id, version, title, sha256, files)| PolicyRecord { id, version, title, sha256, files })
}

fn model() -> impl Strategy<Value = ModelInfo> {
    let digests = (digest(), digest(), digest());
    let words = (text(), text(), text(), text());
    (untrusted(), untrusted(), digests, words, any::<u32>(), any::<u64>()).prop_map(
        |(name, architecture, (sha256, tokenizer_sha256, template_sha256), words, context, parameters)| ModelInfo {
            name,
            architecture,
            sha256,
            tokenizer_sha256,
            template_sha256,
            kernel: words.0,
            isa: words.1,
            kv_dtype: words.2,
            device: words.3,
            context,
            parameters,
        },
    )
}

fn breakpoint() -> impl Strategy<Value = Breakpoint> {
    let at = prop_oneof![
        any_name().prop_map(BreakAt::Place),
        (any_name(), any_name()).prop_map(|(node, answer)| BreakAt::Answer(node, answer)),
        Just(BreakAt::Anywhere),
    ];
    (small(), at, of(text()), any::<bool>(), any::<bool>(), any::<u32>()).prop_map(
        |(id, at, condition, temporary, enabled, hits)| Breakpoint { id, at, condition, temporary, enabled, hits },
    )
}

/// A number that is likely to meet itself again, or an extreme one.
fn small() -> impl Strategy<Value = u32> {
    prop_oneof![9 => 1..5_u32, 1 => Just(u32::MAX)]
}

fn walk() -> impl Strategy<Value = WalkId> {
    small().prop_map(WalkId)
}

fn index() -> impl Strategy<Value = usize> {
    prop_oneof![9 => 0..5_usize, 1 => Just(usize::MAX)]
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        Just(Subject::Session),
        walk().prop_map(Subject::Walk),
        (walk(), index()).prop_map(|(walk, step)| Subject::Step(walk, step)),
    ]
}

/// The first fact of a session.
pub(super) fn opened() -> impl Strategy<Value = Fact> {
    (text(), text()).prop_map(|(program, at)| Fact::Opened { program, at })
}

/// The start of any walk.
pub(super) fn walk_started() -> impl Strategy<Value = Fact> {
    (walk(), index(), sample(), any_name()).prop_map(|(walk, index, sample, root)| Fact::WalkStarted {
        walk,
        index,
        sample,
        root,
    })
}

/// One strategy for every kind of fact that may follow the first, in the order of the enum.
pub(super) fn kinds() -> Vec<BoxedStrategy<Fact>> {
    let mode = prop_oneof![Just(Mode::Direct), any::<u32>().prop_map(|max_tokens| Mode::Rationale { max_tokens })];
    let kind = prop::sample::select(vec![FailureKind::User, FailureKind::Internal]);
    vec![
        text().prop_map(|line| Fact::Command { line }).boxed(),
        policy().prop_map(Fact::PolicyLoaded).boxed(),
        (untrusted(), index(), index(), prop::collection::vec(untrusted(), 0..3), digest())
            .prop_map(|(path, count, bad, faults, sha256)| Fact::SamplesLoaded { path, count, bad, faults, sha256 })
            .boxed(),
        model().prop_map(Fact::ModelLoaded).boxed(),
        mode.prop_map(Fact::ModeSet).boxed(),
        walk_started().boxed(),
        (walk(), walk(), index()).prop_map(|(walk, from, at)| Fact::WalkForked { walk, from, at }).boxed(),
        (walk(), step()).prop_map(|(walk, step)| Fact::Stepped { walk, step }).boxed(),
        (walk(), leaf()).prop_map(|(walk, leaf)| Fact::LeafReached { walk, leaf }).boxed(),
        (walk(), index()).prop_map(|(walk, to)| Fact::SteppedBack { walk, to }).boxed(),
        walk().prop_map(|walk| Fact::WalkSelected { walk }).boxed(),
        breakpoint().prop_map(Fact::BreakpointSet).boxed(),
        small().prop_map(|id| Fact::BreakpointDeleted { id }).boxed(),
        (small(), walk(), any_name()).prop_map(|(id, walk, at)| Fact::BreakpointHit { id, walk, at }).boxed(),
        (small(), text()).prop_map(|(id, expr)| Fact::DisplayAdded { id, expr }).boxed(),
        small().prop_map(|id| Fact::DisplayRemoved { id }).boxed(),
        (any_name(), float()).prop_map(|(name, value)| Fact::ThresholdSet { name, value }).boxed(),
        (subject(), untrusted()).prop_map(|(on, text)| Fact::Noted { on, text }).boxed(),
        (subject(), any_name()).prop_map(|(on, tag)| Fact::Tagged { on, tag }).boxed(),
        (walk(), any_name()).prop_map(|(walk, node)| Fact::Cancelled { walk, node }).boxed(),
        (kind, untrusted()).prop_map(|(kind, message)| Fact::Failed { kind, message }).boxed(),
        untrusted().prop_map(|path| Fact::Saved { path }).boxed(),
        text().prop_map(|at| Fact::Resumed { at }).boxed(),
    ]
}

/// Any fact that may follow the first.
pub(crate) fn fact() -> impl Strategy<Value = Fact> {
    proptest::strategy::Union::new(kinds())
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
