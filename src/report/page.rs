//! `Page`: what a view has to know of where it will be read.
//!
//! Must not know colours or terminals.

use crate::domain::Provenance;

/// How wide, and where the values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Cells to wrap at.
    pub width: usize,
    /// [`Provenance::Recomputed`] in a live session, [`Provenance::Recorded`] where a journal is replayed. What a person
    /// put there is marked as overridden in both.
    pub source: Provenance,
}

impl Page {
    /// A live session at `width` cells.
    pub const fn live(width: usize) -> Self {
        Self { width, source: Provenance::Recomputed }
    }

    /// A recorded session at `width` cells.
    pub const fn recorded(width: usize) -> Self {
        Self { width, source: Provenance::Recorded }
    }
}
