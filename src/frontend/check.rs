//! `check`: samples in, verdicts out, one JSON line each, in order, in bounded memory.
//!
//! Must write nothing but records to `out`, and must give every input line exactly one.

use super::check_record::{ErrorRecord, Names, Record};
use crate::domain::sample_file::{self, RawLine};
use crate::domain::{Cancel, Judgement, Mode};
use crate::engine::walk::Walking;
use crate::judge::{Judge, JudgeError, Question, Questions};
use crate::policy::Policy;
use crate::text::json;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

/// What a run of `check` needs.
pub struct Check<'a> {
    /// The policy to walk.
    pub policy: &'a Policy,
    /// Direct or rationale.
    pub mode: Mode,
    /// Opens the judge, at the start and again after a fault in it.
    pub open: &'a mut dyn FnMut() -> Result<Box<dyn Judge>, JudgeError>,
    /// Set by the signal handler.
    pub cancel: &'a Cancel,
    /// Draw a progress line on stderr.
    pub progress: bool,
}

/// How a run of `check` ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines read.
    pub lines: u64,
    /// Lines without a verdict.
    pub failed: u64,
    /// It was interrupted; the lines after the last record are not done.
    pub interrupted: bool,
}

impl Summary {
    /// 0 all done, 1 some lines failed, 130 interrupted.
    pub fn exit_code(self) -> u8 {
        match (self.interrupted, self.failed) {
            (true, _) => 130,
            (false, 0) => 0,
            (false, _) => 1,
        }
    }
}

/// Why `check` could not go on.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The judge could not be opened.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// stdin or stdout failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Most lines between the oldest that is not written yet and the newest that is begun: what is held in memory.
const WINDOW: u64 = 256;

/// Lines that are read ahead.
const AHEAD: usize = 64;

/// How often a wait for input looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);

impl Check<'_> {
    /// Reads samples from `input` until its end and writes a record for each line to `out`.
    pub fn run(&mut self, input: impl BufRead + Send + 'static, out: &mut dyn Write) -> Result<Summary, CheckError> {
        let mut judge = (self.open)()?;
        let model = judge.info().name.raw().to_owned();
        let names = Names { model: &model, policy: self.policy };
        let mut run = Run {
            names,
            mode: self.mode,
            cancel: self.cancel,
            lines: read_ahead(input),
            read: 0,
            out,
            written: 0,
            done: BTreeMap::new(),
            walks: BTreeMap::new(),
            ready: VecDeque::new(),
            asked: BTreeSet::new(),
            alone: None,
            failed: 0,
            broken: None,
            bar: bar(self.progress),
        };
        let mut suspects = VecDeque::new();
        loop {
            let asked = catch_unwind(AssertUnwindSafe(|| judge.judge_all(&mut run, self.cancel)));
            if let Some(error) = run.broken.take() {
                return Err(error.into());
            }
            match asked {
                Ok(Err(JudgeError::Cancelled)) => break,
                Ok(Ok(())) if run.alone.is_none() => break,
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => {
                    // The judge's caches may be half written, so it is replaced. Which of the samples at hand brought it down
                    // shows when they are asked again, each alone.
                    judge = (self.open)()?;
                    match run.alone {
                        Some(number) => {
                            let error = JudgeError::Internal("the model layer failed on this sample".into());
                            run.fail(number, &error);
                        }
                        None if run.asked.is_empty() => {
                            return Err(JudgeError::Internal("the model layer failed".into()).into());
                        }
                        None => suspects.extend(run.asked.iter().copied()),
                    }
                    run.ask_again();
                }
            }
            run.alone = suspects.pop_front();
        }
        run.bar.finish_and_clear();
        Ok(Summary { lines: run.written, failed: run.failed, interrupted: self.cancel.is_cancelled() })
    }
}

