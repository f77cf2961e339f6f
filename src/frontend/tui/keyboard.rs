//! The keyboard: a thread that reads the terminal, so that a blocked read cannot freeze the screen.
//!
//! The library's read does not return if the terminal is gone, or in the middle of an unterminated escape sequence.
//! Must be paused while somebody else reads the terminal.

use ratatui::crossterm::event::{self, Event};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long one poll of the terminal lasts before the thread checks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(20);

/// Events read ahead of the screen.
const AHEAD: usize = 1024;

/// How long to wait for the thread; past that it sits in a sequence without an end, and goes with the next key.
const PATIENCE: Duration = Duration::from_millis(200);

/// Reads the terminal until it is dropped.
pub struct Keyboard {
    events: Option<Receiver<io::Result<Event>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keyboard {
    /// Starts reading.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub fn start() -> io::Result<Self> {
        let (sink, events) = sync_channel(AHEAD);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("keyboard".to_owned()).spawn(move || read(&sink, &stopped))?;
        Ok(Self { events: Some(events), stop, thread: Some(thread) })
    }

    /// The next event within `wait`; `None` on timeout.
    ///
    /// # Errors
    /// If the terminal cannot be read.
    pub fn next(&self, wait: Duration) -> io::Result<Option<Event>> {
        let Some(events) = &self.events else { return Ok(None) };
        match events.recv_timeout(wait) {
            Ok(event) => event.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the terminal can no longer be read")),
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // A thread with an event in hand must not wait for somebody to take it.
        self.events = None;
        let Some(thread) = self.thread.take() else { return };
        let start = Instant::now();
        while !thread.is_finished() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(2));
        }
        if thread.is_finished() {
            drop(thread.join());
        }
    }
}

fn read(sink: &SyncSender<io::Result<Event>>, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let event = match event::poll(LOOK) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let failed = event.is_err();
        if sink.send(event).is_err() || failed {
            return;
        }
    }
}
