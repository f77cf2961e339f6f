//! What could break when many samples are walked: lost or duplicate records, a wrong order, a fault that spreads.
//!
//! Must drive the whole run through its public interface: a source, a judge and a sink.

use super::*;
use crate::domain::{Complaint, Examination, Judgement, ModelInfo, Outcome, sample_file};
use crate::judge::scripted::Scripted;
use crate::judge::{Look, Progress, Question, Questions};
use crate::record::FaultKind;
use crate::schema;
use proptest::prelude::*;
use std::collections::VecDeque;

const POLICY: &str = r#"
[policy]
id = "p"
version = "1.0.0"
title = "A policy"
root = "bad"
instructions = "Answer."
[node.bad]
question = "Is the text bad?"
[node.bad.answers]
yes = { next = "worse" }
no = { leaf = "fine" }
[node.worse]
question = "Is it worse?"
[node.worse.answers]
yes = { leaf = "out" }
no = { leaf = "fine" }
[leaf.out]
outcome = "violating"
label = "P1"
severity = 3
action = "remove"
rule_ids = ["P1.a"]
[leaf.fine]
outcome = "non_violating"
"#;

fn policy() -> Policy {
    crate::policy::parse("p.toml", POLICY, &mut |_| Err(String::new())).policy.expect("a policy")
}

/// Samples with these texts; `None` is a line that holds none.
fn given(texts: &[Option<&str>]) -> VecDeque<Item> {
    let item = |(line, text): (usize, &Option<&str>)| Item {
        line: line as u64,
        sample: match text {
            Some(text) => Ok(sample_file::parse_line(line, serde_json::json!({ "text": text }).to_string().as_bytes())
                .expect("a sample")),
            None => Err(Fault { kind: FaultKind::InvalidSample, complaint: Complaint::new("no").hinted("mend it") }),
        },
    };
    (1..).zip(texts).map(item).collect()
}

impl Source for VecDeque<Item> {
    fn next(&mut self, _wait: bool) -> Option<Item> {
        self.pop_front()
    }
}

/// Keeps records and breaks after this many.
struct Kept(Vec<Record>, usize);

impl Sink for Kept {
    fn take(&mut self, record: &Record) -> ControlFlow<()> {
        if self.0.len() == self.1 {
            return ControlFlow::Break(());
        }
        self.0.push(record.clone());
        ControlFlow::Continue(())
    }
}

/// Takes `width` questions at a time, answers the last first, panics on one about a bomb, and cancels itself after
/// `left` answers.
struct Fragile {
    judge: Scripted,
    width: usize,
    left: usize,
}

impl Fragile {
    fn boxed(width: usize, left: usize) -> Box<dyn Judge> {
        Box::new(Self { judge: Scripted::constant(0.9), width, left })
    }
}

impl Judge for Fragile {
    fn info(&self) -> &ModelInfo {
        self.judge.info()
    }