/// Reads lines on a thread of its own, so that a slow writer of them does not keep the samples at hand waiting. The thread ends
/// with the input or with the receiver.
fn read_ahead(input: impl BufRead + Send + 'static) -> Receiver<io::Result<RawLine>> {
    let (send, receive) = sync_channel(AHEAD);
    thread::spawn(move || {
        for line in sample_file::RawLines::new(input) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    receive
}

/// The samples at hand.
struct Run<'a> {
    names: Names<'a>,
    mode: Mode,
    cancel: &'a Cancel,
    lines: Receiver<io::Result<RawLine>>,
    /// Lines taken from there.
    read: u64,
    out: &'a mut dyn Write,
    /// Records written.
    written: u64,
    /// Records whose turn has not come, by line.
    done: BTreeMap<u64, String>,
    walks: BTreeMap<u64, Walking>,
    /// Walks whose next question can be asked, in the order in which they should be.
    ready: VecDeque<u64>,
    /// Walks whose question the judge has.
    asked: BTreeSet<u64>,
    /// Only this walk goes on.
    alone: Option<u64>,
    failed: u64,
    /// Input or output failed.
    broken: Option<io::Error>,
    bar: ProgressBar,
}

impl Run<'_> {
    /// The next line, if there is one now; `wait`: or soon.
    fn line(&mut self, wait: bool) -> Option<RawLine> {
        loop {
            let line = match self.lines.try_recv() {
                Err(TryRecvError::Empty) if wait && !self.cancel.is_cancelled() => {
                    match self.lines.recv_timeout(LOOK) {
                        Err(RecvTimeoutError::Timeout) => continue,
                        line => line.ok(),
                    }
                }
                line => line.ok(),
            };
            return match line? {
                Ok(line) => {
                    self.read += 1;
                    Some(line)
                }
                Err(error) => {
                    self.stop(error);
                    None
                }
            };
        }
    }

    fn stop(&mut self, error: io::Error) {
        self.broken.get_or_insert(error);
        // What is at hand is for nobody any more.
        self.cancel.cancel();
    }

    /// Begins the walk of a line, or notes what is wrong with it.
    fn begin(&mut self, line: &RawLine) {
        let number = self.read;
        match line.parse() {
            Ok(sample) => {
                self.walks.insert(number, Walking::new(self.names.policy, sample));
                self.ready.push_back(number);
            }
            Err(error) => {
                let message = format!("{}:{}: {}", error.line, error.col, error.message.raw());
                let error = ErrorRecord { kind: "invalid_sample", message: &message };
                self.failed += 1;
                let record = Record::failed(number, &self.names, None, Some(error));
                let record = json::to_string(&record);
                self.finish(number, record);
            }
        }
    }

    fn fail(&mut self, number: u64, error: &JudgeError) {
        self.asked.remove(&number);
        let Some(walk) = self.walks.remove(&number) else { return };
        let message = message_of(error);
        let error = ErrorRecord { kind: kind_of(error), message: &message };
        self.failed += 1;
        let record = json::to_string(&Record::failed(number, &self.names, Some(walk.sample().id.raw()), Some(error)));
        self.finish(number, record);
    }

    /// Keeps a record until its turn comes.
    fn finish(&mut self, number: u64, record: serde_json::Result<String>) {
        match record {
            Ok(record) => drop(self.done.insert(number, record)),
            Err(error) => self.stop(error.into()),
        }
        while let Some(record) = self.done.remove(&(self.written + 1)) {
            if let Err(error) = write(self.out, record) {
                return self.stop(error);
            }
            self.written += 1;
            self.bar.set_position(self.written);
        }
    }

    /// After a fault of the judge: the questions it had are asked again, the oldest first.
    fn ask_again(&mut self) {
        for number in std::mem::take(&mut self.asked).into_iter().rev() {
            self.ready.push_front(number);
        }
    }
}

impl Questions for Run<'_> {
    fn next(&mut self, idle: bool) -> Option<(u64, Question)> {
        loop {
            let at = match self.alone {
                Some(number) => self.ready.iter().position(|n| *n == number),
                None => (!self.ready.is_empty()).then_some(0),
            };
            let Some(number) = at.and_then(|at| self.ready.remove(at)) else {
                if self.alone.is_some() || self.broken.is_some() || self.read - self.written >= WINDOW {
                    return None;
                }
                let line = self.line(idle)?;
                self.begin(&line);
                continue;
            };
            let Some(walk) = self.walks.get(&number) else { continue };
            match walk.question(self.names.policy, self.mode) {
                Ok(Some(question)) => {
                    self.asked.insert(number);
                    return Some((number, question));
                }
                Ok(None) => self.fail(number, &JudgeError::Internal("a walk without a question".into())),
                Err(error) => self.fail(number, &error),
            }
        }
    }

    fn answered(&mut self, number: u64, answer: Result<Judgement, JudgeError>) {
        self.asked.remove(&number);
        let Some(walk) = self.walks.get_mut(&number) else { return };
        match answer.and_then(|judgement| walk.answered(self.names.policy, judgement)) {
            // Walks that were begun come first, so that they do not pile up.
            Ok(None) => self.ready.push_front(number),
            Ok(Some(walked)) => {
                let record = json::to_string(&Record::walked(number, &self.names, walk.sample(), &walked));
                self.walks.remove(&number);
                self.finish(number, record);
            }
            Err(error) => self.fail(number, &error),
        }
    }
}

