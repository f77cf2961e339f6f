//! `Need`: what must be loaded before a command can run, and the message if it is not.
//!
//! Must not look into a session: whoever holds one says what it `Has`.

use crate::domain::Complaint;

/// What a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A policy is loaded.
    Policy,
    /// Samples are loaded.
    Samples,
    /// A model is loaded.
    Model,
    /// A sample is selected, and so there is a walk of it.
    Walk,
    /// The session is live: a recorded one is shown, nothing is asked and nothing written.
    Live,
}

/// What there is at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Has {
    /// A policy.
    pub policy: bool,
    /// Samples.
    pub samples: bool,
    /// A model.
    pub model: bool,
    /// A walk.
    pub walk: bool,
    /// A live session.
    pub live: bool,
}

impl Has {
    /// Whether `need` is there.
    pub const fn meets(self, need: Need) -> bool {
        match need {
            Need::Policy => self.policy,
            Need::Samples => self.samples,
            Need::Model => self.model,
            Need::Walk => self.walk,
            Need::Live => self.live,
        }
    }
}

impl Need {
    /// What it is called.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Policy => "a policy",
            Self::Samples => "samples",
            Self::Model => "a model",
            Self::Walk => "a walk",
            Self::Live => "a live session",
        }
    }

    /// The message that it is missing, and what to do about it, given what the session `has` so far.
    pub fn complaint(self, has: Has) -> Complaint {
        Complaint::new(self.missing()).hinted(self.hint(has))
    }

    /// What is missing.
    pub const fn missing(self) -> &'static str {
        match self {
            Self::Policy => "no policy is loaded",
            Self::Samples => "no samples are loaded",
            Self::Model => "no model is loaded",
            Self::Walk => "no sample is selected",
            Self::Live => "this is a recorded session: it is shown, not run",
        }
    }

    /// What to do about it, given what the session `has` so far.
    pub const fn hint(self, has: Has) -> &'static str {
        match self {
            Self::Policy => "load policy PATH",
            Self::Samples => "load samples PATH",
            Self::Model => "load model NAME, or start with --llm NAME|PATH",
            Self::Walk if has.samples => "sample 1 picks one, next-sample the next",
            Self::Walk => "load samples PATH, then sample 1",
            Self::Live => {
                "step, continue, until, back, sample, next-sample and previous-sample move through it, walk N selects one"
            }
        }
    }
}
