//! The styles of roles: the one table behind the full-screen front end and the ANSI renderer.
//!
//! Must use the 16 named colours only, in each theme those readable on its background, and must not let colour alone
//! carry a meaning: words and marks stand beside it.

use super::Role;

/// For which background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark.
    Dark,
    /// Light.
    Light,
    /// Not known: colours that can be read on either.
    #[default]
    Either,
    /// No colours: bold, dim, italic and reverse only.
    Mono,
}

impl Theme {
    /// The theme of a background by its red, green and blue, from 0 to 1.
    pub fn of_background([red, green, blue]: [f64; 3]) -> Self {
        // Rec. 709: what the eye takes for bright.
        if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.5 { Self::Light } else { Self::Dark }
    }

    /// The theme for the background in `COLORFGBG`: the number after its last semicolon.
    pub fn of_colorfgbg(value: &str) -> Option<Self> {
        match value.rsplit(';').next()?.parse::<u8>().ok()? {
            7 | 9..=15 => Some(Self::Light),
            0..=6 | 8 => Some(Self::Dark),
            _ => None,
        }
    }
}

/// One of the named colours of terminals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Colour {
    Red,
    Green,
    Blue,
    Magenta,
    Cyan,
    Gray,
    DarkGray,
    LightRed,
    LightGreen,
    LightYellow,
    LightBlue,
    LightMagenta,
    LightCyan,
}

/// How a span looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Colour of the letters; `None` is the terminal's own.
    pub colour: Option<Colour>,
    /// Heavier.
    pub bold: bool,
    /// Fainter.
    pub dim: bool,
    /// Slanted.
    pub italic: bool,
    /// Letters and background exchanged.
    pub reverse: bool,
}

/// Colours of a kind on a dark, a light and an unknown background.
struct Palette([Colour; 3]);

const RED: Palette = Palette([Colour::LightRed, Colour::Red, Colour::Red]);
// Green on white is faint; blue, unlike green, can be told from red by people who are colour-blind to green.
const GOOD: Palette = Palette([Colour::LightGreen, Colour::Blue, Colour::Green]);
const PLACE: Palette = Palette([Colour::LightBlue, Colour::Blue, Colour::Cyan]);
const SAID: Palette = Palette([Colour::LightCyan, Colour::Blue, Colour::Cyan]);
const PERSON: Palette = Palette([Colour::LightMagenta, Colour::Magenta, Colour::Magenta]);
const WARNING: Palette = Palette([Colour::LightYellow, Colour::Magenta, Colour::Magenta]);

impl Theme {
    /// The look of a role.
    pub const fn look(self, role: Role) -> Look {
        const PLAIN: Look = Look { colour: None, bold: false, dim: false, italic: false, reverse: false };
        const BOLD: Look = Look { bold: true, ..PLAIN };
        match role {
            Role::Text | Role::Gap | Role::Value | Role::Content => PLAIN,
            Role::Heading => BOLD,
            Role::Key | Role::Muted => self.muted(),
            Role::Rationale => Look { italic: true, ..self.paint(PLAIN, SAID) },
            Role::Answer => self.paint(BOLD, SAID),
            Role::Node => self.paint(BOLD, PLACE),
            Role::Bar => self.paint(PLAIN, PLACE),
            Role::Leaf | Role::Escalate | Role::Overridden => self.paint(BOLD, PERSON),
            Role::Warning => self.paint(BOLD, WARNING),
            Role::Hint => self.paint(PLAIN, WARNING),
            Role::Violating | Role::Bad | Role::Error => self.paint(BOLD, RED),
            Role::NonViolating | Role::Good => self.paint(BOLD, GOOD),
            Role::Cursor => Look { reverse: true, ..BOLD },
            Role::Hidden => Look { reverse: true, ..self.paint(PLAIN, RED) },
        }
    }

    /// The pane with the focus, and keys: as prominent as an answer.
    pub const fn focus(self) -> Look {
        self.look(Role::Answer)
    }

