//! How large a policy may be. Real policies stay far below; beyond that, a clear error is better than a machine that
//! hangs.
//!
//! Must stay the only place where these numbers are defined.

/// Bytes of one file. A reader of files should stop there, too.
pub const FILE_BYTES: usize = 16 << 20;
/// TOML tokens of one file: about two hundred per node for the largest number of nodes.
pub const TOKENS: usize = 2_000_000;
/// Nodes of a policy, those of included policies counted each time they are included.
pub const NODES: usize = 10_000;
/// Leaves of a policy, counted the same way.
pub const LEAVES: usize = 10_000;
/// How often policies are included, in all.
pub const INCLUDES: usize = 64;
/// How deep includes are nested.
pub const INCLUDE_DEPTH: usize = 8;
