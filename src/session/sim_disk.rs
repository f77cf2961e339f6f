//! A simulated disk for tests: every call can be made to fail, and a power failure loses any combination of unsynced
//! writes.
//!
//! Must behave like the worst real disks: a failed sync loses the data but reports it only once (the pages count as
//! clean afterwards), unsynced writes reach the disk in any order, sector by sector, and a file can grow before its
//! bytes arrive.

use super::disk::{Disk, DiskFile};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// Bytes that reach the disk together. Small, so that one record spans many.
const SECTOR: usize = 32;

/// How calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The call does nothing and fails so.
    Error(io::ErrorKind),
    /// Half of a write is written, then there is no room any more. Other calls fail as [`Failure::Error`].
    Full,
    /// A write writes one byte; no call fails.
    Short,
    /// A sync fails and what it should have written is lost; other calls work.
    Sync,
}

/// Which calls fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// The first one, from 0.
    pub(super) at: usize,
    /// How.
    pub(super) failure: Failure,
    /// All after it too.
    pub(super) for_ever: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                to.resize(to.len().max(at + bytes.len()), 0);
                to[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Self::Truncate(len) => to.resize(*len, 0),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Inode {
    /// What a power cut leaves for certain.
    durable: Vec<u8>,
    /// What programs see.
    seen: Vec<u8>,
    /// What leads from the one to the other.
    pending: Vec<Change>,
    locked: bool,
}

#[derive(Debug, Default)]
struct World {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    calls: usize,
    plan: Option<Plan>,
}

impl World {
    /// Counts a call, and says how it fails, if it does.
    fn call(&mut self) -> Option<Failure> {
        let number = self.calls;
        self.calls += 1;
        let plan = self.plan?;
        (number == plan.at || (plan.for_ever && number > plan.at)).then_some(plan.failure)
    }

    /// A call that a full disk and a broken one let fail.
    fn plain_call(&mut self) -> io::Result<()> {
        match self.call() {
            Some(Failure::Error(kind)) => Err(kind.into()),
            Some(Failure::Full) => Err(io::ErrorKind::StorageFull.into()),
            Some(Failure::Short | Failure::Sync) | None => Ok(()),
        }
    }
}

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub(super) struct SimDisk(Arc<Mutex<World>>);

/// A source of choices for [`SimDisk::power_cut`].
pub(super) trait Choices {
    /// A choice between yes and no.
    fn yes(&mut self) -> bool;
}

impl<F: FnMut() -> bool> Choices for F {
    fn yes(&mut self) -> bool {
        self()
    }
}

impl SimDisk {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("tests do not panic while they hold the disk")
    }

    /// A disk with one file that is durable.
    pub(super) fn with(path: &Path, bytes: &[u8]) -> Self {
        let disk = Self::default();
        let mut world = disk.world();
        world.inodes.push(Inode { durable: bytes.to_vec(), seen: bytes.to_vec(), ..Inode::default() });
        world.names.insert(path.to_owned(), 0);
        world.durable_names.insert(path.to_owned(), 0);
        drop(world);
        disk
    }

    /// Restarts the count of calls and makes those of `plan` fail.
    pub(super) fn plan(&self, plan: Option<Plan>) {
        let mut world = self.world();
        world.calls = 0;
        world.plan = plan;
    }

    /// Calls since the last plan.
    pub(super) fn calls(&self) -> usize {
        self.world().calls
    }

    /// All files and what programs see in them.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let world = self.world();
        world.names.iter().map(|(path, inode)| (path.clone(), world.inodes[*inode].seen.clone())).collect()
    }

    /// What the disk holds if the power fails now: what was synced, and of the rest whatever `choices` selects.
    pub(super) fn power_cut(&self, choices: &mut dyn Choices) -> Self {
        let world = self.world();
        let inodes = world.inodes.iter().map(|inode| {
            let mut bytes = inode.durable.clone();
            for change in &inode.pending {
                match change {
                    Change::Write { at, bytes: new } => {
                        if choices.yes() {
                            // The new size reaches the disk before the bytes do.
                            bytes.resize(bytes.len().max(at + new.len()), 0);
                        }
                        let mut from = 0;
                        while from < new.len() {
                            let to = new.len().min(from + SECTOR - (at + from) % SECTOR);
                            if choices.yes() {
                                Change::Write { at: at + from, bytes: new[from..to].to_vec() }.apply(&mut bytes);
                            }
                            from = to;
                        }
                    }
                    Change::Truncate(_) if choices.yes() => change.apply(&mut bytes),
                    Change::Truncate(_) => {}
                }
            }
            Inode { durable: bytes.clone(), seen: bytes, ..Inode::default() }
        });
        let inodes = inodes.collect();
        let mut names = BTreeMap::new();
        for path in world.names.keys().chain(world.durable_names.keys()) {
            let (seen, durable) = (world.names.get(path), world.durable_names.get(path));
            let kept = if seen == durable || choices.yes() { seen } else { durable };
            kept.map(|inode| names.insert(path.clone(), *inode));
        }
        let world = World { inodes, durable_names: names.clone(), names, calls: 0, plan: None };
        Self(Arc::new(Mutex::new(world)))
    }

    fn lookup(world: &World, path: &Path) -> io::Result<usize> {
        world.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn handle(&self, inode: usize) -> Box<dyn DiskFile> {
        Box::new(SimFile { disk: self.clone(), inode, holds_lock: false })
    }
}

