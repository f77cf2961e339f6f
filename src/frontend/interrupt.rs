//! Ctrl-C and termination for the front ends that read lines: Ctrl-C stops the running command, never the program; a
//! termination or a terminal that went away (SIGTERM, SIGHUP) stops the command and then ends the program.
//!
//! Must be connected to the signals once in a program, and must not do more when one comes than set flags and wake whoever waits.

use crate::engine::Canceller;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How often a program that is to end is woken.
#[cfg(unix)]
const WAKE: std::time::Duration = std::time::Duration::from_millis(50);

/// Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pressed: AtomicBool,
    ending: AtomicBool,
    running: Mutex<Option<Canceller>>,
}

impl Interrupt {
    /// Not connected to any signal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Connects it to Ctrl-C and termination.
    ///
    /// # Errors
    /// Where the system refuses.
    #[cfg(unix)]
    pub fn connect(&self) -> io::Result<()> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let this = self.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                if signal == SIGINT {
                    this.press();
                } else {
                    this.end();
                    break;
                }
            }
            // The line editor hears of SIGINT only, and only while it reads a line; so it is told until the program is over.
            // A raise can fail for an unknown signal only.
            while signal_hook::low_level::raise(SIGINT).is_ok() {
                this.press();
                std::thread::sleep(WAKE);
            }
        })?;
        Ok(())
    }

    /// Connects it to Ctrl-C.
    ///
    /// # Errors
    /// Where the system refuses.
    #[cfg(not(unix))]
    pub fn connect(&self) -> io::Result<()> {
        let this = self.clone();
        ctrlc::set_handler(move || this.press()).map_err(io::Error::other)
    }

    /// What Ctrl-C does: remembers that it came, and stops the engine's running command.
    pub fn press(&self) {
        self.0.pressed.store(true, Ordering::SeqCst);
        let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(canceller) = running.as_ref() {
            canceller.cancel();
        }
    }

    /// What a termination does: the same, and the program is to end.
    pub fn end(&self) {
        self.0.ending.store(true, Ordering::SeqCst);
        self.press();
    }

    /// From now on the signal stops what this engine runs, or nothing.
    pub fn watch(&self, canceller: Option<Canceller>) {
        *self.0.running.lock().unwrap_or_else(PoisonError::into_inner) = canceller;
    }

    /// Whether a signal came since the last time this was asked.
    pub fn take(&self) -> bool {
        self.0.pressed.swap(false, Ordering::SeqCst)
    }

    /// Whether the program is to end.
    pub fn ending(&self) -> bool {
        self.0.ending.load(Ordering::SeqCst)
    }
}
