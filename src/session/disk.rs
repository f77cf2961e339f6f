//! The file operations a journal needs, as a trait, so that tests can make each of them fail.
//!
//! Must not know journals: only open, lock, read, write, truncate, sync, rename.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// A file system.
pub(super) trait Disk: Send + Sync {
    /// Creates a new file and opens it for reading and writing; fails if it exists.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a regular file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// All bytes of a regular file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Puts `from` in the place of `to`, at once.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in the folder of `path` durable.
    fn sync_dir_of(&self, path: &Path) -> io::Result<()>;
    /// Whether both paths lead to one file.
    fn same(&self, a: &Path, b: &Path) -> bool;
}

/// An open file.
pub(super) trait DiskFile: Send {
    /// Takes the exclusive lock, which lasts until the file is closed; `false` where another holds it.
    fn lock(&mut self) -> io::Result<bool>;
    /// Whether `path` still leads to this very file, so that what is written can be found again.
    fn is_at(&mut self, path: &Path) -> io::Result<bool>;
    /// How many bytes it has.
    fn size(&mut self) -> io::Result<u64>;
    /// All its bytes.
    fn read_all(&mut self) -> io::Result<Vec<u8>>;
    /// Writes some of `bytes` at offset `at` and says how many.
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<usize>;
    /// Cuts it to `len` bytes.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
    /// Makes all its bytes durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// How often a write that was interrupted by a signal is begun again before that counts as an error.
const INTERRUPTIONS: u32 = 100;

/// Writes all of `bytes` at `at`. Continues after a short write or an interruption, as the standard library does,
/// but not for ever.
pub(super) fn write_all(file: &mut dyn DiskFile, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
    let mut interrupted = 0;
    while !bytes.is_empty() {
        match file.write_at(at, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                at += n as u64;
                bytes = bytes.get(n..).unwrap_or_default();
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted && interrupted < INTERRUPTIONS => interrupted += 1,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Creates the folder `dir` and its missing parents, accessible to this user only and durable when this returns.
///
/// # Errors
/// The file system's error.
pub fn private_folder(dir: &Path) -> io::Result<()> {
    if dir.is_dir() || dir.as_os_str().is_empty() {
        return Ok(());
    }
    if let Some(above) = dir.parent() {
        private_folder(above)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(dir) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(e) => Err(e),
        Ok(()) => Os.sync_dir_of(dir),
    }
}

/// The largest file that is taken for a session; so a session never grows beyond it.
pub(super) const MOST_BYTES: u64 = 1 << 30;

/// How much a session may grow while it is read.
const MOST_GROWTH: u64 = 16 << 20;

/// All bytes from the place of `file` on, no more than it says it has and may grow by: files of the kernel say that
/// they are empty and never end.
fn bounded(file: &File) -> io::Result<Vec<u8>> {
    let most = file.metadata()?.len().saturating_add(MOST_GROWTH).min(MOST_BYTES);
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has no end, or more bytes than it says"));
    }
    Ok(bytes)
}

/// The real file system.
pub(super) struct Os;

impl Os {
    /// The first bytes of a regular file, `most` at most.
    pub(super) fn read_start(path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(Self::regular(path)?)?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Checks a path before it is opened, because opening a pipe blocks until its other end is opened, and before it is
    /// read, because a session is read as a whole.
    fn regular(path: &Path) -> io::Result<&Path> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        if metadata.len() > MOST_BYTES {
            let message = format!("it has {} bytes; at most {MOST_BYTES} are read", metadata.len());
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(path)
    }
}

impl Disk for Os {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        // Sessions hold what users wrote: nobody else may read them.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Box::new(options.read(true).write(true).create_new(true).open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(Self::regular(path)?)?))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        bounded(&File::open(Self::regular(path)?)?)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir_of(&self, path: &Path) -> io::Result<()> {
        // Elsewhere a folder cannot be opened as a file, and a name is durable once it is made.
        if cfg!(unix) {
            let dir = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    }

    fn same(&self, a: &Path, b: &Path) -> bool {
        matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
    }
}

impl DiskFile for File {
    fn lock(&mut self) -> io::Result<bool> {
        match self.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    #[cfg(unix)]
    fn is_at(&mut self, path: &Path) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt as _;
        let own = self.metadata()?;
        match fs::metadata(path) {
            Ok(there) => Ok((there.dev(), there.ino()) == (own.dev(), own.ino()) && own.nlink() > 0),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Elsewhere an open file cannot be deleted or replaced.
    #[cfg(not(unix))]
    fn is_at(&mut self, path: &Path) -> io::Result<bool> {
        Ok(path.exists())
    }

    fn size(&mut self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_all(&mut self) -> io::Result<Vec<u8>> {
        self.seek(SeekFrom::Start(0))?;
        bounded(self)
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        self.seek(SeekFrom::Start(at))?;
        self.write(bytes)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_says_it_is_empty_and_never_ends_is_given_up() {
        // Either the limit ends it or the kernel, which gives no odd number of bytes of it.
        Os.read(Path::new("/proc/self/pagemap")).expect_err("it has no end");
    }
}
