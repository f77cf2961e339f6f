//! Layout: which panes are visible and where, as a function of the screen's size and the focus.
//!
//! Must not be kept across frames; every area lies inside the screen it was made for.

use ratatui::layout::{Constraint, Layout, Rect, Size};

/// Smallest size at which anything is drawn: one pane at a time.
pub const LEAST: (u16, u16) = (40, 12);

/// Size from which three panes are on the screen.
const THREE: (u16, u16) = (80, 24);

/// Size from which all five panes are on the screen at once.
const FIVE: (u16, u16) = (110, 32);

/// Largest size that is drawn on. A terminal can claim any size; on a larger one the rest stays blank, for every cell
/// costs memory and time.
pub const MOST: (u16, u16) = (1000, 500);

/// A pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pane {
    /// The policy.
    Tree,
    /// The sample.
    Sample,
    /// The node.
    Node,
    /// Classifier, LLM and gold.
    Compare,
    /// What happened.
    Log,
}

impl Pane {
    /// All panes, in the order in which Tab visits them.
    pub const ALL: [Self; 5] = [Self::Tree, Self::Sample, Self::Node, Self::Compare, Self::Log];

    /// The panes that share one place on a small screen.
    pub const TABS: [Self; 3] = [Self::Sample, Self::Compare, Self::Log];

    /// The pane `by` places on.
    pub fn shifted(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|p| *p == self).unwrap_or(0);
        Self::ALL.get((at + by) % Self::ALL.len()).copied().unwrap_or(self)
    }

    /// Its name in a border.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Tree => "Policy",
            Self::Sample => "Sample",
            Self::Node => "Node",
            Self::Compare => "Compare",
            Self::Log => "Log",
        }
    }
}

/// What the user looks at.
#[derive(Clone, Copy, Debug)]
pub struct Arrangement {
    /// The pane at the shared place of a small screen.
    pub tab: Pane,
    /// The pane with the focus: the one that is shown if there is room for only one.
    pub focus: Pane,
    /// Whether it has the whole screen anyway.
    pub zoomed: bool,
}

/// The screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    /// The title line.
    pub title: Rect,
    /// Panes that are shown, borders included.
    pub panes: Vec<(Pane, Rect)>,
    /// The panes that share one place, if any; that place shows one of them.
    pub shared: &'static [Pane],
    /// The prompt or status line.
    pub prompt: Rect,
    /// The key bar.
    pub keys: Rect,
}

impl Screen {
    /// The place of a pane.
    pub fn place_of(&self, pane: Pane) -> Option<Rect> {
        self.panes.iter().find(|(p, _)| *p == pane).map(|(_, rect)| *rect)
    }

    /// Whether one pane has the whole screen.
    pub fn is_single(&self) -> bool {
        self.panes.len() == 1
    }
}

/// The part of a screen that is drawn on.
pub fn drawn(screen: Size) -> Size {
    Size { width: screen.width.min(MOST.0), height: screen.height.min(MOST.1) }
}

/// Whether nothing can be drawn here but that it is too small.
pub const fn too_small(area: Rect) -> bool {
    area.width < LEAST.0 || area.height < LEAST.1
}

/// Where everything goes; `None` if the screen is too small.
pub fn screen(area: Rect, looked_at: Arrangement) -> Option<Screen> {
    if too_small(area) {
        return None;
    }
    let [title, body, prompt, keys] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1), Constraint::Length(1)])
            .areas(area);
    let below = |size: (u16, u16)| area.width < size.0 || area.height < size.1;
    let (panes, shared): (_, &'static [Pane]) = if looked_at.zoomed || below(THREE) {
        (vec![(looked_at.focus, body)], &Pane::ALL)
    } else if below(FIVE) {
        (folded(body, looked_at.tab), &Pane::TABS)
    } else {
        (five(body), &[])
    };
    Some(Screen { title, panes, shared, prompt, keys })
}

fn five(body: Rect) -> Vec<(Pane, Rect)> {
    let left = part(body.width, 35).clamp(40, 56);
    let [left, right] = Layout::horizontal([Constraint::Length(left), Constraint::Min(0)]).areas(body);
    let low = (body.height / 4).clamp(9, 16);
    let [tree, compare] = Layout::vertical([Constraint::Min(0), Constraint::Length(low)]).areas(left);
    let [upper, log] = Layout::vertical([Constraint::Min(0), Constraint::Length(low)]).areas(right);
    let high = (upper.height / 3).clamp(7, 14);
    let [sample, node] = Layout::vertical([Constraint::Length(high), Constraint::Min(0)]).areas(upper);
    vec![(Pane::Tree, tree), (Pane::Sample, sample), (Pane::Node, node), (Pane::Compare, compare), (Pane::Log, log)]
}

/// So many hundredths of `cells`.
fn part(cells: u16, percent: u32) -> u16 {
    (u32::from(cells) * percent.min(100) / 100) as u16
}

fn folded(body: Rect, tab: Pane) -> Vec<(Pane, Rect)> {
    let low = (body.height / 3).clamp(8, 20);
    let [top, bottom] = Layout::vertical([Constraint::Min(0), Constraint::Length(low)]).areas(body);
    let left = part(top.width, 40).clamp(32, 56);
    let [tree, node] = Layout::horizontal([Constraint::Length(left), Constraint::Min(0)]).areas(top);
    let tab = if Pane::TABS.contains(&tab) { tab } else { Pane::Sample };
    vec![(Pane::Tree, tree), (Pane::Node, node), (tab, bottom)]
}

/// The part of `area` inside its border.
pub fn inner(area: Rect) -> Rect {
    Rect {
        x: area.x.saturating_add(2),
        y: area.y.saturating_add(1),
        width: area.width.saturating_sub(4),
        height: area.height.saturating_sub(2),
    }
}