fn bar(shown: bool) -> ProgressBar {
    if !shown {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {pos} samples, {per_sec}, {elapsed}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

/// `record` comes out of [`json::to_string`]: sample ids and rationales are outside text, and stdout may be a terminal.
fn write(out: &mut dyn Write, mut record: String) -> io::Result<()> {
    record.push('\n');
    out.write_all(record.as_bytes())?;
    // Each record leaves at once, so that a reader at the other end of the pipe is never behind.
    out.flush()
}

fn kind_of(error: &JudgeError) -> &'static str {
    match error {
        JudgeError::TooLong { .. } => "too_long",
        JudgeError::Internal(_) => "internal",
        JudgeError::Cancelled | JudgeError::Unusable { .. } => "model",
    }
}

/// The error in words; the text goes into JSON, which escapes it.
fn message_of(error: &JudgeError) -> String {
    match error {
        JudgeError::Unusable { message, .. } | JudgeError::Internal(message) => message.raw().to_owned(),
        JudgeError::Cancelled | JudgeError::TooLong { .. } => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Examination, ModelInfo};
    use crate::judge::scripted::Scripted;
    use crate::judge::{Look, Progress};

    const POLICY: &str = r#"
[policy]
id = "p"
version = "1.0.0"
title = "A policy"
root = "bad"
instructions = "Answer."
[node.bad]
question = "Is the text bad?"
guidance = ["Say yes where it is."]
[node.bad.answers]
yes = { leaf = "out" }
no = { leaf = "fine" }
[leaf.out]
outcome = "violating"
label = "P1"
[leaf.fine]
outcome = "non_violating"
"#;

    #[test]
    fn a_hostile_sample_cannot_act_on_a_terminal_through_its_record_and_its_id_reads_back() {
        let policy = crate::policy::parse("p.toml", POLICY, &mut |_| Err(String::new())).policy.expect("a policy");
        let id = "a\u{9b}31m\u{202e}\u{7f}";
        let input = serde_json::json!({ "id": id, "text": "\u{1b}[2J" }).to_string();
        let mut out = Vec::new();
        let mut open = || Ok(Box::new(Scripted::constant(0.9)) as Box<dyn Judge>);
        let cancel = Cancel::new();
        let mut check =
            Check { policy: &policy, mode: Mode::Direct, open: &mut open, cancel: &cancel, progress: false };
        let summary = check.run(io::Cursor::new(input), &mut out).expect("memory takes everything");
        assert_eq!((summary.lines, summary.failed), (1, 0));
        let line = String::from_utf8(out).expect("text");
        assert!(line.ends_with('\n') && line.trim_end().chars().all(|c| !crate::text::is_hidden(c)), "{line:?}");
        let record: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(record["id"], id);
    }

    /// Takes three questions at a time and falls over where one of them is about a bomb.
    struct Fragile(Scripted);

    impl Judge for Fragile {
        fn info(&self) -> &ModelInfo {
            self.0.info()
        }

        fn judge(
            &mut self,
            question: &Question,
            progress: &mut dyn FnMut(Progress),
            cancel: &Cancel,
        ) -> Result<Judgement, JudgeError> {
            self.0.judge(question, progress, cancel)
        }

        fn judge_all(&mut self, questions: &mut dyn Questions, cancel: &Cancel) -> Result<(), JudgeError> {
            loop {
                let mut some = Vec::new();
                while some.len() < 3 {
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
                // The last comes first, so that answers are out of order.
                for (number, question) in some.into_iter().rev() {
                    let answer = self.0.judge(&question, &mut |_| {}, cancel);
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
            self.0.examine(question, rationale, look, cancel)
        }
    }

    #[test]
    fn a_sample_that_brings_the_judge_down_gets_an_error_and_all_others_their_records_in_order() {
        let policy = crate::policy::parse("p.toml", POLICY, &mut |_| Err(String::new())).policy.expect("a policy");
        let texts = ["a", "b", "c", "the bomb", "d", "another bomb", "e", "f"];
        let lines = texts.iter().enumerate().map(|(i, text)| serde_json::json!({ "id": i.to_string(), "text": text }));
        let mut input = lines.map(|line| format!("{line}\n")).collect::<String>();
        input.insert_str(0, "no sample\n");
        let mut out = Vec::new();
        let mut opened = 0;
        let mut open = || {
            opened += 1;
            Ok(Box::new(Fragile(Scripted::constant(0.9))) as Box<dyn Judge>)
        };
        let cancel = Cancel::new();
        let mut check =
            Check { policy: &policy, mode: Mode::Direct, open: &mut open, cancel: &cancel, progress: false };
        let summary = check.run(io::Cursor::new(input), &mut out).expect("memory takes everything");
        assert_eq!((summary.lines, summary.failed, summary.interrupted), (9, 3, false));
        let text = String::from_utf8(out).expect("text");
        let records: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let kinds: Vec<&str> = records.iter().map(|r| r["error"]["kind"].as_str().unwrap_or("fine")).collect();
        let fine = "fine";
        assert_eq!(kinds, ["invalid_sample", fine, fine, fine, "internal", fine, "internal", fine, fine]);
        assert!(records.iter().zip(1..).all(|(r, n)| r["line"] == n));
        assert!(opened >= 3, "the judge is replaced after each fall");
    }
}
