//! Parses a policy file: text in; a policy and all its diagnostics out.
//!
//! Must never fail and never read a file itself.

use super::diagnostics::{Diagnostic, Sink};
use super::include::{ReadFile, load};
use super::source::SourceFile;
use super::terms::Terms;
use super::tree::Policy;
use super::{Severity, build, check_file, check_graph, flat, style};

/// What came of parsing.
#[derive(Debug)]
pub struct Parsed {
    /// The policy, if there are no errors (there may be warnings).
    pub policy: Option<Policy>,
    /// Everything that is wrong, in the order of the files, at most a few hundred.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read: the policy file first, then the included ones. Passed to the same function again, with
    /// a reader that looks in this list, they give the same policy.
    pub files: Vec<SourceFile>,
}

impl Parsed {
    /// The diagnostics that prevent the policy from being used.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Error)
    }
}

/// Parses the policy file `path` with content `text`. `read` is called with the path of every included file, which
/// begins with the folder of `path` and lies inside it.
///
/// ```
/// let parsed = crossexam::policy::parse("p.toml", "[policy]", &mut |_| Err("no includes here".to_owned()));
/// assert!(parsed.policy.is_none() && !parsed.diagnostics.is_empty());
/// ```
pub fn parse(path: &str, text: &str, read: &mut ReadFile<'_>) -> Parsed {
    let mut sink = Sink::default();
    let loaded = load(path, text, read, &mut sink);
    for (file, draft) in loaded.drafts.iter().enumerate() {
        for code in draft.head.iter().flat_map(|h| &h.allow) {
            sink.allowed.push(((file > 0).then_some(file as u32), *code));
        }
    }
    let flat = flat::flatten(&loaded, &mut sink);
    check_file::check(&loaded, &mut sink);
    let mut terms = Terms::collect(&loaded, &mut sink);
    terms.check(&loaded, &mut sink);
    check_graph::check(&loaded, &flat, &mut sink);
    style::check(&loaded, &mut sink);
    let policy = if sink.has_errors() || sink.damaged { None } else { build::policy(&loaded, &flat, &terms) };
    drop((flat, terms));
    Parsed { policy, diagnostics: sink.finish(&loaded.files), files: loaded.files }
}
