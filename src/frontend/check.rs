//! `check`: samples in; verdicts out, one JSON line each, in order, in bounded memory.
//!
//! Must write nothing but records to `out`, and exactly one for every input line that is not blank. `engine::many` does
//! the walking.

use crate::domain::sample_file::{self, Doubts, KnownGold, RawLine, SampleError};
use crate::domain::{Cancel, Mode, Outcome};
use crate::engine::many::{Item, Many, Sink, Source, Tally};
use crate::judge::{Judge, JudgeError};
use crate::policy::Policy;
use crate::record::{Fault, FaultKind, Record};
use crate::report::number::plural;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, BufRead, Write};
use std::ops::ControlFlow;
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
    /// How far it is, drawn on stderr.
    pub progress: Progress,
}

/// Which progress is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// None.
    Hidden,
    /// How many samples are done.
    Samples,
    /// How much of an input of this many bytes is done, and how long the rest will take.
    Bytes(u64),
}

/// How a run of `check` ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Blank lines, which have no record.
    pub blank: u64,
    /// What is doubtful in the samples, in one line.
    pub doubts: Option<String>,
    /// What came of the others.
    pub tally: Tally,
}

/// Why `check` could not continue.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The judge could not be opened, so that nothing was done.
    #[error(transparent)]
    Start(JudgeError),
    /// The judge could not be opened again.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// The input failed.
    #[error("reading samples: {0}")]
    Read(io::Error),
    /// The output failed.
    #[error("writing records: {0}")]
    Write(io::Error),
}

/// Lines that are read ahead.
const AHEAD: usize = 64;

/// How often the progress is drawn at least.
const TICK: Duration = Duration::from_millis(250);

/// How often a wait for input looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);

impl Check<'_> {
    /// Reads samples from `input` until its end and writes a record for each line to `out`.
    pub fn run(&mut self, input: impl BufRead + Send + 'static, out: &mut dyn Write) -> Result<Summary, CheckError> {
        let mut judge = (self.open)().map_err(CheckError::Start)?;
        let (bar, ends) = (bar(self.progress), RefCell::default());
        let lines = read_ahead(input);
        let mut known = KnownGold::default();
        self.policy.add_gold(&mut known);
        let doubts = Doubts::new(Some(known));
        let mut lines = Lines { lines, doubts, ends: &ends, cancel: self.cancel, blank: 0, broken: None };
        let mut records = Records { out, ends: &ends, bar: &bar, count: 0, broken: None };
        let done = Many::new(self.policy, self.mode, self.open, self.cancel).run(&mut judge, &mut lines, &mut records);
        bar.finish_and_clear();
        if let Some(error) = records.broken {
            return Err(CheckError::Write(error));
        }
        let tally = done?;
        match lines.broken {
            Some(error) => Err(CheckError::Read(error)),
            None => Ok(Summary { blank: lines.blank, doubts: lines.doubts.told(), tally }),
        }
    }
}

impl Summary {
    /// 0 all done, 1 some lines failed, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match (self.tally.interrupted, self.tally.failed) {
            (true, _) => 130,
            (false, 0) => 0,
            (false, _) => 1,
        }
    }

    /// What came of it, for stderr.
    pub fn tell(&self, policy: &Policy, mode: Mode, err: &mut dyn Write) -> io::Result<()> {
        let tally = &self.tally;
        let mut parts: Vec<String> = Vec::new();
        for (outcome, count) in Outcome::ALL.into_iter().zip(tally.outcomes).filter(|(_, count)| *count > 0) {
            parts.push(format!("{count} {outcome}"));
        }
        if tally.failed > 0 {
            parts.push(format!("{} failed (their records have an `error`)", tally.failed));
        }
        let said = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
        let blank = match self.blank {
            0 => String::new(),
            n => format!("; {} skipped", plural(n, "blank line")),
        };
        let how = if tally.interrupted { "interrupted after " } else { "" };
        writeln!(err, "{how}{} in mode {}{said}{blank}", plural(tally.records, "record"), mode.as_str())?;
        if let Some(doubts) = &self.doubts {
            writeln!(err, "{doubts}; `crossexam lint POLICY SAMPLES` shows where")?;
        }
        if tally.computed == 0 {
            return Ok(());
        }
        let (computed, reused) = (tally.computed, tally.reused);
        let share = 100.0 * reused as f64 / (computed + reused) as f64;
        writeln!(err, "rows of the model: {computed} computed, {reused} reused ({share:.0} %)")?;
        let (layout, spared) = tally.asked.spared_by_other(policy, tally.prompts);
        if spared * 3.0 > computed as f64 {
            writeln!(
                err,
                "hint: layout = \"{}\" in the policy would have computed about {:.0} % fewer rows here; it changes what \
                 the model sees, so compare verdicts first",
                layout.as_str(),
                100.0 * spared / computed as f64
            )?;
        }
        Ok(())
    }
}

