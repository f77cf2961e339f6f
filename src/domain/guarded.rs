//! `GuardedFile`: reads a file that somebody else made, with a size limit and a way to cancel, whatever the file turns
//! out to be.
//!
//! Must be the only way to open policies, samples, scripts and other small files from outside: a plain `File` blocks
//! for ever on a pipe without a writer, and reads a device without end.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

/// How long one wait for a pipe lasts before it is looked whether the answer is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// How often to poll a pipe that nobody has opened for writing yet: a second in total.
const LOOKS: u32 = 20;

/// The most that is read in one go.
const CHUNK: usize = 1 << 20;

/// Something to read from. Regular files and pipes only; devices, folders and sockets are refused when it is opened.
pub struct GuardedFile<'a> {
    file: File,
    /// How much may still come.
    left: u64,
    limit: u64,
    stop: Box<dyn Fn() -> bool + 'a>,
    /// For a pipe without a writer so far: how many polls are left.
    silent: Option<u32>,
}

/// Why reading ended although there may be more: the answer is not wanted any more.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
struct Stopped;

impl<'a> GuardedFile<'a> {
    /// Opens `path` and reads at most `limit` bytes. A larger file is an error, at once if its size is known. Reading
    /// ends with an error when `stop` says so; see [`Self::was_stopped`].
    ///
    /// # Errors
    /// The system's error, or what is wrong with the file, in words that follow its path.
    pub fn open(path: &Path, limit: u64, stop: impl Fn() -> bool + 'a) -> io::Result<Self> {
        // Before it is opened, because opening a device can do things; and after it, because it may be another file by
        // then.
        kind(&std::fs::metadata(path)?)?;
        let mut options = OpenOptions::new();
        options.read(true);
        // A pipe without a writer would be waited for here.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(
            &mut options,
            rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
        );
        let file = options.open(path)?;
        let metadata = file.metadata()?;
        let pipe = kind(&metadata)? == Kind::Pipe;
        if metadata.len() > limit {
            return Err(too_large(&format!("it has {} bytes", metadata.len()), limit));
        }
        Ok(Self { file, left: limit, limit, stop: Box::new(stop), silent: pipe.then_some(LOOKS) })
    }

    /// All bytes of a file; as [`Self::open`].
    ///
    /// # Errors
    /// As [`Self::open`], and what goes wrong while it is read.
    pub fn read_whole(path: &Path, limit: u64, stop: impl Fn() -> bool + 'a) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Self::open(path, limit, stop)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether reading failed only because it was not wanted any more.
    pub fn was_stopped(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Stopped>())
    }

    /// Waits until there may be something to read, or [`LOOK`].
    #[cfg(unix)]
    fn wait(&self) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let limit = Timespec { tv_sec: 0, tv_nsec: i64::from(LOOK.subsec_nanos()) };
        match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(unix))]
    fn wait(&self) -> io::Result<()> {
        std::thread::sleep(LOOK);
        Ok(())
    }

    fn some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if (self.stop)() {
                return Err(io::Error::other(Stopped));
            }
            match self.file.read(buffer) {
                Ok(0) => match &mut self.silent {
                    None => return Ok(0),
                    Some(0) => return Err(io::Error::new(ErrorKind::TimedOut, "nobody writes to this pipe")),
                    Some(looks) => *looks -= 1,
                },
                Ok(n) => {
                    self.silent = None;
                    return Ok(n);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.silent = None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.wait()?;
        }
    }
}

impl Read for GuardedFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // One byte more than allowed is asked for, to see whether there is more.
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).saturating_add(1).min(CHUNK).min(buffer.len());
        let read = self.some(buffer.get_mut(..most).unwrap_or_default())?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| too_large("it has more bytes", self.limit))?;
        Ok(read)
    }
}

#[derive(PartialEq, Eq)]
enum Kind {
    Regular,
    Pipe,
}

