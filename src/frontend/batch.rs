//! Batch mode: commands from files, arguments and a stream in; a transcript or JSON lines out; then an exit code.
//!
//! Must not edit lines or stream tokens, and must keep progress out of the output, which is the same wherever it goes.

use super::interrupt::Interrupt;
use super::progress::ProgressView;
use super::runner::{Input, Rules, Runner};
use super::script::{Script, ScriptLine};
use super::show::{Aside, JsonShow, Show, TextShow, WIDTH};
use super::{Client, Leave};
use crate::report::theme::Theme;
use std::io::{self, BufRead, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Lines read ahead of the one being run.
const AHEAD: usize = 16;

/// How long one wait for a line lasts before Ctrl-C is checked.
const WAIT: Duration = Duration::from_millis(100);

/// How a batch behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// One JSON object per event instead of text.
    pub json: bool,
    /// Continue after a failed line.
    pub keep_going: bool,
    /// Colours in text.
    pub theme: Option<Theme>,
}

/// Runs `inputs`, then the lines of `stdin`, and returns the exit code: 0, or that of the first failed line (with
/// `keep_going`, of the worst): 1 failed, 2 not understood, 130 stopped, 255 internal.
///
/// # Errors
/// If `out` cannot be written.
pub fn run<R: BufRead + Send + 'static>(
    client: &mut Client,
    inputs: &[Input],
    stdin: Option<R>,
    options: Options,
    interrupt: &Interrupt,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Leave> {
    let rules = Rules { keep_going: options.keep_going, can_switch: false };
    let mut runner = Runner::new(client, interrupt, rules);
    let (mut json, mut text);
    let show: &mut dyn Show = if options.json {
        json = JsonShow::new(out);
        &mut json
    } else {
        text = TextShow::transcript(out, options.theme, WIDTH);
        &mut text
    };
    let mut show = Aside::new(show, ProgressView::lines(err));
    carry_out(&mut runner, inputs, stdin, interrupt, &mut show)?;
    Ok(Leave::Exit(runner.worst().code()))
}

fn carry_out<R: BufRead + Send + 'static>(
    runner: &mut Runner<'_>,
    inputs: &[Input],
    stdin: Option<R>,
    interrupt: &Interrupt,
    show: &mut dyn Show,
) -> io::Result<()> {
    let ended = runner.inputs(inputs, show)?;
    let Some(stdin) = stdin.filter(|_| !runner.stops(ended)) else { return Ok(()) };
    let lines = read_ahead(stdin)?;
    loop {
        let line = match lines.recv_timeout(WAIT) {
            Ok(line) => line?,
            Err(RecvTimeoutError::Timeout) if interrupt.take() => {
                runner.stopped();
                return Ok(());
            }
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let ended = runner.script_line(line.text, &line.place, show)?;
        if runner.stops(ended) {
            return Ok(());
        }
    }
}

/// Reads lines on a separate thread, so that a signal can interrupt the wait for one. The thread ends with the stream,
/// or at the first line that nobody receives.
fn read_ahead<R: BufRead + Send + 'static>(stdin: R) -> io::Result<Receiver<io::Result<ScriptLine>>> {
    let (lines, taken) = sync_channel(AHEAD);
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        for line in Script::new("stdin".into(), stdin) {
            if lines.send(line).is_err() {
                return;
            }
        }
    })?;
    Ok(taken)
}
