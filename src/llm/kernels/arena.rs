//! Memory for weights, keys and values: few large blocks in huge pages, cut into regions.
//!
//! Must hand out each byte once. A model is read from end to end for every token; with pages of 4 KiB, TLB misses would
//! take as long as the reading itself.

use super::record::Pair;
use memmap2::MmapMut;
use std::io;
use std::sync::Arc;

/// 64 bytes at an address that a vector can be loaded from at once.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Line(pub [u8; 64]);

/// Floats in a line, and other things of 32 bits.
pub const LINE_WORDS: usize = 16;

/// Lines per block at least: 64 MiB. What is not written takes no memory.
const BLOCK: usize = 1 << 20;

/// Gives memory out, never back: it lives as long as the regions.
#[derive(Debug, Default)]
pub struct Arena {
    block: Option<Arc<Mapping>>,
    used: usize,
}

#[derive(Debug)]
struct Mapping {
    base: *mut Line,
    lines: usize,
    /// Owns what `base` points to.
    _map: MmapMut,
}

#[allow(unsafe_code, reason = "a pointer to memory that the block owns")]
// SAFETY: the memory belongs to the block and is reached through regions only, which do not overlap.
unsafe impl Send for Mapping {}
#[allow(unsafe_code, reason = "see above")]
// SAFETY: as for `Send`; a region's bytes are written through `&mut Region` only.
unsafe impl Sync for Mapping {}

/// A stretch of a block that nobody else has. Zeros at first.
#[derive(Debug)]
pub struct Region {
    block: Arc<Mapping>,
    from: usize,
    len: usize,
}

impl Arena {
    /// `lines` lines of zeros.
    ///
    /// # Errors
    /// Where the system has no memory left.
    pub fn take(&mut self, lines: usize) -> io::Result<Region> {
        let block = match &self.block {
            Some(block) if block.lines - self.used >= lines => Arc::clone(block),
            _ => {
                self.used = 0;
                Arc::clone(self.block.insert(Arc::new(Mapping::new(lines.max(BLOCK))?)))
            }
        };
        let from = self.used;
        self.used += lines;
        Ok(Region { block, from, len: lines })
    }
}

impl Mapping {
    fn new(lines: usize) -> io::Result<Self> {
        let mut map = MmapMut::map_anon(lines * size_of::<Line>())?;
        // Without huge pages everything works as well, only slower.
        #[cfg(target_os = "linux")]
        let _refused = map.advise(memmap2::Advice::HugePage);
        Ok(Self { base: map.as_mut_ptr().cast(), lines, _map: map })
    }
}

impl Region {
    /// Its lines.
    #[allow(unsafe_code, reason = "views a part of the block")]
    pub fn lines(&self) -> &[Line] {
        // SAFETY: `take` keeps regions inside the block and apart; a mapping begins at a page and every byte pattern is
        // a `Line`; the block lives as long as this region.
        unsafe { std::slice::from_raw_parts(self.block.base.add(self.from), self.len) }
    }

    /// Its numbers.
    #[allow(unsafe_code, reason = "views bytes as floats")]
    pub fn floats(&self) -> &[f32] {
        let lines = self.lines();
        // SAFETY: a line is 16 floats long and aligned for them, and all bytes make floats.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * LINE_WORDS) }
    }

    /// Its pairs of codes, one to a word.
    #[allow(unsafe_code, reason = "views bytes as integers")]
    pub fn pairs(&self) -> &[Pair] {
        let lines = self.lines();
        // SAFETY: as in `floats`: a pair is as long as a float.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * LINE_WORDS) }
    }

    /// Its pairs of codes, to write.
    #[allow(unsafe_code, reason = "views bytes as integers")]
    pub fn pairs_mut(&mut self) -> &mut [Pair] {
        let lines = self.lines_mut();
        // SAFETY: as in `pairs`; all pairs are bytes.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * LINE_WORDS) }
    }

    /// Its lines, to write.
    #[allow(unsafe_code, reason = "views a part of the block")]
    pub fn lines_mut(&mut self) -> &mut [Line] {
        // SAFETY: as in `lines`; regions do not overlap, and `&mut self` keeps others from this one.
        unsafe { std::slice::from_raw_parts_mut(self.block.base.add(self.from), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_do_not_overlap_are_aligned_and_begin_with_zeros() {
        let mut arena = Arena::default();
        let sizes = [1, 0, 7, BLOCK - 4, 9, BLOCK * 2, 3];
        let mut regions: Vec<Region> = sizes.iter().map(|n| arena.take(*n).expect("memory")).collect();
        for (i, region) in regions.iter_mut().enumerate() {
            let lines = region.lines_mut();
            assert!(lines.as_ptr().addr().is_multiple_of(64));
            for line in lines.iter_mut().take(3) {
                assert_eq!(line.0, [0; 64]);
                line.0 = [i as u8 + 1; 64];
            }
            if let Some(last) = lines.last_mut() {
                last.0 = [i as u8 + 1; 64];
            }
        }
        drop(arena);
        for (i, (region, size)) in regions.iter().zip(sizes).enumerate() {
            let lines = region.lines();
            assert_eq!(lines.len(), size);
            assert!(lines.iter().take(3).chain(lines.last()).all(|l| l.0 == [i as u8 + 1; 64]));
        }
    }
}
