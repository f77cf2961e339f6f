//! Reviews: what a reviewer notes about a recording, kept in the reviewer's own file beside it.
//!
//! Must never write to the recording, and must never show or keep notes about another recording as notes about this
//! one. A review is a journal like any other: its second fact says which session it is about, and every note says
//! after how many facts of that session it was made.

use super::{Fact, Journal, JournalError, journal};
use crate::domain::{Digest, path_text};
use crate::text::Untrusted;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Stands between the name of the recording and that of the author in the name of a review.
const MARK: &str = ".review-";

/// The longest part of an author's name that goes into a file name, in characters.
const MOST_LETTERS: usize = 40;

/// The most reviews of one recording that are read.
const MOST_REVIEWS: usize = 256;

/// Somebody who looks at a recording, and the review they write.
pub struct Reviewer {
    recording: PathBuf,
    /// Digest of the first line of the recording that is shown; another file may take its place while it is open.
    session: Option<Digest>,
    author: Untrusted,
    review: Option<Journal>,
}

/// What was found in one review.
struct Found {
    session: Option<Digest>,
    /// Notes and tags, each with its place.
    notes: Vec<(u64, Fact)>,
    /// What is wrong with the file.
    notices: Vec<String>,
}

impl Reviewer {
    /// A reviewer of `recording`, whose first line has the digest `session` (`Recovery::first_line`). No file is made
    /// before there is something to keep.
    pub fn new(recording: PathBuf, session: Option<Digest>, author: Untrusted) -> Self {
        Self { recording, session, author, review: None }
    }

    /// The author of the review.
    pub fn author(&self) -> &Untrusted {
        &self.author
    }

    /// Where the review is kept.
    pub fn path(&self) -> PathBuf {
        let kept = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
        let name: String = self.author.raw().chars().take(MOST_LETTERS).map(kept).collect();
        let mut file = self.mark();
        file.push(if name.is_empty() { "unknown" } else { &name });
        self.recording.with_file_name(file)
    }

    /// The recording, if the file is still the one that is shown.
    ///
    /// # Errors
    /// If it cannot be read, or is another session by now.
    pub fn recording(&self) -> Result<&Path, JournalError> {
        match journal::identity(&self.recording)? {
            session if self.session == Some(session) => Ok(&self.recording),
            _ => Err(JournalError::Replaced { path: self.recording.clone() }),
        }
    }

    /// The facts of the recording merged with those of its reviews, each note where it was made, and what to tell the
    /// reader about the reviews. Without reviews the facts stay as they are.
    pub fn merged(&self, mut facts: Vec<Fact>) -> (Vec<Fact>, Vec<Untrusted>) {
        // Only a review places a note in another file.
        facts.iter_mut().for_each(unplace);
        let (mut notes, mut told) = (Vec::new(), Vec::new());
        let mut files = self.beside();
        let more = files.len().saturating_sub(MOST_REVIEWS);
        files.truncate(MOST_REVIEWS);
        for file in files {
            let name = path_text::of(file.file_name().unwrap_or_default());
            match read(&file) {
                Ok(found) if found.session.is_some() && found.session == self.session => {
                    let count = found.notes.len();
                    let remarks = if count == 1 { "note or tag" } else { "notes and tags" };
                    told.push(format!("with the review {name}: {count} {remarks}").into());
                    told.extend(found.notices.into_iter().map(|notice| format!("{name}: {notice}").into()));
                    notes.extend(found.notes);
                }
                Ok(Found { session: Some(_), .. }) => {
                    told.push(format!("{name} is a review of another session: left out").into());
                }
                Ok(_) => told.push(format!("{name} does not say what it reviews: left out").into()),
                Err(error) => told.push(format!("left out: {error}").into()),
            }
        }
        if more > 0 {
            told.push(format!("at most {MOST_REVIEWS} reviews are read; {more} more are left out").into());
        }
        notes.sort_by_key(|(after, _)| *after);
        let mut notes = notes.into_iter().peekable();
        let mut all = Vec::with_capacity(facts.len());
        for (fact, happened) in facts.into_iter().zip(1..) {
            all.push(fact);
            while let Some((_, note)) = notes.next_if(|(after, _)| *after <= happened) {
                all.push(note);
            }
        }
        all.extend(notes.map(|(_, note)| note));
        (all, told)
    }