    fn judge(
        &mut self,
        question: &Question,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Judgement, JudgeError> {
        self.judge.judge(question, progress, cancel)
    }

    fn judge_all(&mut self, questions: &mut dyn Questions, cancel: &Cancel) -> Result<(), JudgeError> {
        loop {
            let mut some = Vec::new();
            while some.len() < self.width {
                match questions.next(some.is_empty()) {
                    Some(one) => some.push(one),
                    None => break,
                }
            }
            if some.is_empty() {
                return Ok(());
            }
            let about = |q: &Question| q.prompt.pieces().any(|p| p.text.raw().contains("bomb"));
            assert!(!some.iter().any(|(_, q)| about(q)), "fell over");
            for (number, question) in some.into_iter().rev() {
                if self.left == 0 {
                    cancel.cancel();
                }
                self.left = self.left.saturating_sub(1);
                if cancel.is_cancelled() {
                    return Err(JudgeError::Cancelled);
                }
                let answer = self.judge.judge(&question, &mut |_| {}, cancel);
                questions.answered(number, answer);
            }
        }
    }

    fn examine(
        &mut self,
        question: &Question,
        rationale: Option<&str>,
        look: Look,
        cancel: &Cancel,
    ) -> Result<Examination, JudgeError> {
        self.judge.examine(question, rationale, look, cancel)
    }
}

/// Runs `texts` and returns the tally, the records and how often the judge was reopened.
fn ran(texts: &[Option<&str>], width: usize, left: usize, sink: usize) -> (Tally, Vec<Record>, usize) {
    let (policy, cancel, mut reopened) = (policy(), Cancel::new(), 0);
    let mut reopen = || {
        reopened += 1;
        Ok(Fragile::boxed(width, usize::MAX))
    };
    let mut kept = Kept(Vec::new(), sink);
    let tally = Many::new(&policy, Mode::Direct, &mut reopen, &cancel)
        .run(&mut Fragile::boxed(width, left), &mut given(texts), &mut kept)
        .expect("a run");
    (tally, kept.0, reopened)
}

#[test]
fn a_sample_that_brings_the_judge_down_gets_an_error_and_all_others_their_records_in_order() {
    let texts =
        [None, Some("a"), Some("b"), Some("c"), Some("the bomb"), Some("d"), Some("a bomb"), Some("e"), Some("f")];
    let (tally, records, reopened) = ran(&texts, 3, usize::MAX, usize::MAX);
    assert_eq!((tally.records, tally.failed, tally.interrupted), (9, 3, false));
    assert_eq!(tally.outcomes, [6, 0, 0, 0]);
    let (no_sample, internal) = (Some(FaultKind::InvalidSample), Some(FaultKind::Internal));
    let kinds: Vec<_> = records.iter().map(|r| r.error.as_ref().map(|e| e.kind)).collect();
    assert_eq!(kinds, [no_sample, None, None, None, internal, None, internal, None, None]);
    assert_eq!(records[0].error.as_ref().and_then(|e| e.complaint.hint.as_deref()), Some("mend it"));
    assert!(records.iter().zip(1..).all(|(r, n)| r.line == n));
    assert!(reopened >= 2, "the judge is replaced after each fall");
}

#[test]
fn every_record_that_is_made_fits_the_published_schema() {
    let published: serde_json::Value =
        serde_json::from_str(include_str!("../../../docs/check-record.schema.json")).expect("JSON");
    let lines = [
        r#"{"text": "a", "gold": true, "gold_label": "P1", "scores": {"s": 0.5}, "thresholds": {"s": 0.4}}"#,
        r#"{"fields": {"caption": "a", "tags": ["b", "c"]}, "scores": {"s": 0.5}}"#,
        r#"{"text": "", "classifier": {"id": "c", "version": "2"}}"#,
        r#"{"text": "bomb"}"#,
    ];
    let mut source: VecDeque<Item> = (1..)
        .zip(lines)
        .map(|(n, line)| Item {
            line: n,
            sample: Ok(sample_file::parse_line(n as usize, line.as_bytes()).expect(line)),
        })
        .collect();
    source.extend(given(&[None]));
    for mode in [Mode::Direct, Mode::Rationale { max_tokens: 7 }] {
        let (policy, cancel) = (policy(), Cancel::new());
        let mut reopen = || Ok(Fragile::boxed(2, usize::MAX));
        let mut kept = Kept(Vec::new(), usize::MAX);
        let mut source = source.clone();
        Many::new(&policy, mode, &mut reopen, &cancel)
            .run(&mut Fragile::boxed(2, usize::MAX), &mut source, &mut kept)
            .expect("a run");
        assert_eq!(kept.0.len(), 5);
        for record in &kept.0 {
            let line = record.write().expect("JSON");
            let value = serde_json::from_str(&line).expect("JSON");
            schema::misfit(&published, &published, &value, "record").expect(&line);
            assert_eq!(&Record::read(&line).expect("a record"), record);
        }
        let keys: std::collections::BTreeSet<_> = kept.0.iter().filter_map(|r| r.key).collect();
        assert_eq!(keys.len(), 4, "one key for each sample, and none without one");
    }
}

#[test]
fn a_sink_that_takes_no_more_ends_the_run() {
    let (tally, records, _) = ran(&[Some("a"); 9], 2, usize::MAX, 3);
    assert_eq!((tally.records, records.len(), tally.interrupted), (3, 3, true));
}

proptest! {
    #[test]
    fn an_interrupt_gives_every_finished_walk_its_record(samples in 1_usize..40, width in 1_usize..9, left in 0_usize..90) {
        let (tally, records, _) = ran(&vec![Some("a"); samples], width, left, usize::MAX);
        // A walk has two questions; the judge answers a batch of `width` from its end.
        prop_assert_eq!(tally.interrupted, left < 2 * samples);
        prop_assert_eq!(tally.records as usize, records.len());
        prop_assert!(records.windows(2).all(|two| two[0].line < two[1].line), "in order");
        prop_assert!(records.len() <= left / 2 && (tally.interrupted || records.len() == samples));
        // At most `width` walks are half done at a time, so no more answers than those are without a record.
        prop_assert!(2 * records.len() + 2 * width >= left.min(2 * samples), "{} of {left}", records.len());
    }
}

#[test]
fn a_tally_counts_outcomes_in_the_order_of_all() {
    let (tally, records, _) = ran(&[Some("a"), Some("b"), None], 4, usize::MAX, usize::MAX);
    assert_eq!(Outcome::ALL[0], Outcome::Violating);
    assert_eq!(tally.outcomes, [2, 0, 0, 0]);
    assert_eq!(records[0].llm.as_ref().map(|l| l.verdict.outcome), Some(Outcome::Violating));
}
