//! What changed from one version of a policy to the next, and what that means for the current walk.
//!
//! Must say what to do about answers that no longer stand.

use super::number::plural;
use super::{Basis, Doc, Line, Page, Role};
use crate::change::{Change, PolicyDiff, Stale, diff};
use crate::domain::{BreakAt, Name};
use crate::policy::Policy;
use crate::session::expr::{self, Moment, Vocabulary};
use crate::session::{Breakpoint, SessionState};

/// Nodes and leaves that are listed one by one.
const LISTED: usize = 40;

/// What a newly loaded policy changes compared to the one before. Empty if there was none, or one with another id.
pub fn loaded(state: &SessionState, basis: &Basis, page: Page) -> Doc {
    let mut doc = Doc::new();
    let Some(loaded) = &basis.loaded else { return doc };
    if let Some(before) = basis.before.as_ref().filter(|before| before.id == loaded.id) {
        let found = diff(before, loaded);
        if found.is_empty() {
            doc.push(margin().with(Role::Muted, "no node and no leaf changed"));
        }
        doc.extend(listed(&found, page));
        doc.extend(stale(state, basis, page));
    }
    doc.extend(breakpoints(state, loaded, page));
    doc
}

/// Which breakpoints name what the policy that was just loaded does not have.
fn breakpoints(state: &SessionState, policy: &Policy, page: Page) -> Doc {
    let mut doc = Doc::new();
    for breakpoint in &state.breakpoints {
        let id = breakpoint.id;
        let (why, change) = match (nowhere(breakpoint, policy), unreadable(breakpoint, policy, state)) {
            (Some(why), _) => (why, String::new()),
            (None, Some(why)) => (why, format!(", `condition {id} EXPR` gives it another condition")),
            (None, None) => continue,
        };
        let text = format!("breakpoint {id} names what is no longer there: {why}; `delete {id}` removes it{change}");
        doc.words(margin().with(Role::Warning, "! "), Role::Warning, &text, page.width);
    }
    doc
}

/// Why there is no such place.
fn nowhere(breakpoint: &Breakpoint, policy: &Policy) -> Option<String> {
    let none = |what: &str, id: &Name| Some(format!("the policy has no {what} `{id}`"));
    match &breakpoint.at {
        BreakAt::Anywhere => None,
        BreakAt::Place(id) if policy.node(id.as_str()).is_some() || policy.leaf(id.as_str()).is_some() => None,
        BreakAt::Place(id) => none("node or leaf", id),
        BreakAt::Answer(id, answer) => match policy.node(id.as_str()) {
            None => none("node", id),
            Some(node) => {
                node.target(answer.as_str()).is_none().then(|| format!("node `{id}` has no answer `{answer}`"))
            }
        },
    }
}

/// Why its condition would be refused now.
fn unreadable(breakpoint: &Breakpoint, policy: &Policy, state: &SessionState) -> Option<String> {
    let node = match &breakpoint.at {
        BreakAt::Place(id) | BreakAt::Answer(id, _) => policy.node(id.as_str()),
        BreakAt::Anywhere => None,
    };
    let (moment, thresholds) = (Moment::Breakpoint, state.thresholds.as_slice());
    let at = Vocabulary { moment, policies: &[policy], node, thresholds, ..Vocabulary::default() };
    let error = expr::check(breakpoint.condition.as_deref()?, &at).err()?;
    Some(error.message.escaped().to_string())
}

/// Every node and leaf that is not what it was.
fn listed(found: &PolicyDiff, page: Page) -> Doc {
    let mut doc = Doc::new();
    for (changed, what) in [
        (found.instructions, "the instructions changed, which the model reads before every node"),
        (found.layout, "the layout changed: the model reads policy and sample in another order"),
    ] {
        if changed {
            doc.words(margin(), Role::Warning, what, page.width);
        }
    }
    if let Some(root) = &found.root {
        doc.push(margin().with(Role::Warning, "the root is now ").with(Role::Node, root));
    }
    let nodes = found.nodes.iter().map(|change| (Role::Node, "node", change));
    let all: Vec<_> = nodes.chain(found.leaves.iter().map(|change| (Role::Leaf, "leaf", change))).collect();
    for (role, kind, (id, change)) in all.iter().take(LISTED) {
        let (word, what) = match change {
            Change::Added => ("added", String::new()),
            Change::Removed => ("removed", String::new()),
            Change::Changed(parts) => ("changed", parts.iter().map(|p| p.as_str()).collect::<Vec<_>>().join(", ")),
        };
        let line = margin().column(Role::Warning, word, 9).with(Role::Muted, format!("{kind} ")).with(*role, id);
        match what.is_empty() {
            true => doc.push(line),
            false => doc.words(line.with(Role::Muted, ": "), Role::Text, &what, page.width),
        }
    }
    if let Some(more) = all.len().checked_sub(LISTED).filter(|n| *n > 0) {
        doc.push(margin().with(Role::Muted, format!("… and {more} more")));
    }
    doc
}

/// Which steps of the current walk no longer stand, and how to ask again.
pub fn stale(state: &SessionState, basis: &Basis, page: Page) -> Doc {
    let mut doc = Doc::new();
    let Some(walk) = state.walk_now() else { return doc };
    let places: Vec<usize> = (0..walk.steps.len()).filter(|place| basis.stale(*place).is_some()).collect();
    let text = match places.first() {
        Some(_) => format!(
            "walk {}: {} no longer {} ({}); `rerun` asks again from the first, in a branch",
            walk.id.0,
            plural(places.len(), "step"),
            if places.len() == 1 { "stands" } else { "stand" },
            places.iter().map(|p| format!("#{}", p + 1)).collect::<Vec<_>>().join(", "),
        ),
        None if basis.leaf_is_stale() => {
            format!("walk {}: its leaf says something else now; `rerun` takes it again, in a branch", walk.id.0)
        }
        None => return doc,
    };
    doc.words(margin().with(Role::Warning, "! "), Role::Warning, &text, page.width);
    doc
}

/// That the loaded policy would ask a node otherwise than the one on the screen.
pub fn otherwise(stale: &Stale) -> String {
    match stale {
        Stale::Gone => "the loaded policy has no such node".to_owned(),
        Stale::Changed(_) => format!("stale, changed in the loaded policy: {}", stale.words()),
    }
}

fn margin() -> Line {
    Line::new().with(Role::Text, "  ")
}
