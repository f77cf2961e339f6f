//! The history of typed lines, shared by the REPL and the full-screen front end.
//!
//! Must be told where its file is, and must never fail a session: the history is a convenience, and losing it is
//! acceptable.

use rustyline::Config;
use rustyline::history::{FileHistory, History as _};
use std::path::{Path, PathBuf};

/// Lines kept.
const MOST: usize = 2000;

/// A history file.
#[derive(Clone, Debug, Default)]
pub struct History {
    path: Option<PathBuf>,
}

impl History {
    /// In this file; `None` keeps nothing.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { path }
    }

    /// The file.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// All lines, oldest first; none if the file cannot be read.
    pub fn lines(&self) -> Vec<String> {
        self.load().iter().cloned().collect()
    }

    /// Adds a line and writes the file, creating its folder if needed. A line that begins with a space or repeats the
    /// previous one is not kept.
    ///
    /// # Errors
    /// If the file cannot be written; the session continues without it.
    pub fn remember(&self, line: &str) -> rustyline::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut file = self.load();
        if !file.add(line)? {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            crate::session::private_folder(folder)?;
        }
        file.append(path)
    }

    fn load(&self) -> FileHistory {
        let mut file = FileHistory::with_config(&config());
        match &self.path {
            Some(path) if file.load(path).is_err() => FileHistory::with_config(&config()),
            _ => file,
        }
    }
}

/// What both prompts do with repeated lines, and how many they keep.
fn config() -> Config {
    let builder = Config::builder().history_ignore_space(true);
    let builder = builder.max_history_size(MOST).and_then(|b| b.history_ignore_dups(true));
    builder.map_or_else(|_| Config::default(), |b| b.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_in_order_with_their_line_breaks_and_without_repeats() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = History::new(Some(folder.path().join("state/history")));
        assert_eq!(history.lines(), Vec::<String>::new());
        for line in ["step", "note a\\\nb", "note a\\\nb", " secret", "print \"\\n\""] {
            history.remember(line).expect("the file can be written");
        }
        assert_eq!(history.lines(), ["step", "note a\\\nb", "print \"\\n\""]);
    }

    #[test]
    fn a_history_that_is_no_text_or_cannot_be_written_loses_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history");
        std::fs::write(&path, b"#V2\n\xff\xfe\n").expect("a file");
        assert_eq!(History::new(Some(path.clone())).lines(), Vec::<String>::new());
        assert!(History::new(Some(path.join("below a file"))).remember("step").is_err());
        assert!(History::new(None).remember("step").is_ok());
    }
}
