//! `Ui`: the state of the screen: what is shown and what the user looks at. The app changes it; geometry and paint read
//! it.
//!
//! Must know neither keys nor the terminal, and must hold no part of the session.

use super::activity::Activity;
use super::layout::{self, Arrangement, Pane};
use super::log::Log;
use super::panes::overlay::Overlay;
use super::panes::tree::{Laid, Selected};
use super::prompt::Prompt;
use super::search::Search;
use super::theme::Theme;
use super::view::View;
use crate::domain::Target;
use crate::frontend::editor::Editor;
use crate::report::{Line, Page};
use crate::text::Untrusted;
use ratatui::layout::{Position, Rect, Size};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// What stays the same while the front end runs.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Name of the session, for the title line.
    pub session: Untrusted,
    /// Whether a recorded session is shown, without a model.
    pub recorded: bool,
    /// How many facts that session has.
    pub events: usize,
    /// The looks.
    pub theme: Theme,
    /// Whether the terminal is asked for its background, which then decides the looks.
    pub ask_background: bool,
    /// Whether the terminal can show ASCII only.
    pub ascii: bool,
    /// Whether the mouse is listened to.
    pub mouse: bool,
    /// Lines typed in earlier sessions, oldest first.
    pub history: Vec<String>,
    /// What `edit` opens.
    pub editor: Editor,
    /// What `~` stands for in a path.
    pub home: Option<PathBuf>,
    /// Names of models that can be loaded, each with a few words on it, for completion.
    pub models: Vec<(String, String)>,
}

/// The state of the screen.
pub struct Ui {
    /// What stays the same.
    pub setup: Setup,
    /// Columns and rows.
    pub size: Rect,
    /// Time since the start.
    pub now: Duration,
    /// The pane that keys act on.
    pub focus: Pane,
    /// The pane shown at the shared place of a small screen.
    pub tab: Pane,
    /// Whether the pane with the focus has the whole screen.
    pub zoomed: bool,
    /// First rows shown, for panes that were scrolled by hand.
    pub scroll: HashMap<Pane, usize>,
    /// The row that was selected in the policy.
    pub selected: Option<Selected>,
    /// The layout of the tree as it was drawn last.
    laid: RefCell<Option<Rc<Laid>>>,
    /// What happened.
    pub log: Log,
    /// What is going on.
    pub activity: Activity,
    /// The line being typed.
    pub prompt: Option<Prompt>,
    /// What lies over the panes.
    pub overlay: Option<Overlay>,
    /// What was searched for.
    pub search: Option<Search>,
    /// The number typed before a motion.
    pub count: Option<usize>,
    /// Waits for `y` before a running command is given up.
    pub confirm: bool,
    /// The last thing worth saying in the status line.
    pub status: Option<Line>,
}

impl Ui {
    /// An empty screen of this size.
    pub fn new(setup: Setup, width: u16, height: u16) -> Self {
        Self {
            setup,
            size: drawn(width, height),
            now: Duration::ZERO,
            focus: Pane::Tree,
            tab: Pane::Sample,
            zoomed: false,
            scroll: HashMap::new(),
            selected: None,
            laid: RefCell::default(),
            log: Log::default(),
            activity: Activity::default(),
            prompt: None,
            overlay: None,
            search: None,
            count: None,
            confirm: false,
            status: None,
        }
    }

    /// The terminal has this size now.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.size = drawn(width, height);
    }

    /// How the panes are put on the screen.
    pub const fn arrangement(&self) -> Arrangement {
        Arrangement { tab: self.tab, focus: self.focus, zoomed: self.zoomed }
    }

    /// Whether nothing but quitting can be done here.
    pub const fn too_small(&self) -> bool {
        layout::too_small(self.size)
    }

    /// The layout of the tree for a pane of `width` cells; recomputed only after a fact changed it.
    pub fn laid(&self, view: View<'_>, width: usize) -> Option<Rc<Laid>> {
        let mut kept = self.laid.borrow_mut();
        *kept = Laid::of(view, width, kept.take());
        kept.clone()
    }

    /// The node or leaf that was selected.
    pub fn target(&self) -> Option<&Target> {
        self.selected.as_ref().map(|selected| &selected.target)
    }

    /// How a report is to be written for a place of `width` cells.
    pub const fn page(&self, width: usize) -> Page {
        if self.setup.recorded { Page::recorded(width) } else { Page::live(width) }
    }

    /// Lets panes follow the walk again after they were scrolled or pointed elsewhere.
    pub fn follow(&mut self, panes: &[Pane]) {
        self.selected = None;
        for pane in panes {
            self.scroll.remove(pane);
        }
    }

    /// Gives a pane the focus, and shows it.
    pub fn focus_on(&mut self, pane: Pane) {
        self.focus = pane;
        if Pane::TABS.contains(&pane) {
            self.tab = pane;
        }
    }

    /// Says something in the status line.
    pub fn say(&mut self, line: Line) {
        self.status = Some(line);
    }
}

/// The part of a terminal of this size that is drawn on.
fn drawn(width: u16, height: u16) -> Rect {
    Rect::from((Position::ORIGIN, layout::drawn(Size { width, height })))
}