/// The kind of a file; if it is one that we do not read, the error names its kind.
fn kind(metadata: &Metadata) -> io::Result<Kind> {
    let file_type = metadata.file_type();
    if file_type.is_file() {
        return Ok(Kind::Regular);
    }
    if file_type.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::{FileTypeExt, MetadataExt};
        if file_type.is_fifo() {
            return Ok(Kind::Pipe);
        }
        // The empty file of all scripts.
        if std::fs::metadata("/dev/null").is_ok_and(|null| file_type.is_char_device() && null.rdev() == metadata.rdev())
        {
            return Ok(Kind::Regular);
        }
        if file_type.is_socket() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is a socket and not a file"));
        }
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "it is a device and not a file"))
}

fn too_large(what: &str, limit: u64) -> io::Error {
    io::Error::new(ErrorKind::FileTooLarge, format!("{what}; at most {limit} are read"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn whole(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
        GuardedFile::read_whole(path, limit, || false).map_err(|e| e.to_string())
    }

    #[test]
    fn a_file_is_read_up_to_the_limit_and_one_that_is_larger_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("f");
        fs::write(&path, "12345").expect("written");
        assert_eq!(whole(&path, 5).expect("fits"), b"12345");
        assert_eq!(whole(&path, 4).expect_err("too large"), "it has 5 bytes; at most 4 are read");
        assert_eq!(whole(dir.path(), 9).expect_err("a folder"), "it is a folder");
        let huge = dir.path().join("sparse");
        fs::File::create(&huge).expect("made").set_len(1 << 40).expect("sparse");
        assert!(whole(&huge, 1 << 30).expect_err("too large").starts_with("it has 1099511627776 bytes"));
    }

    #[cfg(unix)]
    fn fifo(dir: &Path) -> std::path::PathBuf {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let path = dir.join("fifo");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        path
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn devices_are_refused_and_files_without_a_size_are_bounded() {
        for device in ["/dev/zero", "/dev/urandom", "/dev/full"] {
            assert_eq!(whole(Path::new(device), 9).expect_err(device), "it is a device and not a file");
        }
        assert_eq!(whole(Path::new("/dev/null"), 9).expect("the empty file"), b"");
        assert_eq!(
            whole(Path::new("/proc/self/status"), 9).expect_err("more"),
            "it has more bytes; at most 9 are read"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_that_nobody_writes_to_is_given_up_and_one_without_an_end_is_cut_off() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = fifo(dir.path());
        assert_eq!(whole(&path, 9).expect_err("silent"), "nobody writes to this pipe");
        let writer = {
            let path = path.clone();
            std::thread::spawn(move || {
                let mut pipe = OpenOptions::new().write(true).open(path).expect("opened");
                while io::Write::write_all(&mut pipe, b"endless ").is_ok() {}
            })
        };
        assert_eq!(whole(&path, 1 << 20).expect_err("too much"), "it has more bytes; at most 1048576 are read");
        writer.join().expect("ends with its reader");
    }

    #[cfg(unix)]
    #[test]
    fn waiting_for_a_pipe_and_reading_a_file_end_when_they_are_not_wanted_any_more() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = fifo(dir.path());
        // Both ends, so that there is a writer, who says nothing.
        let _silent = OpenOptions::new().read(true).write(true).open(&path).expect("opened");
        let looks = std::cell::Cell::new(0);
        let error = GuardedFile::read_whole(&path, 9, || looks.replace(looks.get() + 1) == 3).expect_err("stopped");
        assert!(GuardedFile::was_stopped(&error));
        let file = dir.path().join("f");
        fs::write(&file, "12345").expect("written");
        assert!(GuardedFile::was_stopped(&GuardedFile::read_whole(&file, 9, || true).expect_err("stopped")));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_written_to_a_pipe_is_read_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = fifo(dir.path());
        let text = "x".repeat(300_000);
        let writer = {
            let (path, text) = (path.clone(), text.clone());
            std::thread::spawn(move || fs::write(path, text))
        };
        assert!(whole(&path, 1 << 20).expect("read") == text.as_bytes());
        writer.join().expect("no panic").expect("written");
    }
}
