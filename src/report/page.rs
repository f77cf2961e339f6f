//! `Page`: what a view must know about where it will be read.
//!
//! Must not know colours or terminals.

use crate::domain::Provenance;
use crate::session::Taken;
use crate::session::state::Walk;

/// How wide, and where the values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Cells to wrap at.
    pub width: usize,
    /// [`Provenance::Recomputed`] for values computed now in a live session, [`Provenance::Recorded`] when a journal is
    /// replayed. In both, what a person set is marked as overridden, and what a live session read back from its journal
    /// as recorded.
    pub source: Provenance,
}

impl Page {
    /// A live session at `width` cells.
    pub const fn live(width: usize) -> Self {
        Self { width, source: Provenance::Recomputed }
    }

    /// Where step `place` of `walk`, from 0, comes from.
    pub fn source_of(self, walk: &Walk, place: usize) -> Provenance {
        match walk.steps.get(place) {
            Some(step) if step.taken == Taken::Overridden => Provenance::Overridden,
            _ if walk.is_read_back(place) => Provenance::Recorded,
            _ => self.source,
        }
    }

    /// The provenance of a whole walk: overridden as soon as a person answered one of its nodes, recorded if all its
    /// steps were read back.
    pub fn source_of_walk(self, walk: &Walk) -> Provenance {
        if walk.overridden() {
            Provenance::Overridden
        } else if walk.is_all_read_back() {
            Provenance::Recorded
        } else {
            self.source
        }
    }

    /// A recorded session at `width` cells.
    pub const fn recorded(width: usize) -> Self {
        Self { width, source: Provenance::Recorded }
    }
}
