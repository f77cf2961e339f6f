//! `replay --plain`: prints a recorded session as the transcript it was, without a model and without writing to its
//! file.
//!
//! Must show recorded values only, marked as such, and must report what is wrong with the file on the other stream.

use super::words;
use crate::domain::path_text;
use crate::report::theme::Theme;
use crate::report::{Basis, Doc, Page, ansi, transcript};
use crate::session::{Fact, Policies, Recovery, Reviewer, SessionState, journal};
use crate::text::{Escaped, Untrusted};
use std::io::{self, Write};
use std::path::Path;

/// How a session is printed.
#[derive(Clone, Debug)]
pub struct Replay<'a> {
    /// The session file.
    pub path: &'a Path,
    /// Cells to wrap at.
    pub width: usize,
    /// The looks; plain text without them.
    pub theme: Option<Theme>,
    /// The reader, whose own review is read before those of others.
    pub author: Untrusted,
}

impl Replay<'_> {
    /// Prints the session to `out` and what is wrong with its file to `err`. Returns the exit code: 0 if every
    /// acknowledged fact was shown, 1 if the file could not be read to its end, 2 if it could not be read at all.
    ///
    /// Fails only if `out` or `err` does.
    pub fn run(&self, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
        let (facts, recovery) = match journal::read(self.path) {
            Ok(read) => read,
            Err(error) => {
                err.write_all(words::told(&error.into()).as_bytes())?;
                return Ok(2);
            }
        };
        let reviewer = Reviewer::new(self.path.to_owned(), recovery.first_line, self.author.clone());
        let (facts, reviews) = reviewer.merged(facts);
        self.print(&facts, out)?;
        out.flush()?;
        for told in reviews {
            writeln!(err, "note: {}", told.escaped())?;
        }
        self.tell(&recovery, err)
    }

    fn print(&self, facts: &[Fact], out: &mut dyn Write) -> io::Result<()> {
        let page = Page::recorded(self.width);
        let mut state = SessionState::default();
        let policies = Policies::default();
        let mut basis = Basis::default();
        for fact in facts {
            state.apply(fact);
            basis.follow(&state, &policies);
            let doc = match fact {
                Fact::Command { line } => Doc(vec![transcript::command(line)]),
                other => transcript::fact(&state, &basis, other, page),
            };
            let text = ansi::render_for(&doc, self.theme);
            out.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    fn tell(&self, recovery: &Recovery, err: &mut dyn Write) -> io::Result<u8> {
        let path = Escaped::line(&path_text::of(self.path));
        let damaged = recovery.damage.is_some();
        let notices = recovery.notices();
        let (warnings, error) = notices.split_at(notices.len() - usize::from(damaged));
        for warning in warnings {
            writeln!(err, "warning: {path}: {warning}")?;
        }
        for error in error {
            writeln!(
                err,
                "error: {path}: {error}\nhint: what is shown precedes the damage; the rest is in the file still"
            )?;
        }
        Ok(u8::from(damaged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Content, Gold, Judgement, Rationale, StopReason, Usage};
    use crate::domain::{Digest, Name, Outcome, Readout, Sample, Target, Verdict};
    use crate::session::{Journal, LeafReached, NodeRef, Step, Subject, Taken, WalkId};
    use std::path::PathBuf;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a test name")
    }

    fn facts() -> Vec<Fact> {
        let walk = WalkId(1);
        let sample = Sample {
            gold: Gold { outcome: Some(Outcome::Violating), ..Gold::default() },
            ..Sample::new("s-1", Content::Text("Send a gift card\u{1b}[2J to win.".into()))
        };
        let step = Step {
            node: NodeRef { id: name("asks_for_value"), hash: Digest::of(b"node") },
            judgement: Some(Judgement {
                rationale: Some(Rationale {
                    text: "A gift card is money.".into(),
                    tokens: 5,
                    stop: StopReason::EndOfTurn,
                }),
                readout: Readout::from_logprobs([(name("yes"), 0.75_f64.ln()), (name("no"), 0.2_f64.ln())]),
                prompt_sha256: Digest::of(b"prompt"),
                logits_sha256: Digest::of(b"logits"),
                usage: Usage { prompt_tokens: 300, reused_tokens: 250, computed_tokens: 60, millis: 12 },
            }),
            prompt: Vec::new(),
            answer: name("yes"),
            taken: Taken::Argmax,
            target: Target::Leaf(name("remove")),
        };
        let leaf = LeafReached {
            id: name("remove"),
            verdict: Verdict { outcome: Outcome::Violating, label: Some(name("SC1")) },
            severity: Some(3),
            action: Some(name("remove")),
            rule_ids: vec![name("SC1.a")],
        };
        vec![
            Fact::Opened { program: "0.1.0".into(), at: "2026-11-23T02:00:00Z".into() },
            Fact::Command { line: "sample 1".into() },
            Fact::WalkStarted { walk, index: 0, sample, root: name("asks_for_value") },
            Fact::Command { line: "step".into() },
            Fact::Stepped { walk, step },
            Fact::LeafReached { walk, leaf },
            Fact::Command { line: "note clear".into() },
            Fact::Noted { on: Subject::Walk(walk), text: "clear".into(), by: None },
        ]
    }

    fn recorded() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("s.jsonl");
        let facts = facts();
        let mut journal = Journal::create(&path, &facts[0]).expect("created");
        facts[1..].iter().for_each(|fact| journal.append(fact).expect("appended"));
        (dir, path)
    }

    fn replayed(path: &Path) -> (u8, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let replay = Replay { path, width: 78, theme: None, author: "ana".into() };
        let code = replay.run(&mut out, &mut err).expect("memory takes everything");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (code, text(out), text(err).replace(&path.parent().expect("a folder").display().to_string(), "DIR"))
    }

    #[test]
    fn a_session_is_printed_as_it_was_with_its_values_marked_as_recorded() {
        let (_dir, path) = recorded();
        let (code, out, err) = replayed(&path);
        assert_eq!((code, err.as_str()), (0, ""));
        insta::assert_snapshot!(out, @r##"
session opened 2026-11-23T02:00:00Z by crossexam 0.1.0
> sample 1
sample 1 s-1                                                            walk 1
  Send a gift card<U+001B>[2J to win.
  ! 1 hidden character shown as <U+…>
=>  asks_for_value  is asked next
> step
1 asks_for_value  yes 0.789 → remove                                  recorded
  │ A gift card is money.
  ▸ yes  0.789  ███████████████████
    no   0.211  █████
  coverage 0.950 · margin 0.579 · entropy 0.74 bit
  300 tokens, 250 reused, 60 computed · 12 ms
leaf remove  ■ violating SC1                                          recorded
  severity 3 · action remove · rules SC1.a
  gold        ■ violating
  LLM         ■ violating SC1   right (tp)  leaf remove · recorded
  classifier  no scores recorded
  cell        all_agree         all that decide agree with gold
> note clear
noted on walk 1: clear
"##);
    }

    #[test]
    fn a_torn_end_is_a_warning_and_damage_is_an_error_after_what_precedes_it() {
        let (_dir, path) = recorded();
        let (_, whole, _) = replayed(&path);
        let mut bytes = std::fs::read(&path).expect("read");
        std::fs::write(&path, &bytes[..bytes.len() - 4]).expect("cut");
        let (code, out, err) = replayed(&path);
        assert_eq!(code, 0);
        assert!(whole.starts_with(&out) && out.contains("> note clear"), "{out}");
        assert!(err.starts_with("warning: DIR/s.jsonl: the last record, line 8 (byte "), "{err}");

        let at = bytes.windows(5).position(|w| w == b"\"step").expect("a step is in it");
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).expect("damaged");
        let (code, out, err) = replayed(&path);
        assert_eq!(code, 1);
        assert!(whole.starts_with(&out) && out.contains("s-1") && !out.contains("> step"), "{out}");
        assert!(err.starts_with("error: DIR/s.jsonl: line 4 (byte "), "{err}");
        assert!(err.contains("is damaged: its checksum is wrong") && err.contains("\nhint: "), "{err}");
    }

    #[test]
    fn what_is_no_session_is_refused_with_a_way_out() {
        let (dir, path) = recorded();
        let other = dir.path().join("samples.jsonl");
        std::fs::write(&other, "{\"id\":\"a\",\"text\":\"b\"}\n").expect("written");
        let (code, out, err) = replayed(&other);
        assert_eq!((code, out.as_str()), (2, ""));
        assert_eq!(
            err,
            "error: DIR/samples.jsonl is no session, or its first line is damaged\n\
             hint: sessions are the files crossexam records; check the path\n"
        );
        let (code, _, err) = replayed(&path.with_file_name("none.jsonl"));
        assert!(code == 2 && err.contains("hint: check the path"), "{err}");
    }

    #[test]
    fn hostile_text_of_a_session_stays_inert() {
        let (_dir, path) = recorded();
        let (_, out, _) = replayed(&path);
        assert!(out.contains("gift card") && !out.contains('\u{1b}'), "{out:?}");
    }
}
