//! `check`: samples in, verdicts out, one JSON line each, in order, in bounded memory.
//!
//! Must write nothing but records to `out`, and must give every input line exactly one.

use super::check_record::{ErrorRecord, Names, Record};
use crate::domain::{Cancel, Mode, Sample, sample_file};
use crate::engine::walk::{self, Walked};
use crate::model::{Judge, JudgeError};
use crate::policy::Policy;
use crate::text::json;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

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

impl Check<'_> {
    /// Reads samples from `input` until its end and writes a record for each line to `out`.
    pub fn run(&mut self, input: &mut dyn BufRead, out: &mut dyn Write) -> Result<Summary, CheckError> {
        let mut judge = (self.open)()?;
        let model = judge.info().name.raw().to_owned();
        let names = Names { model: &model, policy: self.policy };
        let bar = self.bar();
        let mut summary = Summary::default();
        for line in sample_file::RawLines::new(input) {
            let line = line?;
            if self.cancel.is_cancelled() {
                summary.interrupted = true;
                break;
            }
            summary.lines += 1;
            let number = summary.lines;
            let sample = match line.parse() {
                Ok(sample) => sample,
                Err(error) => {
                    let message = format!("{}:{}: {}", error.line, error.col, error.message.raw());
                    let error = ErrorRecord { kind: "invalid_sample", message: &message };
                    write(out, &Record::failed(number, &names, None, Some(error)))?;
                    summary.failed += 1;
                    continue;
                }
            };
            let walked = catch_unwind(AssertUnwindSafe(|| self.walk(judge.as_mut(), &sample)));
            let walked = match walked {
                Ok(walked) => walked,
                Err(_) => {
                    // The judge's caches may be half written: the next sample gets a fresh one.
                    judge = (self.open)()?;
                    Err(JudgeError::Internal("the model layer failed on this sample".into()))
                }
            };
            match walked {
                Ok(walked) => {
                    write(out, &Record::walked(number, &names, &sample, &walked))?;
                }
                Err(JudgeError::Cancelled) => {
                    summary.lines -= 1;
                    summary.interrupted = true;
                    break;
                }
                Err(error) => {
                    let message = message_of(&error);
                    let error = ErrorRecord { kind: kind_of(&error), message: &message };
                    write(out, &Record::failed(number, &names, Some(sample.id.raw()), Some(error)))?;
                    summary.failed += 1;
                }
            }
            bar.set_position(summary.lines);
        }
        bar.finish_and_clear();
        Ok(summary)
    }

    fn walk(&self, judge: &mut dyn Judge, sample: &Sample) -> Result<Walked, JudgeError> {
        walk::walk(self.policy, sample, self.mode, judge, self.cancel)
    }

    fn bar(&self) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{spinner} {pos} samples, {per_sec}, {elapsed}");
        ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
    }
}

fn write(out: &mut dyn Write, record: &Record) -> io::Result<()> {
    // Sample ids and rationales are outside text, and stdout may be a terminal.
    let mut line = json::to_string(record)?;
    line.push('\n');
    out.write_all(line.as_bytes())?;
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
    use crate::model::scripted::Scripted;

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
        let summary = check.run(&mut input.as_bytes(), &mut out).expect("memory takes everything");
        assert_eq!((summary.lines, summary.failed), (1, 0));
        let line = String::from_utf8(out).expect("text");
        assert!(line.ends_with('\n') && line.trim_end().chars().all(|c| !crate::text::is_hidden(c)), "{line:?}");
        let record: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(record["id"], id);
    }
}
