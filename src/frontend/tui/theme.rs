//! The styles of `report::theme` as styles of cells.
//!
//! Must hold no colours of its own.

use crate::report::Role;
pub use crate::report::theme::Theme;
use crate::report::theme::{Colour, Look};
use ratatui::style::{Color, Modifier, Style};

/// What a theme looks like in cells.
pub trait Styles: Copy {
    /// The look of a role.
    fn style(self, role: Role) -> Style;
    /// The title of a pane without the focus: stands out from its border.
    fn title(self) -> Style;
    /// Border of a pane, and its title when it has the focus.
    fn border(self, focused: bool) -> Style;
    /// Lines that only divide.
    fn dividing(self) -> Style;
    /// The selected row of a list.
    fn selection(self) -> Style;
    /// A key in the key bar.
    fn key(self) -> Style;
}

impl Styles for Theme {
    fn style(self, role: Role) -> Style {
        style(self.look(role))
    }

    fn title(self) -> Style {
        Style::new().fg(Color::Reset).add_modifier(Modifier::BOLD).remove_modifier(Modifier::DIM)
    }

    fn border(self, focused: bool) -> Style {
        style(if focused { self.focus() } else { self.faint() })
    }

    fn dividing(self) -> Style {
        style(self.faint())
    }

    fn selection(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    fn key(self) -> Style {
        style(self.focus())
    }
}

fn style(look: Look) -> Style {
    let mut style = look.colour.map_or_else(Style::new, |colour| Style::new().fg(color(colour)));
    for (on, modifier) in [
        (look.bold, Modifier::BOLD),
        (look.dim, Modifier::DIM),
        (look.italic, Modifier::ITALIC),
        (look.reverse, Modifier::REVERSED),
    ] {
        style = if on { style.add_modifier(modifier) } else { style };
    }
    style
}

const fn color(colour: Colour) -> Color {
    match colour {
        Colour::Red => Color::Red,
        Colour::Green => Color::Green,
        Colour::Blue => Color::Blue,
        Colour::Magenta => Color::Magenta,
        Colour::Cyan => Color::Cyan,
        Colour::Gray => Color::Gray,
        Colour::DarkGray => Color::DarkGray,
        Colour::LightRed => Color::LightRed,
        Colour::LightGreen => Color::LightGreen,
        Colour::LightYellow => Color::LightYellow,
        Colour::LightBlue => Color::LightBlue,
        Colour::LightMagenta => Color::LightMagenta,
        Colour::LightCyan => Color::LightCyan,
    }
}
