//! `list`: the source of the policy around a node or leaf.
//!
//! Must show the file exactly as it was read, hidden characters included.

use super::absent::missing;
use super::{Basis, Doc, Line, Page, Role, change};
use crate::command::Need;
use crate::domain::{Complaint, Name, Target};
use crate::policy::Policy;
use crate::session::{PolicyRecord, SessionState, SourceFile};
use crate::text::alike::did_you_mean;
use crate::text::{Untrusted, width};

/// The most lines that are listed.
const LINES: usize = 40;

/// The part of the policy file that describes `place`. Without `place`: the node asked next or the leaf reached;
/// without a walk, the root.
///
/// A node of the current walk is shown as it was asked, everything else as it stands in the policy of the walk.
pub fn list(place: Option<&Name>, state: &SessionState, basis: &Basis, page: Page) -> Result<Doc, Complaint> {
    let policy = basis.policy.as_deref().ok_or_else(|| missing(Need::Policy, state))?;
    let here = state.walk_now().map(|walk| match (&walk.leaf, walk.frontier()) {
        (Some(leaf), _) => leaf.id.clone(),
        (None, Target::Node(id) | Target::Leaf(id)) => id,
    });
    let id = place.or(here.as_ref()).unwrap_or(&policy.root);
    let asked = state.walk_now().and_then(|walk| walk.steps.iter().rposition(|s| s.node.id == *id));
    let policy = asked.and_then(|place| basis.of_step(place)).unwrap_or(policy);
    let record = match (state.walk_now(), asked) {
        (Some(walk), Some(place)) => walk.conditions_of(place).policy.as_ref(),
        (Some(walk), None) => walk.conditions.policy.as_ref(),
        (None, _) => state.policy.as_ref(),
    };
    let record = record.ok_or_else(|| missing(Need::Policy, state))?;
    let (file, at) = begins(id, policy, record)?;
    let lines: Vec<&str> = file.text.raw().lines().collect();
    let own = lines.get(at).map(|l| l.trim().trim_end_matches(']').to_owned()).unwrap_or_default();
    let length = lines.iter().skip(at + 1).take_while(|l| !begins_another(l, &own)).count() + 1;
    let mut shown: Vec<&str> = lines.iter().skip(at).take(length.min(LINES)).copied().collect();
    while shown.len() > 1 && shown.last().is_some_and(|l| l.trim().is_empty() || l.trim_start().starts_with('#')) {
        shown.pop();
    }
    let mut doc = Doc::new();
    doc.push(Line::new().untrusted(Role::Muted, &file.path).with(Role::Muted, format!(":{}", at + 1)));
    let digits = (at + shown.len()).to_string().len();
    for (i, text) in shown.iter().enumerate() {
        let mark = if i == 0 && here.as_ref() == Some(id) { "=> " } else { "   " };
        let number = format!("{:>digits$} ", at + i + 1);
        let prefix =
            Line::new().with(Role::Cursor, mark.trim_end()).with(Role::Text, " ".repeat(3 - mark.trim_end().len()));
        doc.paragraph(prefix.with(Role::Muted, number), Role::Content, &Untrusted::from(*text), page.width);
    }
    let stale = asked.map_or_else(|| basis.asks_otherwise(id), |place| basis.stale(place).cloned());
    if let Some(stale) = stale {
        doc.words(Line::new().with(Role::Warning, "! "), Role::Warning, &change::otherwise(&stale), page.width);
    }
    if length > LINES {
        doc.push(Line::new().with(Role::Muted, format!("… {} more lines", length - LINES)));
    }
    Ok(doc)
}

/// Where a node or leaf begins in the files of its policy: the file, and the line from 0.
///
/// # Errors
/// If the policy has no such node or leaf, or the files do not contain it.
pub fn begins<'a>(id: &Name, policy: &Policy, record: &'a PolicyRecord) -> Result<(&'a SourceFile, usize), Complaint> {
    let local = id.as_str().rsplit('/').next().unwrap_or_default();
    let (files, line) = match policy.node(id.as_str()) {
        Some(node) => (record.files.get(node.file..=node.file).unwrap_or_default(), Some(node.line)),
        None if policy.leaf(id.as_str()).is_some() => (record.files.as_slice(), None),
        None => return Err(unknown(id, policy)),
    };
    let header = [format!("[leaf.{local}]"), format!("[leaf.\"{local}\"]")];
    let found = files.iter().find_map(|file| {
        let mut lines = file.text.raw().lines();
        let at = match line {
            Some(line) => line.checked_sub(1).filter(|at| lines.nth(*at).is_some())?,
            None => lines.position(|l| header.iter().any(|h| l.trim() == h))?,
        };
        Some((file, at))
    });
    found.ok_or_else(|| Complaint::new(format!("the source of `{id}` cannot be found in the recorded policy")))
}

/// Whether a line begins a table that is no part of the one that begins with `own` (`[node.x`).
fn begins_another(line: &str, own: &str) -> bool {
    let line = line.trim();
    line.starts_with('[') && line.ends_with(']') && !line.starts_with(&format!("{own}."))
}

fn unknown(id: &Name, policy: &Policy) -> Complaint {
    let mut names: Vec<&str> = policy.nodes.iter().map(|n| n.id.as_str()).collect();
    names.extend(policy.leaves.iter().map(|l| l.id.as_str()));
    let list = width::truncate(&names.join(", "), 400);
    let meant = did_you_mean(&policy.names_like(id.as_str(), true), |name| format!("`{name}`"));
    let meant = meant.map(|meant| format!("{meant} ")).unwrap_or_default();
    Complaint::new(format!("the policy has no node or leaf `{id}`")).hinted(format!("{meant}It has {list}."))
}
