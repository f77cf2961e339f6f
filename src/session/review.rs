//! A review: a reviewer's notes and tags on a recording, in a separate file beside it.
//!
//! Must never write to the recording, and must not attribute notes on another recording to this one. A review is a
//! journal like any other: its second fact names the session it is about, and every note says after how many facts of
//! that session it was left.

use super::{Fact, Journal, JournalError, journal};
use crate::domain::{Digest, path_text};
use crate::text::Untrusted;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the names of reviews have after the name of the recording.
const MARK: &str = ".review-";

/// The most of an author's name that goes into the name of a file.
const MOST_LETTERS: usize = 40;

/// The most reviews of one recording that are read.
const MOST_REVIEWS: usize = 64;

/// Where the review of `author` about `recording` is kept.
pub fn path(recording: &Path, author: &Untrusted) -> PathBuf {
    let letters = author.raw().chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' });
    let name: String = letters.take(MOST_LETTERS).collect();
    let mut file = recording.file_name().map_or_else(OsString::new, OsString::from);
    file.push(MARK);
    file.push(if name.is_empty() { "unknown" } else { &name });
    recording.with_file_name(file)
}

/// The facts of a recording merged with its reviews, each note where it was left, and any messages about the reviews.
/// Without reviews the facts are unchanged.
pub fn merged(recording: &Path, mut facts: Vec<Fact>) -> (Vec<Fact>, Vec<Untrusted>) {
    // Only a review says where in another file something was left.
    for fact in &mut facts {
        place(fact, None);
    }
    let (mut left, mut told) = (Vec::new(), Vec::new());
    let own = journal::identity(recording);
    for file in beside(recording) {
        let name = path_text::of(file.file_name().unwrap_or_default());
        match (read(&file), &own) {
            (Ok((session, notes, notices)), Ok(own)) if session == Some(*own) => {
                let count = notes.len();
                let remarks = if count == 1 { "note or tag" } else { "notes and tags" };
                told.push(format!("with the review {name}: {count} {remarks}").into());
                told.extend(notices.into_iter().map(|notice| format!("{name}: {notice}").into()));
                left.extend(notes);
            }
            (Ok((Some(_), ..)), _) => told.push(format!("{name} is a review of another session: left out").into()),
            (Ok((None, ..)), _) => told.push(format!("{name} does not say what it reviews: left out").into()),
            (Err(error), _) => told.push(format!("left out: {error}").into()),
        }
    }
    left.sort_by_key(|(after, _)| *after);
    let mut left = left.into_iter().peekable();
    let mut all = Vec::with_capacity(facts.len());
    for (fact, happened) in facts.into_iter().zip(1..) {
        all.push(fact);
        while let Some((_, note)) = left.next_if(|(after, _)| *after <= happened) {
            all.push(note);
        }
    }
    all.extend(left.map(|(_, note)| note));
    (all, told)
}

/// Whether a fact was left in a review.
pub fn is_of_a_review(fact: &Fact) -> bool {
    matches!(fact, Fact::Noted { by: Some(by), .. } | Fact::Tagged { by: Some(by), .. } if by.after.is_some())
}

/// Says of a note or tag after how many facts of the recording it was left.
fn place(fact: &mut Fact, after: Option<u64>) {
    if let Fact::Noted { by: Some(by), .. } | Fact::Tagged { by: Some(by), .. } = fact {
        by.after = after;
    }
}

/// The reviews beside a recording, by name.
fn beside(recording: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (recording.parent(), recording.file_name()) else { return Vec::new() };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut start = name.to_owned();
    start.push(MARK);
    // A folder that cannot be listed has no reviews that could be read.
    let listed = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_review = |file: &OsString| file.as_encoded_bytes().starts_with(start.as_encoded_bytes());
    let mut files: Vec<OsString> = listed.map(|entry| entry.file_name()).filter(is_review).collect();
    files.retain(|file| !path_text::of(file).contains(".torn-"));
    files.sort();
    files.truncate(MOST_REVIEWS);
    files.into_iter().map(|file| recording.with_file_name(file)).collect()
}

type Read = (Option<Digest>, Vec<(u64, Fact)>, Vec<String>);

/// Which session a review is about, its notes with their positions, and what is wrong with the file.
fn read(review: &Path) -> Result<Read, JournalError> {
    let (facts, recovery) = journal::read(review)?;
    let session = facts.iter().find_map(|fact| match fact {
        Fact::ReviewOf { session } => Some(*session),
        _ => None,
    });
    let notes = facts.into_iter().filter_map(|fact| match &fact {
        Fact::Noted { by: Some(by), .. } | Fact::Tagged { by: Some(by), .. } => Some((by.after?.max(1), fact)),
        _ => None,
    });
    let notices = recovery.notices().iter().map(ToString::to_string).collect();
    Ok((session, notes.collect(), notices))
}

/// A reader of a recording, and the review they leave.
pub struct Reviewer {
    recording: PathBuf,
    author: Untrusted,
    review: Option<Journal>,
}

impl Reviewer {
    /// A reviewer of `recording` who has left nothing so far; no file is made before there is something to keep.
    pub fn new(recording: PathBuf, author: Untrusted) -> Self {
        Self { recording, author, review: None }
    }

    /// The recording.
    pub fn recording(&self) -> &Path {
        &self.recording
    }

    /// Who it is.
    pub fn author(&self) -> &Untrusted {
        &self.author
    }

    /// Appends a note or a tag; `at` is the time. `Ok` means that it is on the disk.
    ///
    /// # Errors
    /// If the review cannot be written, is open in another process, or is about another session.
    pub fn keep(&mut self, fact: &Fact, at: &str) -> Result<(), JournalError> {
        match &mut self.review {
            Some(review) => review.append(fact),
            None => {
                let mut review = self.open(at)?;
                review.append(fact)?;
                self.review = Some(review);
                Ok(())
            }
        }
    }

    fn open(&self, at: &str) -> Result<Journal, JournalError> {
        let session = journal::identity(&self.recording)?;
        let path = path(&self.recording, &self.author);
        if path.exists() {
            let (review, facts, _) = Journal::resume(&path)?;
            let same = facts.iter().any(|fact| matches!(fact, Fact::ReviewOf { session: other } if *other == session));
            return if same { Ok(review) } else { Err(JournalError::OtherSession { path }) };
        }
        let opened = Fact::Opened { program: env!("CARGO_PKG_VERSION").to_owned(), at: at.to_owned() };
        let mut review = Journal::create(&path, &opened)?;
        review.append(&Fact::ReviewOf { session })?;
        Ok(review)
    }
}

#[cfg(test)]
mod tests;
