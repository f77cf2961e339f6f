//! `Persistent`: a list whose copies share what they have in common, as the steps of a walk and of its branches.
//!
//! Must cost the same whatever its length, to copy, to add to and to cut.

use std::ops::Range;
use std::sync::Arc;

/// How many entries, or parts, a part holds: 2 to this power.
const BITS: u32 = 5;
const WIDTH: usize = 1 << BITS;

/// A persistent vector: a tree of parts, all at the same height, of which a change copies one at each height.
#[derive(Clone, Debug)]
pub struct Persistent<T> {
    len: usize,
    height: u32,
    root: Arc<Part<T>>,
}

#[derive(Clone, Debug)]
enum Part<T> {
    Entries(Vec<T>),
    Parts(Vec<Arc<Self>>),
}

impl<T> Default for Persistent<T> {
    fn default() -> Self {
        Self { len: 0, height: 0, root: Arc::new(Part::Entries(Vec::new())) }
    }
}

impl<T> Persistent<T> {
    /// How many entries it has.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Entry `at`, from 0.
    pub fn get(&self, at: usize) -> Option<&T> {
        let (mut part, mut height) = (&*self.root, self.height);
        loop {
            match part {
                Part::Entries(entries) => return entries.get(at % WIDTH).filter(|_| at < self.len),
                Part::Parts(parts) => {
                    part = parts.get(place(at, height))?;
                    height = height.saturating_sub(1);
                }
            }
        }
    }

    /// The last entry.
    pub fn last(&self) -> Option<&T> {
        self.get(self.len.checked_sub(1)?)
    }

    /// All entries, in order.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { list: self, left: 0..self.len }
    }
}

impl<T: Clone> Persistent<T> {
    /// Adds an entry at the end.
    pub fn push(&mut self, entry: T) {
        if self.len == WIDTH << (self.height * BITS) {
            self.root = Arc::new(Part::Parts(vec![Arc::clone(&self.root)]));
            self.height += 1;
        }
        let (mut part, mut height) = (Arc::make_mut(&mut self.root), self.height);
        loop {
            match part {
                Part::Entries(entries) => {
                    entries.push(entry);
                    self.len += 1;
                    return;
                }
                Part::Parts(parts) => {
                    let at = place(self.len, height);
                    if at == parts.len() {
                        let new = if height == 1 { Part::Entries(Vec::new()) } else { Part::Parts(Vec::new()) };
                        parts.push(Arc::new(new));
                    }
                    let Some(next) = parts.get_mut(at) else { return };
                    part = Arc::make_mut(next);
                    height = height.saturating_sub(1);
                }
            }
        }
    }

    /// Keeps the first `len` entries, if there are more.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        let Some(last) = len.checked_sub(1) else {
            *self = Self::default();
            return;
        };
        self.len = len;
        let (mut part, mut height) = (Arc::make_mut(&mut self.root), self.height);
        loop {
            match part {
                Part::Entries(entries) => return entries.truncate(last % WIDTH + 1),
                Part::Parts(parts) => {
                    let at = place(last, height);
                    parts.truncate(at + 1);
                    let Some(next) = parts.get_mut(at) else { return };
                    part = Arc::make_mut(next);
                    height = height.saturating_sub(1);
                }
            }
        }
    }
}

/// In which part of a part at `height` an entry lies.
const fn place(at: usize, height: u32) -> usize {
    (at >> (height * BITS)) % WIDTH
}

impl<T: PartialEq> PartialEq for Persistent<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other)
    }
}

impl<'a, T> IntoIterator for &'a Persistent<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

#[cfg(test)]
impl<T> std::ops::Index<usize> for Persistent<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        self.get(at).expect("there is such an entry")
    }
}

/// The entries of a list, from either end.
#[derive(Clone, Debug)]
pub struct Iter<'a, T> {
    list: &'a Persistent<T>,
    left: Range<usize>,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        self.left.next().and_then(|at| self.list.get(at))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }

    /// What is skipped costs nothing.
    fn nth(&mut self, n: usize) -> Option<&'a T> {
        self.left.nth(n).and_then(|at| self.list.get(at))
    }
}

impl<T> DoubleEndedIterator for Iter<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left.next_back().and_then(|at| self.list.get(at))
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_is_done_to_copies_each_is_the_list_it_would_be_alone(
            // Which copy, what is done with it, and to what length.
            done in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, 0..2_500_usize), 0..30),
        ) {
            let mut lists: Vec<(Persistent<usize>, Vec<usize>)> = vec![(Persistent::default(), Vec::new())];
            for (which, what, length) in done {
                let which = which.index(lists.len());
                let mut copy = lists[which].clone();
                match what {
                    0 => lists.push(copy),
                    1 => {
                        copy.0.truncate(length);
                        copy.1.truncate(length);
                        lists[which] = copy;
                    }
                    _ => {
                        for entry in 0..length {
                            copy.0.push(entry);
                            copy.1.push(entry);
                        }
                        lists[which] = copy;
                    }
                }
            }
            for (list, expected) in &lists {
                prop_assert!(list.iter().skip(40).eq(expected.iter().skip(40)));
                prop_assert_eq!(list.len(), expected.len());
                prop_assert!(list.iter().eq(expected) && list.iter().rev().eq(expected.iter().rev()));
                prop_assert_eq!((list.last(), list.get(expected.len())), (expected.last(), None));
            }
        }
    }

    #[test]
    fn a_copy_that_is_added_to_shares_all_but_the_end() {
        let mut list = Persistent::default();
        (0..100_000).for_each(|n| list.push(Arc::new(n)));
        let mut copy = list.clone();
        copy.push(Arc::new(0));
        let of_its_own = list.iter().filter(|entry| Arc::strong_count(entry) > 1).count();
        assert!(of_its_own <= WIDTH, "{of_its_own} entries were copied");
    }
}
