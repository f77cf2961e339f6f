//! Snapshots of every view over one scripted session, and the laws that hold for all of them.

mod agreement;
mod fixture;
mod laws;
mod pieces;
mod transcript;
mod views;
