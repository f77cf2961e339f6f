//! The title line: session, policy, model, mode, sample, walk, and whether the values are live or recorded.
//!
//! Must stay one line; parts that do not fit are dropped, the least important first.

use crate::frontend::tui::ink::{Ink, Row, cells, spread};
use crate::frontend::tui::view::View;
use crate::report::Role;
use crate::report::conditions::base_name;
use crate::text::{Escaped, Untrusted};
use ratatui::text::Span;

/// On a narrower screen the program's own name is dropped.
const NARROW: usize = 80;

/// The line, `width` cells wide.
pub fn row(ink: Ink, view: View<'_>, session: &Untrusted, recorded: Option<usize>, width: usize) -> Row {
    let mark = match recorded {
        Some(facts) if width < 100 => format!("◆ recorded {}/{facts} ", view.state.facts),
        Some(facts) => format!("◆ recorded, event {} of {facts} ", view.state.facts),
        None => "● live ".to_owned(),
    };
    let right = vec![ink.own(if recorded.is_some() { Role::Warning } else { Role::Good }, mark)];
    let head = vec![ink.own(Role::Heading, if width < NARROW { "" } else { " crossexam" })];
    let room = width.saturating_sub(cells(&right) + cells(&head) + 1);
    let mut items = items(ink, view, session, recorded.is_some());
    while items.iter().map(|item| cells(&[Span::raw(item.before)]) + cells(&item.spans)).sum::<usize>() > room {
        let Some(least) = items.iter().enumerate().max_by_key(|(_, item)| item.rank).map(|(i, _)| i) else { break };
        items.remove(least);
    }
    let mut left = head;
    for (i, item) in items.into_iter().enumerate() {
        left.push(ink.faint(if i == 0 && width < NARROW { " " } else { item.before }));
        left.extend(item.spans);
    }
    spread(Row::from(left), Row::from(right), width)
}

/// One part of the line.
struct Item {
    /// The highest is dropped first if there is no room.
    rank: u8,
    /// The separator before it.
    before: &'static str,
    spans: Vec<Span<'static>>,
}

impl Item {
    const fn new(rank: u8, spans: Vec<Span<'static>>) -> Self {
        Self { rank, before: " │ ", spans }
    }
}

/// The parts of the line, from left to right.
fn items(ink: Ink, view: View<'_>, session: &Untrusted, recorded: bool) -> Vec<Item> {
    let state = view.state;
    let mut items = Vec::new();
    // The conditions of the current walk, and beside them what is loaded if that differs.
    let under = view.walk().map_or_else(|| state.conditions(), |walk| (*walk.conditions).clone());
    match &under.policy {
        Some(policy) => {
            let mut spans = vec![ink.name(Role::Value, &policy.id), Span::raw(" ")];
            spans.extend(short(ink, Role::Muted, &policy.version, 12));
            if let Some(loaded) = state.policy.as_ref().filter(|_| view.basis.is_older()) {
                let same = loaded.version == policy.version && loaded.id == policy.id;
                let text =
                    if same { " (edited since)".to_owned() } else { format!(" (loaded {})", loaded.version.escaped()) };
                spans.push(ink.own(Role::Warning, crate::text::width::truncate(&text, 24)));
            }
            items.push(Item::new(0, spans));
        }
        None => items.push(Item::new(0, vec![ink.own(Role::Muted, "no policy")])),
    }
    match &under.model {
        Some(model) => items.push(Item::new(5, short(ink, Role::Value, &base_name(&model.name), 28))),
        // A recording may come to its model further on.
        None if recorded => {}
        None => items.push(Item::new(5, vec![ink.own(Role::Muted, "no model")])),
    }
    items.push(Item::new(1, vec![ink.own(Role::Text, under.mode.as_str())]));
    if let Some(walk) = view.walk() {
        let of = state.samples.as_ref().map_or(String::new(), |(_, count, _)| format!("/{count}"));
        items.push(Item::new(2, vec![ink.own(Role::Text, format!("sample {}{of}", walk.number()))]));
        // The sample pane shows it too, but nothing else shows which walk this is.
        items.push(Item { before: " ", ..Item::new(4, short(ink, Role::Muted, &walk.sample.id, 20)) });
        let fork = walk.forked_from.map_or(String::new(), |(from, _)| format!(" from {}", from.0));
        items.push(Item::new(3, vec![ink.own(Role::Text, format!("walk {}{fork}", walk.id.0))]));
    }
    if !session.is_empty() {
        items.push(Item::new(6, short(ink, Role::Muted, &base_name(session), 28)));
    }
    items
}

fn short(ink: Ink, role: Role, text: &Untrusted, cells: usize) -> Vec<Span<'static>> {
    ink.escaped(role, &Escaped::line(&crate::text::width::truncate(text.escaped().as_str(), cells)))
}
