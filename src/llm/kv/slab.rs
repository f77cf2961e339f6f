//! Memory for keys and values: slabs of one size in huge pages, given out again when nobody holds them any more.
//!
//! Must not clear a slab that is given out again: that would cost as much as filling it, and nobody reads a position
//! before it is written.

use super::super::kernels::arena::{Arena, LINE_WORDS, Region};
use super::super::kernels::pairs::Pair;
use std::alloc::{Layout, handle_alloc_error};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where slabs come from and go back to. What was in use at once stays with the process until the last holder is gone:
/// memory that is new to the process has to be cleared by the system first, which takes longer than a model takes to
/// fill it.
#[derive(Debug)]
pub struct Slabs {
    words: usize,
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    arena: Arena,
    regions: Vec<Region>,
}

/// Some words of 32 bits, of any value at first.
#[derive(Debug)]
pub struct Slab {
    home: Arc<Slabs>,
    /// Given back on drop, and there until then.
    region: Option<Region>,
}

impl Slabs {
    /// Of slabs of `words` words.
    pub fn new(words: usize) -> Arc<Self> {
        Arc::new(Self { words, free: Mutex::default() })
    }

    /// Words in a slab.
    pub fn words(&self) -> usize {
        self.words
    }

    /// A slab. Where the system has no memory left the process ends, as it does for a vector.
    pub fn take(self: &Arc<Self>) -> Slab {
        let mut free = self.free();
        let region = free.regions.pop().unwrap_or_else(|| {
            let region = free.arena.take(self.words.div_ceil(LINE_WORDS));
            region.unwrap_or_else(|_| {
                handle_alloc_error(Layout::array::<f32>(self.words).unwrap_or(Layout::new::<f32>()))
            })
        });
        Slab { home: Arc::clone(self), region: Some(region) }
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slab {
    /// Its words as floats.
    pub fn floats(&self) -> &[f32] {
        self.region.as_ref().map_or(&[], |region| &region.floats()[..self.home.words])
    }

    /// Its words as pairs of codes.
    pub fn pairs(&self) -> &[Pair] {
        self.region.as_ref().map_or(&[], |region| &region.pairs()[..self.home.words])
    }

    /// Its words, to write.
    pub fn pairs_mut(&mut self) -> &mut [Pair] {
        self.region.as_mut().map_or(&mut [], |region| &mut region.pairs_mut()[..self.home.words])
    }
}

impl Clone for Slab {
    fn clone(&self) -> Self {
        let mut copy = self.home.take();
        copy.pairs_mut().copy_from_slice(self.pairs());
        copy
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        self.home.free().regions.extend(self.region.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_given_out_again_and_copies_stand_apart() {
        let slabs = Slabs::new(100);
        let mut first = slabs.take();
        first.pairs_mut().fill([1, 2]);
        let mut second = first.clone();
        second.pairs_mut()[99] = [3, 4];
        assert_eq!((first.pairs().len(), first.pairs()[99], second.pairs()[98]), (100, [1, 2], [1, 2]));
        let at = first.pairs().as_ptr();
        drop(first);
        let third = slabs.take();
        assert_eq!((third.pairs().as_ptr(), second.pairs()[99]), (at, [3, 4]));
    }
}
