//! Keys: the command line each key stands for, from the command table, and the motions that only move the view.
//!
//! Must not become a second list of commands: a command's key is defined in the command table and nowhere else.

use super::activity::Activity;
use super::advice;
use super::panes::node;
use super::view::View;
use crate::command::arg::ArgKind;
use crate::command::spec::{CommandSpec, Group, Key, Scope};
use crate::command::{Command, EngineCommand, Has, Need, TABLE, parse};
use crate::domain::{BreakAt, Target};
use crate::engine::Failure;
use crate::report::{self, Line, Role};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key means outside the prompt and the overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Submit this line.
    Line(String),
    /// Open the prompt with this text.
    Prompt(String),
    /// Do nothing, and say why.
    Refuse(Line),
    /// Move the view.
    Motion(Motion),
    /// Show the help overlay.
    Help,
    /// Type a text to search for.
    Search,
    /// To the next match, or to the one before.
    Match(bool),
    /// Give the pane with the focus the whole screen, or take it back.
    Zoom,
    /// Copy what is selected, or the pane.
    Copy,
    /// A digit of the number before a motion.
    Digit(usize),
    /// Submit the last repeatable line again.
    Repeat,
    /// Stop what runs.
    Cancel,
    /// Stop the program as a job (Ctrl-Z).
    Suspend,
    /// Redraw everything.
    Redraw,
    /// Close what is open, drop the selection.
    Escape,
}

/// Moves of the view; nothing of the session changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// The next pane gets the focus.
    NextPane,
    /// The pane before gets the focus.
    PreviousPane,
    /// Up by rows.
    Up(usize),
    /// Down by rows.
    Down(usize),
    /// Up by almost a screen.
    PageUp,
    /// Down by almost a screen.
    PageDown,
    /// To the start.
    Top,
    /// To the end.
    Bottom,
}

/// Keys of the view, as help shows them: key, what it does.
pub const VIEW_KEYS: [(&str, &str); 16] = [
    ("Tab", "next pane; Shift-Tab goes back"),
    ("j k ↓ ↑", "scroll, or select in the policy"),
    ("PgDn PgUp", "scroll by a screen"),
    ("Home End", "to the start, to the end"),
    ("0-9", "a number before a key: 3j, 10], 2s"),
    ("/", "search in the pane, or in what lies over it"),
    ("n N", "next match, the one before; Esc ends the search"),
    ("z", "this pane alone, and back"),
    ("y", "copy the selected row or the pane (OSC 52)"),
    ("Mouse", "click to select, wheel to scroll (--no-mouse)"),
    ("Enter", "repeat the last step"),
    ("Esc", "close, or back to the walk"),
    (":", "type a command"),
    ("?", "this help"),
    ("Ctrl-C", "stop what is running"),
    ("Ctrl-Z Ctrl-L", "stop as a job; draw anew"),
];

/// What a key depends on.
#[derive(Clone, Copy)]
pub struct Standing<'a> {
    /// The session.
    pub view: View<'a>,
    /// The node or leaf that was selected.
    pub selected: Option<&'a Target>,
    /// Whether a recording is shown.
    pub recorded: bool,
    /// What is going on.
    pub activity: &'a Activity,
    /// Whether a search is on.
    pub searching: bool,
    /// Whether a number is being typed.
    pub counting: bool,
}

