//! The loaded samples, and choosing among them.
//!
//! Must keep file order, and must not change a sample.

use super::{Engine, Execution, Failure, Stop, meant};
use crate::command::{Has, Need, SampleRef};
use crate::domain::Sample;
use crate::policy::Policy;
use crate::session::expr::{self, Moment, Vocabulary};
use crate::session::state::Walk;
use crate::session::{Fact, WalkId};
use crate::text::Untrusted;
use std::sync::{Arc, Mutex, PoisonError};

/// The ids of the loaded samples, in file order, for completion; clones share them.
#[derive(Clone, Debug, Default)]
pub struct SampleIds(Arc<Mutex<Arc<[Untrusted]>>>);

impl SampleIds {
    /// Those that are loaded now.
    pub fn now(&self) -> Arc<[Untrusted]> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set(&self, samples: &[Sample]) {
        let ids = samples.iter().map(|sample| sample.id.clone()).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ids;
    }
}

/// All good samples of one file.
pub(super) struct SampleSet {
    pub(super) samples: Vec<Sample>,
}

impl Engine {
    fn sample_set(&self) -> Result<&SampleSet, Failure> {
        self.samples.as_ref().ok_or_else(|| Failure::missing(Need::Samples, Has::default()))
    }

    pub(super) fn select_sample(&mut self, run: &mut Execution, which: &SampleRef) -> Result<Stop, Failure> {
        let set = self.sample_set()?;
        let count = set.samples.len();
        let index = match which {
            SampleRef::Number(n) => n
                .checked_sub(1)
                .filter(|i| *i < count)
                .ok_or_else(|| meant::no_number(*n, count, set.samples.iter()))?,
            SampleRef::Id(id) => {
                let found = set.samples.iter().position(|s| s.id.raw() == id);
                found.ok_or_else(|| meant::no_sample(&set.samples, id))?
            }
        };
        self.start_sample(run, index)
    }

    pub(super) fn next_sample(&mut self, run: &mut Execution, filter: Option<&str>) -> Result<Stop, Failure> {
        let set = self.sample_set()?;
        if let Some(filter) = filter {
            let policies: Vec<&Policy> = self.policy.as_deref().into_iter().collect();
            let at = Vocabulary { moment: Moment::Sample, policies: &policies, ..self.vocabulary() };
            expr::check(filter, &at)?;
        }
        let start = self.state.walk_now().map_or(0, Walk::number);
        let mut condition = filter.map(expr::Condition::read).transpose()?;
        let mut found = None;
        for (index, sample) in set.samples.iter().enumerate().skip(start) {
            run.check_cancel()?;
            let fits = match &mut condition {
                Some(condition) => condition.holds(&expr::Context::of_sample(&self.state, index, sample))?,
                None => true,
            };
            if fits {
                found = Some(index);
                break;
            }
        }
        match (found, filter) {
            (Some(index), _) => self.start_sample(run, index),
            (None, Some(_)) => Err(Failure::user("no later sample fits").hinted("sample 1 goes back to the first")),
            (None, None) => Err(Failure::user("this was the last sample").hinted("sample 1 goes back to the first")),
        }
    }

    pub(super) fn previous_sample(&mut self, run: &mut Execution) -> Result<Stop, Failure> {
        let index =
            self.current_walk()?.index.checked_sub(1).ok_or_else(|| Failure::user("this is the first sample"))?;
        self.sample_set()?;
        self.start_sample(run, index)
    }

    /// Goes back to an earlier walk.
    pub(super) fn select_walk(&mut self, run: &mut Execution, id: u32) -> Result<Stop, Failure> {
        let walk = WalkId(id);
        if self.state.walk(walk).is_none() {
            return Err(Failure::user(format!("there is no walk {id}")).hinted("info walks lists them"));
        }
        self.done(run, Fact::WalkSelected { walk })
    }

    fn start_sample(&mut self, run: &mut Execution, index: usize) -> Result<Stop, Failure> {
        let policy = self.policy()?;
        let sample = self
            .sample_set()?
            .samples
            .get(index)
            .cloned()
            .ok_or_else(|| Failure::user(format!("there is no sample {}", index.saturating_add(1))))?;
        self.start_walk(run, index, sample, &policy)?;
        Ok(Stop::Done)
    }
}
