//! `Activity`: what the engine is doing right now: commands in flight, the node being asked, the streaming rationale.
//!
//! Must be built from notices only: nothing here outlives the command or is needed to understand a session.

use crate::domain::Name;
use crate::engine::Progress;
use crate::frontend::progress::Meter;
use crate::text::Untrusted;
use std::time::Duration;

/// Streamed text kept for display: more than any rationale; a runaway model cannot fill the memory.
const MOST_TEXT: usize = 64 * 1024;

/// One frame of the spinner per this many milliseconds.
const FRAME_MILLIS: u128 = 100;

/// What is going on.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// The canonical line of the command in flight.
    running: Option<String>,
    asking: Option<Name>,
    text: String,
    tokens: u32,
    first_token: Option<Duration>,
    meter: Meter,
}

impl Activity {
    /// A command was handed to the engine.
    pub fn start(&mut self, line: String) {
        *self = Self { running: Some(line), ..Self::default() };
    }

    /// The command is done.
    pub fn finish(&mut self) {
        *self = Self::default();
    }

    /// A node is being asked.
    pub fn ask(&mut self, node: Name) {
        *self = Self { running: self.running.take(), asking: Some(node), ..Self::default() };
    }

    /// The node was answered; the command may continue.
    pub fn answered(&mut self) {
        *self = Self { running: self.running.take(), ..Self::default() };
    }

    /// Takes in one piece of progress that came at `now`.
    pub fn progress(&mut self, progress: &Progress, now: Duration) {
        if let Progress::Token(piece) = progress {
            self.first_token.get_or_insert(now);
            self.tokens += 1;
            if self.text.len() < MOST_TEXT {
                self.text.push_str(piece.raw());
            }
        }
        self.meter.take(progress, now);
    }

    /// Whether a command is in flight.
    pub fn busy(&self) -> bool {
        self.running.is_some()
    }

    /// The line of the command in flight.
    pub fn running(&self) -> Option<&str> {
        self.running.as_deref()
    }

    /// The node being asked.
    pub fn asking(&self) -> Option<&Name> {
        self.asking.as_ref()
    }

    /// The rationale so far.
    pub fn text(&self) -> Untrusted {
        Untrusted::from(self.text.as_str())
    }

    /// The spinner's picture at `now`.
    pub fn spinner(now: Duration) -> &'static str {
        const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
        let frame = now.as_millis() / FRAME_MILLIS % FRAMES.len() as u128;
        FRAMES.get(frame as usize).copied().unwrap_or("⠋")
    }

    /// What is being done, in words; `None` when idle.
    pub fn doing(&self, now: Duration) -> Option<String> {
        let running = self.running.as_ref()?;
        let what = match (self.tokens, self.rate(now)) {
            (0, _) => self.meter.words(now),
            (tokens, Some(rate)) => format!("writing, {tokens} tokens, {rate:.0} tokens/s"),
            (tokens, None) => format!("writing, {tokens} tokens"),
        };
        let subject = match &self.asking {
            Some(node) => format!("asking {node}"),
            None => running.clone(),
        };
        Some(if what.is_empty() { subject } else { format!("{subject}: {what}") })
    }

    /// Tokens per second since the first one; `None` before there is anything to measure.
    fn rate(&self, now: Duration) -> Option<f64> {
        let seconds = now.checked_sub(self.first_token?)?.as_secs_f64();
        (seconds > 0.3 && self.tokens > 1).then(|| f64::from(self.tokens - 1) / seconds)
    }
}
