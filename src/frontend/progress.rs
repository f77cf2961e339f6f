//! Progress of the running command, on stderr and only where that is a terminal.
//!
//! Must leave nothing behind on the screen when it is cleared.

use crate::judge::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One bar at a time.
#[derive(Default)]
pub struct Meter {
    bar: Option<ProgressBar>,
    label: String,
}

impl Meter {
    /// Shows how far something is; pieces of rationale are not progress.
    pub fn show(&mut self, progress: &Progress) {
        let (label, done, total, bytes) = match progress {
            Progress::Fetching { what, done, total } => (format!("fetching {}", what.escaped()), *done, *total, true),
            Progress::Loading { what, permille } => ((*what).to_owned(), u64::from(*permille), Some(1000), false),
            Progress::Prefill { done, total } => {
                ("reading the prompt".to_owned(), u64::from(*done), Some(u64::from(*total)), false)
            }
            Progress::Token(_) => return,
        };
        if label != self.label || self.bar.is_none() {
            self.clear();
            self.bar = Some(bar(total, bytes));
            self.label.clone_from(&label);
        }
        if let Some(bar) = &self.bar {
            bar.set_message(label);
            bar.set_position(done);
        }
    }

    /// Takes it off the screen.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// A bar on stderr; drawn nowhere where stderr is no terminal.
fn bar(total: Option<u64>, bytes: bool) -> ProgressBar {
    let template = match (total, bytes) {
        (Some(_), true) => "{msg} {bar:24} {bytes}/{total_bytes} {bytes_per_sec}",
        (None, true) => "{msg} {spinner} {bytes}",
        (Some(_), false) => "{msg} {bar:24} {percent}%",
        (None, false) => "{msg} {spinner}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    bar.set_style(style);
    bar
}
