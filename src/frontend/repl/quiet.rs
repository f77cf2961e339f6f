//! `Quiet`: turns off the terminal's echo while a command runs.
//!
//! Must restore the terminal's settings. With echo on, Ctrl-C and lines typed ahead would land in the middle of the
//! progress and the streamed rationale, which then could not be erased; the next prompt shows what was typed.

#[cfg(unix)]
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
#[cfg(unix)]
use std::io::stdin;

/// Until it is dropped, typed characters are kept for the next prompt and not shown.
pub struct Quiet {
    #[cfg(unix)]
    before: Option<Termios>,
}

impl Quiet {
    /// Turns the echo off; does nothing if stdin is not a terminal or its settings cannot be read.
    #[cfg(unix)]
    pub fn begin() -> Self {
        let before = tcgetattr(stdin()).ok().filter(|modes| {
            let mut quiet = modes.clone();
            quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
            tcsetattr(stdin(), OptionalActions::Now, &quiet).is_ok()
        });
        Self { before }
    }

    /// Does nothing here.
    #[cfg(not(unix))]
    pub fn begin() -> Self {
        Self {}
    }
}

#[cfg(unix)]
impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that went away has nothing to be given back.
            tcsetattr(stdin(), OptionalActions::Now, before).unwrap_or(());
        }
    }
}