impl Disk for SimDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world();
        world.plain_call()?;
        if world.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = world.inodes.len();
        world.inodes.push(Inode::default());
        world.names.insert(path.to_owned(), inode);
        Ok(self.handle(inode))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world();
        world.plain_call()?;
        Ok(self.handle(Self::lookup(&world, path)?))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut world = self.world();
        world.plain_call()?;
        let inode = Self::lookup(&world, path)?;
        Ok(world.inodes[inode].seen.clone())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.plain_call()?;
        let inode = Self::lookup(&world, from)?;
        world.names.remove(from);
        world.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.plain_call()?;
        Self::lookup(&world, path)?;
        world.names.remove(path);
        Ok(())
    }

    fn sync_dir_of(&self, _path: &Path) -> io::Result<()> {
        let mut world = self.world();
        match world.call() {
            Some(Failure::Error(kind)) => return Err(kind.into()),
            Some(Failure::Sync | Failure::Full) => return Err(io::ErrorKind::StorageFull.into()),
            Some(Failure::Short) | None => {}
        }
        world.durable_names = world.names.clone();
        Ok(())
    }

    fn same(&self, a: &Path, b: &Path) -> bool {
        a == b
    }
}

struct SimFile {
    disk: SimDisk,
    inode: usize,
    holds_lock: bool,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        if self.holds_lock {
            self.disk.world().inodes[self.inode].locked = false;
        }
    }
}

impl DiskFile for SimFile {
    fn lock(&mut self) -> io::Result<bool> {
        let mut world = self.disk.world();
        world.plain_call()?;
        let locked = std::mem::replace(&mut world.inodes[self.inode].locked, true);
        self.holds_lock |= !locked;
        Ok(!locked)
    }

    fn is_at(&mut self, path: &Path) -> io::Result<bool> {
        let mut world = self.disk.world();
        world.plain_call()?;
        Ok(world.names.get(path) == Some(&self.inode))
    }

    fn size(&mut self) -> io::Result<u64> {
        let mut world = self.disk.world();
        world.plain_call()?;
        Ok(world.inodes[self.inode].seen.len() as u64)
    }

    fn read_all(&mut self) -> io::Result<Vec<u8>> {
        let mut world = self.disk.world();
        world.plain_call()?;
        Ok(world.inodes[self.inode].seen.clone())
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut world = self.disk.world();
        let count = match world.call() {
            Some(Failure::Error(kind)) => return Err(kind.into()),
            Some(Failure::Full) => {
                // The next call finds the disk full, and every one after it.
                let full = Failure::Error(io::ErrorKind::StorageFull);
                world.plan = Some(Plan { at: world.calls, failure: full, for_ever: true });
                bytes.len() / 2
            }
            Some(Failure::Short) => 1,
            Some(Failure::Sync) | None => bytes.len(),
        };
        let change = Change::Write { at: at as usize, bytes: bytes[..count].to_vec() };
        let inode = &mut world.inodes[self.inode];
        change.apply(&mut inode.seen);
        inode.pending.push(change);
        Ok(count)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.plain_call()?;
        let change = Change::Truncate(len as usize);
        let inode = &mut world.inodes[self.inode];
        change.apply(&mut inode.seen);
        inode.pending.push(change);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut world = self.disk.world();
        let failure = world.call();
        let inode = &mut world.inodes[self.inode];
        let error = match failure {
            Some(Failure::Error(kind)) => kind,
            Some(Failure::Full | Failure::Sync) => io::ErrorKind::StorageFull,
            Some(Failure::Short) | None => {
                for change in std::mem::take(&mut inode.pending) {
                    change.apply(&mut inode.durable);
                }
                return Ok(());
            }
        };
        // What was to be written counts as written from now on, and never is.
        inode.pending.clear();
        Err(error.into())
    }
}
