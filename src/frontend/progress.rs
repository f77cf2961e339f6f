//! Progress: one wording for every front end, and how it is shown on stderr.
//!
//! Must not write to stdout, which is for results. Must not go backwards, and must never be silent for long: a long
//! operation is announced within two seconds, also where lines are printed instead of a bar.

use crate::judge::Progress;
use crate::text::Escaped;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::time::{Duration, Instant};

/// Anything that takes longer than this is announced on a line.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a line says how far it is.
const AGAIN: Duration = Duration::from_secs(10);
/// Time over which a rate is measured before it is shown.
const RATED: Duration = Duration::from_secs(1);
/// Steps of a bar.
const STEPS: u64 = 1000;

/// What is going on and how far it is.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    task: Option<Task>,
}

#[derive(Clone, Debug)]
struct Task {
    what: String,
    unit: Unit,
    done: u64,
    total: Option<u64>,
    /// When it began, and how much was done by then.
    begun: (Duration, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Bytes,
    Permille,
    Tokens,
    Seconds,
}

impl Meter {
    /// Takes in progress that came at `now`; returns whether another operation began. Rationale and notes are not
    /// progress.
    pub fn take(&mut self, progress: &Progress, now: Duration) -> bool {
        let (what, unit, done, total) = match progress {
            Progress::Fetching { what, done, total } => {
                (format!("fetching {}", what.escaped()), Unit::Bytes, *done, *total)
            }
            Progress::Waiting { what, seconds } => {
                (format!("waiting for {}", what.escaped()), Unit::Seconds, *seconds, None)
            }
            Progress::Loading { what, permille } => {
                ((*what).to_owned(), Unit::Permille, u64::from(*permille), Some(1000))
            }
            Progress::Prefill { done, total } => {
                ("reading the prompt".to_owned(), Unit::Tokens, u64::from(*done), Some(u64::from(*total)))
            }
            Progress::Token(_) | Progress::Note(_) => return false,
        };
        match &mut self.task {
            Some(task) if task.what == what => {
                task.done = task.done.max(done);
                task.total = total;
                false
            }
            _ => {
                self.task = Some(Task { what, unit, done, total, begun: (now, done) });
                true
            }
        }
    }

    /// What is going on; empty if nothing is.
    pub fn what(&self) -> &str {
        self.task.as_ref().map_or("", |task| &task.what)
    }

    /// The progress at `now`, in figures; empty if there are none.
    pub fn figures(&self, now: Duration) -> String {
        let Some(task) = &self.task else { return String::new() };
        match (task.unit, task.total) {
            (Unit::Seconds, _) if task.done == 0 => String::new(),
            (Unit::Seconds, _) => format!("{} s", task.done),
            (Unit::Permille, _) => format!("{} %", task.done / 10),
            (Unit::Tokens, total) => format!("{} of {} tokens", task.done, total.unwrap_or(task.done)),
            (Unit::Bytes, _) if task.done == 0 => String::new(),
            (Unit::Bytes, total) => {
                let mut text = match total {
                    Some(total) => format!("{} of {}", megabytes(task.done), megabytes(total)),
                    None => megabytes(task.done),
                };
                if let Some(rate) = task.rate(now) {
                    text.push_str(&format!(", {}/s", megabytes(rate)));
                }
                text
            }
        }
    }

    /// Both, in one line.
    pub fn words(&self, now: Duration) -> String {
        match self.figures(now) {
            figures if figures.is_empty() => self.what().to_owned(),
            figures => format!("{}, {figures}", self.what()),
        }
    }

