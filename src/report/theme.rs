//! What roles look like in a stream of text: the one table behind the ANSI renderer.
//!
//! Must use the eight basic colours only, none of which is unreadable on a dark or on a light background, and must not
//! let a colour carry a meaning alone: the words stand beside it. The full-screen front end maps the same roles to the
//! same families of colour.

use super::Role;

/// One of the basic colours that can be read on any background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Wrong, violating.
    Red,
    /// Right, non-violating.
    Green,
    /// Places: nodes, bars.
    Blue,
    /// Decisions of people, leaves, things to look at.
    Magenta,
    /// What the model said.
    Cyan,
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
    /// Letters and background exchanged.
    pub reverse: bool,
}

/// The look of a role.
pub const fn look(role: Role) -> Look {
    const PLAIN: Look = Look { colour: None, bold: false, dim: false, reverse: false };
    const fn paint(colour: Colour) -> Look {
        Look { colour: Some(colour), ..PLAIN }
    }
    const fn strong(colour: Colour) -> Look {
        Look { colour: Some(colour), bold: true, ..PLAIN }
    }
    match role {
        Role::Text | Role::Gap | Role::Value | Role::Content => PLAIN,
        Role::Heading => Look { bold: true, ..PLAIN },
        Role::Key | Role::Muted => Look { dim: true, ..PLAIN },
        Role::Rationale => paint(Colour::Cyan),
        Role::Answer => strong(Colour::Cyan),
        Role::Node => strong(Colour::Blue),
        Role::Bar => paint(Colour::Blue),
        Role::Leaf | Role::Escalate | Role::Overridden | Role::Warning => strong(Colour::Magenta),
        Role::Hint => paint(Colour::Magenta),
        Role::Violating | Role::Bad | Role::Error => strong(Colour::Red),
        Role::NonViolating | Role::Good => strong(Colour::Green),
        Role::Cursor => Look { bold: true, reverse: true, ..PLAIN },
        Role::Hidden => Look { colour: Some(Colour::Red), reverse: true, ..PLAIN },
    }
}