    /// Lines that only divide: borders without the focus, edges not taken, empty parts of bars.
    pub const fn faint(self) -> Look {
        match self {
            Self::Dark => Look { dim: true, ..self.muted() },
            Self::Light => self.muted(),
            Self::Either | Self::Mono => Look { dim: true, ..self.look(Role::Text) },
        }
    }

    /// Text that is less prominent but must stay readable.
    const fn muted(self) -> Look {
        let colour = match self {
            Self::Dark => Some(Colour::Gray),
            Self::Light => Some(Colour::DarkGray),
            Self::Either | Self::Mono => None,
        };
        Look { colour, bold: false, dim: colour.is_none(), italic: false, reverse: false }
    }

    const fn paint(self, look: Look, palette: Palette) -> Look {
        let Palette([dark, light, either]) = palette;
        match self {
            Self::Dark => Look { colour: Some(dark), ..look },
            Self::Light => Look { colour: Some(light), ..look },
            Self::Either => Look { colour: Some(either), ..look },
            Self::Mono => look,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 24] = [
        Role::Text,
        Role::Gap,
        Role::Value,
        Role::Content,
        Role::Heading,
        Role::Key,
        Role::Muted,
        Role::Rationale,
        Role::Answer,
        Role::Node,
        Role::Bar,
        Role::Leaf,
        Role::Escalate,
        Role::Overridden,
        Role::Warning,
        Role::Hint,
        Role::Violating,
        Role::Bad,
        Role::Error,
        Role::NonViolating,
        Role::Good,
        Role::Cursor,
        Role::Hidden,
        Role::Text,
    ];

    #[test]
    fn every_colour_can_be_read_on_the_background_it_is_for() {
        use Colour::{Blue, Cyan, DarkGray, Gray, Green, LightBlue, LightCyan, LightGreen, LightMagenta, LightYellow};
        let unreadable_on_light = [Gray, LightCyan, LightGreen, LightYellow, LightBlue, LightMagenta];
        let unreadable_on_dark = [Blue, DarkGray];
        type Looks = fn(Theme, Role) -> Look;
        let looks = ROLES.into_iter().map(|role| (Theme::look as Looks, role));
        // Lines and keys have no role.
        let lines: [(Looks, Role); 2] =
            [(|theme, _| theme.faint(), Role::Text), (|theme, _| theme.focus(), Role::Text)];
        for (look, role) in looks.chain(lines) {
            let colour = |theme: Theme| look(theme, role).colour;
            for (theme, unreadable) in [
                (Theme::Light, &unreadable_on_light[..]),
                (Theme::Dark, &unreadable_on_dark),
                (Theme::Either, &[&unreadable_on_light[..], &unreadable_on_dark].concat()),
            ] {
                assert!(colour(theme).is_none_or(|c| !unreadable.contains(&c)), "{role:?} in {theme:?}");
            }
            for faint in [Cyan, Green] {
                assert_ne!(colour(Theme::Light), Some(faint), "{role:?}: {faint:?} on white is faint");
            }
            assert_eq!(
                (colour(Theme::Mono), Theme::Mono.focus().colour, Theme::Mono.faint().colour),
                (None, None, None)
            );
        }
        assert_ne!(Some(Green), Theme::Dark.look(Role::Good).colour);
    }

    #[test]
    fn the_background_decides() {
        for (value, theme) in [
            ("15;0", Some(Theme::Dark)),
            ("0;15", Some(Theme::Light)),
            ("0;default;7", Some(Theme::Light)),
            ("0;8", Some(Theme::Dark)),
            ("15;default", None),
            ("nonsense", None),
            ("0;99", None),
            ("", None),
        ] {
            assert_eq!(Theme::of_colorfgbg(value), theme, "{value:?}");
        }
        for (rgb, theme) in [
            ([0.0; 3], Theme::Dark),
            ([1.0; 3], Theme::Light),
            ([0.99, 0.96, 0.89], Theme::Light),
            ([0.0, 0.17, 0.21], Theme::Dark),
            ([0.0, 0.0, 1.0], Theme::Dark),
            ([0.0, 1.0, 0.0], Theme::Light),
        ] {
            assert_eq!(Theme::of_background(rgb), theme, "{rgb:?}");
        }
    }
}
