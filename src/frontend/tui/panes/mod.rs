//! Panes: each turns the session into rows of a given width; the frame puts them on the screen.
//!
//! Must decide nothing and must not scroll, cut or place: what is drawn must be exactly what is counted.

pub mod compare;
pub mod keybar;
pub mod node;
pub mod overlay;
pub mod sample;
pub mod title;
pub mod tree;
