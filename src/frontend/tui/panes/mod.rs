//! Panes: each turns the session into rows of a given width; the frame puts them on the screen.
//!
//! Must decide nothing and must not scroll, cut or place: the same rows are drawn and counted.

pub mod compare;
pub mod keybar;
pub mod node;
pub mod overlay;
pub mod sample;
pub mod title;
pub mod tree;
