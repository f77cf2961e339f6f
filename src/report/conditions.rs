//! The conditions under which answers were given, in words: policy, mode and model.
//!
//! Must only name them; `session::Conditions` decides what differs between two.

use super::{Line, Role};
use crate::domain::Mode;
use crate::session::state::Walk;
use crate::session::{Conditions, PolicyRecord, SessionState};
use crate::text::Untrusted;

/// The conditions that changed between a branch and the walk it comes from, before and after: `scams 1.2.1 (9af3c0de) ·
/// direct`. `None` if nothing changed.
pub fn branched_under(state: &SessionState, fork: &Walk) -> Option<(Line, Line)> {
    let (from, at) = fork.forked_from?;
    let source = state.walk(from)?;
    let before = source.conditions_of(at.checked_sub(1).unwrap_or(usize::MAX));
    let now = &fork.conditions;
    let differing = |of: &Conditions| {
        let mut parts = Vec::new();
        if !before.same_policy(now) {
            parts.extend(of.policy.as_ref().map(|record| policy_name(Line::new(), record)));
        }
        if before.mode != now.mode {
            parts.push(Line::new().with(Role::Value, mode_name(of.mode)));
        }
        if !before.same_model(now) {
            parts.extend(of.model.as_ref().map(|info| Line::new().untrusted(Role::Value, &base_name(&info.name))));
        }
        parts.into_iter().reduce(|line, part| line.with(Role::Muted, " · ").join(part))
    };
    Some((differing(before)?, differing(now)?))
}

/// What answers are made under: `scams 1.2.0 (9af3c0de) · rationale 96 · SmolLM2-135M`.
pub fn made_under(line: Line, conditions: &Conditions) -> Line {
    let line = match &conditions.policy {
        Some(record) => policy_name(line, record),
        None => line.with(Role::Muted, "no policy"),
    };
    let line = line.with(Role::Muted, " · ").with(Role::Value, mode_name(conditions.mode)).with(Role::Muted, " · ");
    match &conditions.model {
        Some(info) => line.untrusted(Role::Value, &base_name(&info.name)),
        None => line.with(Role::Muted, "no model"),
    }
}

/// The last part of a path, without the endings that everything here has.
pub fn base_name(path: &Untrusted) -> Untrusted {
    let raw = path.raw();
    let last = raw.rsplit(['/', '\\']).next().unwrap_or(raw);
    Untrusted::from(last.strip_suffix(".gguf").or(last.strip_suffix(".jsonl")).unwrap_or(last))
}

/// A policy with its version and the beginning of its digest: two texts may share a version number.
pub(super) fn policy_name(line: Line, record: &PolicyRecord) -> Line {
    line.with(Role::Value, &record.id)
        .with(Role::Text, " ")
        .untrusted(Role::Value, &record.version)
        .with(Role::Muted, format!(" ({})", record.sha256.short()))
}

/// A mode with its token limit, if it has one.
pub(super) fn mode_name(mode: Mode) -> String {
    match mode {
        Mode::Direct => mode.as_str().to_owned(),
        Mode::Rationale { max_tokens } => format!("{} {max_tokens}", mode.as_str()),
    }
}
