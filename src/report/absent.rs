//! Messages shown in place of missing data, and what a session needs so that there is some.
//!
//! Must say what to do, too.

use super::{Doc, Line, Role};
use crate::command::{Has, Need};
use crate::domain::Complaint;
use crate::session::SessionState;

/// What a command needs is not there.
pub(super) fn missing(need: Need, state: &SessionState) -> Complaint {
    need.complaint(has(state, true))
}

/// What a session in this state has, as far as commands need it.
pub fn has(state: &SessionState, live: bool) -> Has {
    Has {
        policy: state.policy.is_some(),
        samples: state.samples.is_some(),
        model: state.model.is_some(),
        walk: state.walk_now().is_some(),
        live,
    }
}

/// A line that says that a list is empty and how it would not be.
pub(super) fn nothing(text: &str) -> Doc {
    Doc(vec![Line::new().with(Role::Muted, text)])
}