/// Reads lines on a separate thread, so that a slow producer does not hold up the samples in progress. The thread ends
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

/// Lines whose record is not written yet, oldest first: line number, and the input's byte offset at its end.
type Ends = RefCell<VecDeque<(u64, u64)>>;

/// The lines of the input as a source of samples.
struct Lines<'a> {
    lines: Receiver<io::Result<RawLine>>,
    doubts: Doubts,
    ends: &'a Ends,
    cancel: &'a Cancel,
    blank: u64,
    broken: Option<io::Error>,
}

impl Source for Lines<'_> {
    fn next(&mut self, wait: bool) -> Option<Item> {
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
            match line? {
                // As in a file of samples: a blank line is nothing, but it counts as a line.
                Ok(line) if line.is_blank() => self.blank += 1,
                Ok(line) => {
                    let number = line.number as u64;
                    self.ends.borrow_mut().push_back((number, line.end));
                    let sample = line.parse();
                    if let Ok(sample) = &sample {
                        // They are counted, and `lint` names them.
                        self.doubts.of(&line, sample);
                    }
                    return Some(Item { line: number, sample: sample.map_err(|error| fault(&error)) });
                }
                Err(error) => {
                    // What was read before is still walked to the end.
                    self.broken.get_or_insert(error);
                    return None;
                }
            }
        }
    }
}

/// What is wrong with a line, as its record says it.
fn fault(error: &SampleError) -> Fault {
    let complaint = error.complaint.clone().about(format!("{}:{}", error.line, error.col));
    Fault { kind: FaultKind::InvalidSample, complaint }
}

/// The output as a sink of records.
struct Records<'a> {
    out: &'a mut dyn Write,
    ends: &'a Ends,
    bar: &'a ProgressBar,
    count: u64,
    broken: Option<io::Error>,
}

impl Records<'_> {
    /// Each record is flushed at once, so that a reader at the other end of the pipe is never behind.
    fn write(&mut self, record: &Record) -> io::Result<()> {
        let mut line = record.write()?;
        line.push('\n');
        self.out.write_all(line.as_bytes())?;
        self.out.flush()
    }
}

impl Sink for Records<'_> {
    fn take(&mut self, record: &Record) -> ControlFlow<()> {
        if let Err(error) = self.write(record) {
            self.broken = Some(error);
            return ControlFlow::Break(());
        }
        self.count += 1;
        let mut ends = self.ends.borrow_mut();
        while let Some(&(_, end)) = ends.front().filter(|(line, _)| *line <= record.line) {
            ends.pop_front();
            if self.bar.length().is_some() {
                self.bar.set_position(end);
            }
        }
        match self.bar.length() {
            Some(_) => self.bar.set_message(self.count.to_string()),
            None => self.bar.set_position(self.count),
        }
        ControlFlow::Continue(())
    }
}

fn bar(progress: Progress) -> ProgressBar {
    let (bar, template) = match progress {
        Progress::Hidden => return ProgressBar::hidden(),
        Progress::Samples => (ProgressBar::new_spinner(), "{spinner} {pos} samples, {per_sec}, {elapsed}"),
        Progress::Bytes(all) => {
            (ProgressBar::new(all).with_message("0"), "{bar:24} {percent}% {msg} samples, {elapsed} gone, {left} left")
        }
    };
    // No estimate of the remaining time before the first record.
    let left = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let said = if state.pos() == 0 { "?".to_owned() } else { HumanDuration(state.eta()).to_string() };
        // A failure to write only loses the progress display.
        out.write_str(&said).ok();
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    bar.set_draw_target(ProgressDrawTarget::stderr());
    let bar = bar.with_style(style.with_key("left", left));
    // The clock keeps ticking between records.
    bar.enable_steady_tick(TICK);
    bar
}

#[cfg(test)]
mod tests;
