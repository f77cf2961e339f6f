//! Ctrl-C and termination for the front ends that read lines: stops the running command, never the program.
//!
//! Must be connected to the signal once in a program, and must not do more in the handler than set flags.

use crate::engine::Canceller;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pressed: AtomicBool,
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
    /// Where the program has a handler already, or the system refuses one.
    pub fn connect(&self) -> Result<(), ctrlc::Error> {
        let this = self.clone();
        ctrlc::set_handler(move || this.press())
    }

    /// What the signal does: remembers that it came, and stops the engine's running command.
    pub fn press(&self) {
        self.0.pressed.store(true, Ordering::SeqCst);
        let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(canceller) = running.as_ref() {
            canceller.cancel();
        }
    }

    /// From now on the signal stops what this engine runs, or nothing.
    pub fn watch(&self, canceller: Option<Canceller>) {
        *self.0.running.lock().unwrap_or_else(PoisonError::into_inner) = canceller;
    }

    /// Whether it came since the last time this was asked.
    pub fn take(&self) -> bool {
        self.0.pressed.swap(false, Ordering::SeqCst)
    }
}
