//! Waits that report what they wait for and notice a cancel, for calls that do neither.
//!
//! Must not make anything take longer than it would alone. A thread whose result is no longer wanted ends at its own
//! time limit.

use super::fetched::SourceError;
use crate::domain::Cancel;
use crate::judge::Progress;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How long one poll lasts before a cancel is checked.
const TICK: Duration = Duration::from_millis(100);

/// Reports once a second what is awaited.
pub(super) struct Teller<'a> {
    what: &'a str,
    begun: Instant,
    told: Option<u64>,
}

impl<'a> Teller<'a> {
    /// Waiting for `what` begins now.
    pub fn new(what: &'a str) -> Self {
        Self { what, begun: Instant::now(), told: None }
    }

    /// How long it has lasted.
    pub fn lasted(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Reports it, unless it did less than a second ago.
    pub fn tell(&mut self, progress: &mut dyn FnMut(Progress)) {
        let seconds = self.lasted().as_secs();
        if self.told != Some(seconds) {
            self.told = Some(seconds);
            progress(Progress::Waiting { what: self.what.into(), seconds });
        }
    }
}

/// The next item from `from`, `None` at its end. After `patience` the user is told what is awaited.
pub(super) fn next<T>(
    from: &Receiver<T>,
    what: &str,
    patience: Duration,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<Option<T>, SourceError> {
    let mut teller = Teller::new(what);
    loop {
        if cancel.is_cancelled() {
            return Err(SourceError::Cancelled);
        }
        match from.recv_timeout(TICK) {
            Ok(thing) => return Ok(Some(thing)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) if teller.lasted() >= patience => teller.tell(progress),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// The result of `work`, which runs on a separate thread.
pub(super) fn answer<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    what: &str,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<T, SourceError> {
    let (out, answers) = sync_channel(1);
    // Nobody listens any more after a cancel.
    spawn(move || drop(out.send(work())))?;
    let answer = next(&answers, what, Duration::ZERO, progress, cancel)?;
    answer.ok_or_else(|| SourceError::Final(format!("the wait for {what} ended without an answer")))
}

/// Starts a thread that ends by itself.
pub(super) fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), SourceError> {
    let started = std::thread::Builder::new().name("download".to_owned()).spawn(work);
    started.map(drop).map_err(|e| SourceError::Final(format!("no thread for the download: {e}")))
}

/// Waits for `time`.
pub(super) fn pause(
    time: Duration,
    what: &str,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<(), SourceError> {
    let mut teller = Teller::new(what);
    while teller.lasted() < time {
        if cancel.is_cancelled() {
            return Err(SourceError::Cancelled);
        }
        teller.tell(progress);
        std::thread::sleep(TICK.min(time));
    }
    Ok(())
}
