//! How many threads a model should use on this machine.
//!
//! Must not start any.

/// What the machine runs at once.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    /// Its cores.
    pub cores: usize,
}

impl Threads {
    /// The most threads for each core: more only wait for one another.
    pub const PER_CORE: usize = 4;

    /// Those of this machine.
    pub fn here() -> Self {
        Self { cores: std::thread::available_parallelism().map_or(1, usize::from) }
    }

    /// The most threads that may be started for a model.
    pub fn most(self) -> usize {
        self.cores.saturating_mul(Self::PER_CORE)
    }
}