/// The action of a key.
pub fn action(key: KeyEvent, standing: Standing<'_>) -> Option<Action> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Action::Cancel),
            KeyCode::Char('z') => Some(Action::Suspend),
            KeyCode::Char('l') => Some(Action::Redraw),
            KeyCode::Char('d') => Some(Action::Motion(Motion::PageDown)),
            KeyCode::Char('u') => Some(Action::Motion(Motion::PageUp)),
            _ => None,
        };
    }
    Some(match key.code {
        KeyCode::Tab => Action::Motion(Motion::NextPane),
        KeyCode::BackTab => Action::Motion(Motion::PreviousPane),
        KeyCode::Up | KeyCode::Char('k') => Action::Motion(Motion::Up(1)),
        KeyCode::Down | KeyCode::Char('j') => Action::Motion(Motion::Down(1)),
        KeyCode::PageUp => Action::Motion(Motion::PageUp),
        KeyCode::PageDown => Action::Motion(Motion::PageDown),
        KeyCode::Home => Action::Motion(Motion::Top),
        KeyCode::End => Action::Motion(Motion::Bottom),
        KeyCode::Enter => Action::Repeat,
        KeyCode::Esc => Action::Escape,
        KeyCode::Char(':') => Action::Prompt(String::new()),
        KeyCode::Char('?') => Action::Help,
        KeyCode::Char('/') => Action::Search,
        KeyCode::Char('z') => Action::Zoom,
        KeyCode::Char('y') => Action::Copy,
        KeyCode::Char('n') if standing.searching => Action::Match(true),
        KeyCode::Char('N') if standing.searching => Action::Match(false),
        KeyCode::Char(c @ '0'..='9') if c != '0' || standing.counting => {
            Action::Digit(c.to_digit(10).map_or(0, |digit| digit as usize))
        }
        code => {
            let (spec, bound) = bindings().find(|(_, k)| code_of(k.key) == Some(code))?;
            command(spec, bound, standing)
        }
    })
}

/// The line of a bound key, with `{node}` filled in. A second `b` at the same place takes the breakpoint away again.
fn command(spec: &CommandSpec, key: &Key, standing: Standing<'_>) -> Action {
    let view = standing.view;
    if key.prompt && standing.recorded && spec.needs.contains(&Need::Live) {
        return Action::Refuse(advice::failure(&Failure::missing(Need::Live, Has::default())));
    }
    let meant = meant(standing);
    if let Some(Target::Leaf(id)) = &meant
        && needs_node(spec, key)
    {
        let line = Line::new().with(Role::Warning, "The leaf ").with(Role::Leaf, id);
        return Action::Refuse(line.with(Role::Warning, format!(" is selected; `{}` needs a node.", spec.name)));
    }
    let node = meant.as_ref().map_or_else(String::new, |n| quoted(n.id().as_str()));
    let line = key.line.replace("{node}", &node);
    if spec.name == "note-at" && meant.is_none_or(|node| view.step_of(node.id()).is_none()) {
        // Nothing to note at a node that is not answered: the note is about the walk.
        return Action::Prompt("note ".to_owned());
    }
    if key.prompt || (key.line.contains("{node}") && node.is_empty()) {
        return Action::Prompt(line);
    }
    if let Ok(Some(Command::Engine(EngineCommand::Break(BreakAt::Place(place), None)))) = parse(&line)
        && let Some(set) = view.state.breakpoints.iter().find(|b| b.at == BreakAt::Place(place.clone()))
    {
        return Action::Line(EngineCommand::Delete(Some(set.id)).to_string());
    }
    Action::Line(line)
}

/// The node or leaf that a key acts on, which is what is lit: the selected one, else the node in the node pane.
fn meant(standing: Standing<'_>) -> Option<Target> {
    let Standing { view, selected, activity, .. } = standing;
    selected.cloned().or_else(|| node::subject(view, None, activity).map(|subject| Target::Node(subject.id)))
}

/// Whether a key does nothing at a leaf.
fn needs_node(spec: &CommandSpec, key: &Key) -> bool {
    let takes_leaf = |kind| matches!(kind, ArgKind::Place | ArgKind::BreakPlace);
    key.line.contains("{node}") && !spec.args.iter().any(|arg| takes_leaf(arg.kind))
}

fn quoted(name: &str) -> String {
    if name.contains(' ') { format!("'{name}'") } else { name.to_owned() }
}

fn bindings() -> impl Iterator<Item = (&'static CommandSpec, &'static Key)> {
    TABLE.iter().copied().flat_map(|spec| spec.keys.iter().map(move |key| (spec, key)))
}

