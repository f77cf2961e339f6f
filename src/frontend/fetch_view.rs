//! What a person sees on stderr while a model is fetched or checked: a bar on a terminal, a line at its start elsewhere.
//!
//! Must not write to stdout: results only go there.

use crate::judge::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;

const BYTES: &str = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const STEPS: &str = "{msg} [{bar:30}] {percent}%";

/// Shows [`Progress`].
pub struct FetchView<'a> {
    /// Draws on stderr itself.
    bar: Option<ProgressBar>,
    lines: &'a mut dyn Write,
    said: String,
}

impl<'a> FetchView<'a> {
    /// With `bar` a progress bar on stderr (which must be a terminal), else lines to `lines`.
    pub fn new(bar: bool, lines: &'a mut dyn Write) -> Self {
        let bar = bar.then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
        Self { bar, lines, said: String::new() }
    }

    /// Shows how far it is. Progress of other kinds is not shown.
    pub fn show(&mut self, progress: &Progress) {
        let (what, done, total, style) = match progress {
            Progress::Fetching { what, done, total } => {
                (format!("fetching {}", what.escaped()), *done, total.unwrap_or(*done), BYTES)
            }
            Progress::Loading { what, permille } => ((*what).to_owned(), u64::from(*permille), 1000, STEPS),
            Progress::Prefill { .. } | Progress::Token(_) => return,
        };
        let new = self.said != what;
        match &self.bar {
            Some(bar) => {
                if new {
                    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
                    bar.set_style(style.progress_chars("=> "));
                    bar.set_message(what.clone());
                    bar.reset();
                }
                bar.set_length(total);
                bar.set_position(done);
            }
            None if new => {
                // Nobody is served by a fetch that stops because nobody reads about it.
                let _unread = writeln!(self.lines, "{what} …").is_err();
            }
            None => {}
        }
        self.said = what;
    }

    /// Takes the bar away; whatever is said next begins on a clean line.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
