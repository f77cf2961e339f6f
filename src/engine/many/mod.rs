//! Walks many samples at once: up to a window of samples from a source are walked side by side, and their records go to
//! a sink in the order of the source, each as soon as its turn comes.
//!
//! Must not know where samples come from or where records go (lines, files, streams), and must give every item exactly
//! one record.

mod maker;
mod queue;
#[cfg(test)]
mod tests;

use super::prompt;
use super::walk::Ask;
use crate::domain::{Cancel, Mode, Sample};
use crate::judge::{Judge, JudgeError};
use crate::policy::Policy;
use crate::record::{Fault, Record};
use queue::Queue;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use queue::Tally;

/// One item from a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its place in the input, for the record.
    pub line: u64,
    /// The sample, or why there is none.
    pub sample: Result<Sample, Fault>,
}

/// Where samples come from.
pub trait Source {
    /// The next item, or `None` if there is none at the moment. With `wait` nothing is in progress, so the source may
    /// block until one arrives; `None` then means the end.
    fn next(&mut self, wait: bool) -> Option<Item>;
}

/// Where records go.
pub trait Sink {
    /// Takes the record of the next item. `Break` ends the run; samples still in progress are dropped.
    fn take(&mut self, record: &Record) -> ControlFlow<()>;
}

/// What a run over many samples needs.
pub struct Many<'a> {
    /// The policy to walk.
    pub policy: &'a Policy,
    /// Direct or rationale.
    pub mode: Mode,
    /// Words the questions; [`prompt::question`] everywhere but where other wordings are measured.
    pub ask: &'a Ask,
    /// Opens the judge again after a fault in it.
    pub reopen: &'a mut dyn FnMut() -> Result<Box<dyn Judge>, JudgeError>,
    /// Set from outside to stop the run.
    pub cancel: &'a Cancel,
}

impl<'a> Many<'a> {
    /// A run with the questions of the product.
    pub fn new(
        policy: &'a Policy,
        mode: Mode,
        reopen: &'a mut dyn FnMut() -> Result<Box<dyn Judge>, JudgeError>,
        cancel: &'a Cancel,
    ) -> Self {
        Self { policy, mode, ask: &prompt::question, reopen, cancel }
    }

    /// Walks all samples of `source` with `judge`, which is replaced if it fails. After a cancel, the sink has the
    /// records of all samples finished by then, and the tally says that the run was interrupted.
    ///
    /// # Errors
    /// If the judge fails and no sample is at fault, or if it cannot be reopened after a fault. In that case, too, the
    /// sink has the records of all samples finished by then.
    pub fn run(
        &mut self,
        judge: &mut Box<dyn Judge>,
        source: &mut dyn Source,
        sink: &mut dyn Sink,
    ) -> Result<Tally, JudgeError> {
        let mut queue = Queue::new(self, judge.info(), source, sink);
        let mut suspects = VecDeque::new();
        let result = loop {
            let asked = catch_unwind(AssertUnwindSafe(|| judge.judge_all(&mut queue, self.cancel)));
            match asked {
                Ok(Err(JudgeError::Cancelled)) => break Ok(()),
                Ok(Ok(())) if !queue.is_testing() => break Ok(()),
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => {
                    // The judge's caches may be half written, so it is replaced. Asking the samples in progress again,
                    // each alone, shows which of them brought it down.
                    *judge = match (self.reopen)() {
                        Ok(judge) => judge,
                        Err(error) => break Err(error),
                    };
                    match queue.fallen() {
                        Some(at_hand) => suspects.extend(at_hand),
                        None => break Err(JudgeError::Internal("the model layer failed".into())),
                    }
                }
            }
            queue.test(suspects.pop_front());
        };
        let tally = queue.finish();
        result.map(|()| tally)
    }
}