/// The key code that the table calls `name`.
fn code_of(name: &str) -> Option<KeyCode> {
    let mut chars = name.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Some(KeyCode::Char(c)),
        _ => match name {
            "space" => Some(KeyCode::Char(' ')),
            "enter" => Some(KeyCode::Enter),
            "backspace" => Some(KeyCode::Backspace),
            "tab" => Some(KeyCode::Tab),
            _ => name.strip_prefix('f').and_then(|n| n.parse().ok()).map(KeyCode::F),
        },
    }
}

/// How a key is written on the screen.
fn shown(name: &'static str) -> &'static str {
    match name {
        "space" => "Space",
        "backspace" => "⌫",
        "enter" => "Enter",
        "tab" => "Tab",
        other => other,
    }
}

/// The keys of commands: key, what it does, the command line it stands for.
pub fn commands() -> impl Iterator<Item = (&'static str, &'static str, String)> {
    bindings().map(|(spec, key)| {
        let line = if key.prompt { format!(":{}…", key.line) } else { format!(":{}", key.line) };
        (shown(key.key), spec.summary, line)
    })
}

/// The keys that do something now, most useful first: key and label.
pub fn available(view: View<'_>, selected: Option<&Target>, recorded: bool) -> Vec<(&'static str, &'static str)> {
    let rank = |spec: &CommandSpec, key: &Key| match (spec.scope, key.prompt, spec.group) {
        (Scope::View, ..) => 9,
        (_, true, _) => 8,
        (_, _, Group::Step) => 0,
        (_, _, Group::Load) => 1,
        _ => 2,
    };
    let mut found: Vec<_> = bindings()
        // Of what `x` shows, a recording has the prompt.
        .filter(|(_, key)| !recorded || !key.line.starts_with("x ") || key.line.starts_with("x prompt"))
        .filter(|(spec, key)| !(matches!(selected, Some(Target::Leaf(_))) && needs_node(spec, key)))
        .filter(|(spec, key)| key.label != "quit" && possible(spec, view, selected, recorded))
        .map(|(spec, key)| (rank(spec, key), shown(key.key), key.label))
        .collect();
    found.sort_by_key(|(rank, ..)| *rank);
    let mut keys: Vec<(&'static str, &'static str)> = Vec::new();
    for (_, key, label) in found {
        if keys.iter().all(|(_, listed)| *listed != label) {
            keys.push((key, label));
        }
    }
    keys
}

/// Whether a command would do something now: what it needs is loaded, and there is something left to do.
fn possible(spec: &CommandSpec, view: View<'_>, selected: Option<&Target>, recorded: bool) -> bool {
    let has = report::absent::has(view.state, !recorded);
    // What moves in a recording needs neither model nor samples.
    let has = if recorded { Has { model: true, samples: true, ..has } } else { has };
    if spec.missing(has).is_some() {
        return false;
    }
    let walk = view.walk();
    let open = view.next_node().is_some();
    let included = || view.policy().is_some_and(|p| p.nodes.iter().any(|n| n.id.as_str().contains('/')));
    match spec.name {
        "step" | "continue" | "next-sample" | "previous-sample" if recorded => true,
        "run" => !recorded,
        "step" | "continue" => open,
        "next" | "finish" => open && included(),
        "until" => open && selected.is_some(),
        "back" => walk.is_some_and(|w| !w.steps.is_empty()),
        "next-sample" => {
            let left = view.state.samples.as_ref().map_or(0, |(_, count, _)| *count);
            walk.map_or(left > 0, |w| w.number() < left)
        }
        "previous-sample" => walk.is_some_and(|w| w.index > 0),
        "rerun" => view.state.model.is_some() && (view.basis.first_stale().is_some() || view.basis.leaf_is_stale()),
        "walk" => view.state.walks.len() > 1,
        "set threshold" | "note" | "tag" | "print" => walk.is_some(),
        "info" => view.policy().is_some(),
        _ => true,
    }
}