    /// Keeps a note or a tag; `at` is the time. `Ok` means that it is on the disk.
    ///
    /// # Errors
    /// If the recording is another one by now, or if the review cannot be written, is open in another process, is a
    /// link, or is about another session.
    pub fn keep(&mut self, fact: &Fact, at: &str) -> Result<(), JournalError> {
        self.recording()?;
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
        let (path, session) = (self.path(), self.session);
        if !path.exists() && !path.is_symlink() {
            let opened = Fact::Opened { program: env!("CARGO_PKG_VERSION").to_owned(), at: at.to_owned() };
            return about(Journal::create(&path, &opened)?, session);
        }
        // Opening a journal repairs its end, so a file that is no review of this recording must not come so far.
        let found = read(&path)?;
        if found.session.is_some() && found.session != session || found.session.is_none() && !found.notes.is_empty() {
            return Err(JournalError::OtherSession { path });
        }
        let (review, facts, _) = Journal::resume(&path)?;
        match found.session {
            Some(_) => Ok(review),
            // The program ended between the first two lines.
            None if facts.len() == 1 => about(review, session),
            None => Err(JournalError::OtherSession { path }),
        }
    }

    /// The reviews beside the recording, the reviewer's own first.
    fn beside(&self) -> Vec<PathBuf> {
        let own = self.path();
        let mut files = beside(&self.recording);
        files.sort_by_key(|file| *file != own);
        files
    }

    fn mark(&self) -> OsString {
        mark(&self.recording)
    }
}

/// The same journal, saying which session it is about.
fn about(mut review: Journal, session: Option<Digest>) -> Result<Journal, JournalError> {
    if let Some(session) = session {
        review.append(&Fact::ReviewOf { session })?;
    }
    Ok(review)
}

/// What the names of all reviews of a recording begin with.
fn mark(recording: &Path) -> OsString {
    let mut name = recording.file_name().map_or_else(OsString::new, OsString::from);
    name.push(MARK);
    name
}

/// The reviews beside a recording, by name; a folder that cannot be listed has none.
pub fn beside(recording: &Path) -> Vec<PathBuf> {
    let start = mark(recording);
    let folder = recording.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let author = |file: &OsString| {
        let author = file.as_encoded_bytes().strip_prefix(start.as_encoded_bytes())?;
        // What was torn off a review is kept beside it as `NAME.torn-N`, and an author's name has no point.
        (!author.contains(&b'.')).then_some(())
    };
    let listed = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<OsString> =
        listed.map(|entry| entry.file_name()).filter(|file| author(file).is_some()).collect();
    files.sort();
    files.into_iter().map(|file| recording.with_file_name(file)).collect()
}

/// Whether a fact was added by a review.
pub fn is_of_a_review(fact: &Fact) -> bool {
    matches!(fact, Fact::Noted { by: Some(by), .. } | Fact::Tagged { by: Some(by), .. } if by.after.is_some())
}

/// Removes the place in a recording from a note or tag.
fn unplace(fact: &mut Fact) {
    if let Fact::Noted { by: Some(by), .. } | Fact::Tagged { by: Some(by), .. } = fact {
        by.after = None;
    }
}

/// Reads a review; changes nothing. A link could lead to any file of the user's, so none is followed.
fn read(review: &Path) -> Result<Found, JournalError> {
    if review.is_symlink() {
        return Err(JournalError::Link { path: review.to_owned() });
    }
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
    Ok(Found { session, notes: notes.collect(), notices })
}

#[cfg(test)]
mod tests;