    /// Progress in steps of a bar; `None` if the total is unknown, or nothing is done yet.
    fn steps(&self) -> Option<u64> {
        let task = self.task.as_ref().filter(|task| task.done > 0)?;
        let total = task.total.filter(|total| *total > 0)?;
        Some((u128::from(task.done) * u128::from(STEPS) / u128::from(total)).min(u128::from(STEPS)) as u64)
    }
}

impl Task {
    /// Units per second since it began; `None` while there is nothing to measure.
    fn rate(&self, now: Duration) -> Option<u64> {
        let time = now.checked_sub(self.begun.0).filter(|time| *time >= RATED)?;
        let rate = (self.done.checked_sub(self.begun.1)? as f64 / time.as_secs_f64()) as u64;
        // Less would be shown as nothing.
        (rate >= 1000).then_some(rate)
    }
}

/// Bytes as people write them; less than one tenth of a megabyte in kilobytes.
fn megabytes(bytes: u64) -> String {
    match bytes {
        0..100_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// Shows progress on stderr: as a bar on a terminal, else as a line for anything that takes long.
pub struct ProgressView<'a> {
    meter: Meter,
    out: Out<'a>,
    started: Instant,
    /// When the current operation began, and when a line last reported on it.
    begun: Duration,
    said: Option<Duration>,
}

enum Out<'a> {
    Bar(Option<ProgressBar>),
    Lines(Box<dyn Write + 'a>),
}

impl<'a> ProgressView<'a> {
    /// A bar on stderr, which draws nothing if that is not a terminal.
    pub fn bar() -> Self {
        Self::new(Out::Bar(None))
    }

    /// Lines to `lines`.
    pub fn lines(lines: impl Write + 'a) -> Self {
        Self::new(Out::Lines(Box::new(lines)))
    }

    /// The bar where stderr is a `terminal`, else lines to `stderr`.
    pub fn of(terminal: bool, stderr: impl Write + 'a) -> Self {
        if terminal { Self::bar() } else { Self::lines(stderr) }
    }

    fn new(out: Out<'a>) -> Self {
        Self { meter: Meter::default(), out, started: Instant::now(), begun: Duration::ZERO, said: None }
    }

    /// Shows how far it is, or a note, which stays.
    pub fn show(&mut self, progress: &Progress) {
        self.show_at(progress, self.started.elapsed());
    }

    fn show_at(&mut self, progress: &Progress, now: Duration) {
        match progress {
            Progress::Token(_) => return,
            Progress::Note(text) => return self.note(&Escaped::lines(text.raw())),
            _ => {}
        }
        if self.meter.take(progress, now) {
            (self.begun, self.said) = (now, None);
        }
        match &mut self.out {
            Out::Bar(bar) => draw(bar.get_or_insert_with(new_bar), &self.meter, now),
            Out::Lines(lines) => {
                let fetching = matches!(progress, Progress::Fetching { .. });
                let due = match self.said {
                    None => fetching || now.saturating_sub(self.begun) >= PATIENCE,
                    Some(said) => now.saturating_sub(said) >= AGAIN,
                };
                if due {
                    self.said = Some(now);
                    say(lines, &format!("{} …", self.meter.words(now)));
                }
            }
        }
    }

    fn note(&mut self, text: &[Escaped]) {
        let text = text.iter().enumerate().map(|(number, line)| {
            let head = if number == 0 { "note: " } else { "  " };
            format!("{head}{line}")
        });
        match &mut self.out {
            Out::Bar(bar) => {
                let bar = bar.get_or_insert_with(new_bar);
                text.for_each(|line| bar.println(line));
            }
            Out::Lines(lines) => text.for_each(|line| say(lines, &line)),
        }
    }

    /// Takes the bar away for good.
    pub fn finish(mut self) {
        self.clear();
    }

    /// Removes the bar, so that the next output begins on a clean line.
    pub fn clear(&mut self) {
        if let Out::Bar(bar) = &mut self.out
            && let Some(bar) = bar.take()
        {
            bar.finish_and_clear();
        }
        self.meter = Meter::default();
    }
}

/// Nobody is served by a fetch that stops because nobody reads about it.
fn say(lines: &mut dyn Write, line: &str) {
    let _unread = writeln!(lines, "{line}").and_then(|()| lines.flush()).is_err();
}

fn new_bar() -> ProgressBar {
    ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr())
}

fn draw(bar: &ProgressBar, meter: &Meter, now: Duration) {
    let template = match meter.steps() {
        Some(_) => "[{bar:20}] {prefix}  {wide_msg}",
        None => "{spinner} {wide_msg}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    match meter.steps() {
        Some(steps) => {
            bar.set_prefix(meter.figures(now));
            bar.set_message(meter.what().to_owned());
            bar.set_position(steps);
        }
        None => {
            bar.set_message(meter.words(now));
            bar.tick();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetching(done: u64, total: Option<u64>) -> Progress {
        Progress::Fetching { what: "m.gguf from hub.example".into(), done, total }
    }

    fn waiting(seconds: u64) -> Progress {
        Progress::Waiting { what: "hub.example to answer".into(), seconds }
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_shown_never_goes_backwards_and_never_shows_a_rate_of_nothing() {
        let mut meter = Meter::default();
        let mut shown = Vec::new();
        for (second, done) in [(0, 0), (0, 40_000), (1, 40_000), (2, 5_000_000), (3, 1_000_000), (4, 9_000_000)] {
            meter.take(&fetching(done, Some(98_400_000)), at(second));
            shown.push((meter.steps(), meter.words(at(second))));
        }
        let steps: Vec<_> = shown.iter().map(|(steps, _)| *steps).collect();
        assert!(steps.is_sorted(), "{steps:?}");
        assert_eq!(shown[0].1, "fetching m.gguf from hub.example");
        assert_eq!(shown[2].1, "fetching m.gguf from hub.example, 40 kB of 98.4 MB, 40 kB/s");
        assert_eq!(shown[4].1, "fetching m.gguf from hub.example, 5.0 MB of 98.4 MB, 1.7 MB/s");
        assert!(shown.iter().all(|(_, words)| !words.contains(", 0 kB/s")), "{shown:?}");
    }

    #[test]
    fn what_was_there_before_counts_for_the_bar_and_not_for_the_rate() {
        let mut meter = Meter::default();
        meter.take(&fetching(50_000_000, Some(100_000_000)), at(10));
        assert_eq!(meter.words(at(14)), "fetching m.gguf from hub.example, 50.0 MB of 100.0 MB");
        meter.take(&fetching(54_000_000, Some(100_000_000)), at(14));
        assert_eq!((meter.steps(), meter.figures(at(14)).as_str()), (Some(540), "54.0 MB of 100.0 MB, 1.0 MB/s"));
    }

    #[test]
    fn lines_say_within_two_seconds_what_is_waited_for_and_go_on_saying_it() {
        let mut err = Vec::new();
        let mut view = ProgressView::lines(&mut err);
        for second in 0..25 {
            view.show_at(&waiting(second), at(second));
        }
        view.show_at(&Progress::Note("hub failed: no answer\ntrying the wheel".into()), at(25));
        view.show_at(&Progress::Loading { what: "verifying the model file", permille: 10 }, at(25));
        for second in 26..40 {
            view.show_at(&fetching((second - 25) * 1_000_000, None), at(second));
        }
        view.finish();
        insta::assert_snapshot!(String::from_utf8(err).expect("text"), @r"
        waiting for hub.example to answer, 2 s …
        waiting for hub.example to answer, 12 s …
        waiting for hub.example to answer, 22 s …
        note: hub failed: no answer
          trying the wheel
        fetching m.gguf from hub.example, 1.0 MB …
        fetching m.gguf from hub.example, 11.0 MB, 1.0 MB/s …
        ");
    }

    #[test]
    fn names_from_outside_cannot_act_on_the_terminal() {
        let mut err = Vec::new();
        let mut view = ProgressView::lines(&mut err);
        view.show_at(&Progress::Fetching { what: "\u{1b}]0;x\u{7}".into(), done: 1, total: None }, at(0));
        view.show_at(&Progress::Note("a\u{1b}[2J\nb\u{202e}".into()), at(0));
        view.finish();
        let text = String::from_utf8(err).expect("text");
        assert!(text.chars().all(|c| c == '\n' || !crate::text::is_hidden(c)), "{text:?}");
    }
}
