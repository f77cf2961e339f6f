//! The one theme of the full-screen front end: what every role looks like, in dark, light and without colours.
//!
//! Must use the 16 named colours only, and must not let a colour carry a meaning alone: symbols stand beside them.

use crate::report::Role;
use ratatui::style::{Color, Modifier, Style};

/// Which palette.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Bright colours for a dark background.
    #[default]
    Dark,
    /// Dark colours for a light background.
    Light,
    /// Bold, dim, underline and reverse only (`NO_COLOR`, monochrome terminals).
    Mono,
}

impl Theme {
    /// The palette for a terminal: none where colours are not wanted, otherwise by the background that `COLORFGBG` names
    /// (`15;0` is white on black), dark where it says nothing.
    pub fn choose(colours: bool, colorfgbg: Option<&str>) -> Self {
        let background = colorfgbg.and_then(|v| v.rsplit(';').next()?.parse::<u8>().ok());
        match background {
            _ if !colours => Self::Mono,
            Some(7 | 9..=15) => Self::Light,
            _ => Self::Dark,
        }
    }

    /// The look of a role.
    pub fn style(self, role: Role) -> Style {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        match role {
            Role::Text | Role::Gap | Role::Value | Role::Content => plain,
            Role::Heading => bold,
            Role::Key | Role::Muted => self.muted(),
            Role::Rationale => self.paint(plain, Color::LightCyan, Color::Blue).add_modifier(Modifier::ITALIC),
            Role::Node => self.paint(bold, Color::LightBlue, Color::Blue),
            Role::Answer => self.paint(plain, Color::LightCyan, Color::Cyan).add_modifier(Modifier::BOLD),
            Role::Leaf => self.paint(bold, Color::LightMagenta, Color::Magenta),
            Role::Violating | Role::Bad | Role::Error => self.paint(bold, Color::LightRed, Color::Red),
            Role::NonViolating | Role::Good => self.paint(bold, Color::LightGreen, Color::Green),
            Role::Escalate | Role::Overridden => self.paint(bold, Color::LightMagenta, Color::Magenta),
            Role::Warning => self.paint(bold, Color::LightYellow, Color::Magenta),
            Role::Hint => self.paint(plain, Color::LightYellow, Color::Blue),
            Role::Bar => self.paint(plain, Color::LightBlue, Color::Blue),
            Role::Cursor => bold.add_modifier(Modifier::REVERSED),
            Role::Hidden => self.paint(plain, Color::LightYellow, Color::Red).add_modifier(Modifier::REVERSED),
        }
    }

    /// Text that stands back and still has to be read.
    fn muted(self) -> Style {
        match self {
            Self::Dark => Style::new().fg(Color::Gray),
            Self::Light => Style::new().fg(Color::DarkGray),
            Self::Mono => Style::new().add_modifier(Modifier::DIM),
        }
    }

    /// The title of a pane without the focus: stands out from its border.
    pub fn title(self) -> Style {
        Style::new().fg(Color::Reset).add_modifier(Modifier::BOLD).remove_modifier(Modifier::DIM)
    }

    /// Border of a pane, and its title when it has the focus.
    pub fn border(self, focused: bool) -> Style {
        if focused {
            self.paint(Style::new().add_modifier(Modifier::BOLD), Color::LightCyan, Color::Blue)
        } else {
            self.faint()
        }
    }

    /// Lines that only divide: borders without the focus, edges not taken, empty parts of bars.
    pub fn faint(self) -> Style {
        match self {
            Self::Dark => Style::new().fg(Color::DarkGray),
            Self::Light => Style::new().fg(Color::Gray),
            Self::Mono => Style::new().add_modifier(Modifier::DIM),
        }
    }

    /// The title line at the top and the selected row of a list.
    pub fn selection(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A key in the key bar.
    pub fn key(self) -> Style {
        self.paint(Style::new().add_modifier(Modifier::BOLD), Color::LightCyan, Color::Blue)
    }

    fn paint(self, style: Style, dark: Color, light: Color) -> Style {
        match self {
            Self::Dark => style.fg(dark),
            Self::Light => style.fg(light),
            Self::Mono => style,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_palette_follows_the_background_and_the_wish_for_no_colours() {
        for (colours, value, theme) in [
            (true, None, Theme::Dark),
            (true, Some("15;0"), Theme::Dark),
            (true, Some("0;15"), Theme::Light),
            (true, Some("0;default;7"), Theme::Light),
            (true, Some("nonsense"), Theme::Dark),
            (false, Some("0;15"), Theme::Mono),
        ] {
            assert_eq!(Theme::choose(colours, value), theme, "{value:?}");
        }
    }

    #[test]
    fn mono_uses_no_colour() {
        for role in [Role::Violating, Role::Hint, Role::Cursor, Role::Hidden, Role::Muted, Role::Bar] {
            let style = Theme::Mono.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
    }
}
