//! How the line front ends show what happens: as text for people, or as one JSON object per line for programs.
//!
//! Must write to the given stream only, and must show untrusted text in escaped form only (JSON does its own escaping).

use super::progress::ProgressView;
use super::transient::Transient;
use super::{Client, words};
use crate::command::{ParseError, ViewCommand};
use crate::engine::{Event, Failure, Notice, Stop};
use crate::judge::Progress;
use crate::report::theme::Theme;
use crate::report::{Doc, Line, Role, ansi, failure, fault, json};
use crate::session::{Fact, FailureKind, wire};
use crate::text::Escaped;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Width at which a transcript is wrapped: independent of the terminal, so that it is the same everywhere.
pub const WIDTH: usize = 100;

/// Documents in JSON are hardly wrapped: a program has no edge.
const JSON_WIDTH: usize = 1000;

/// What is shown, in the order in which it happens.
pub trait Show {
    /// A line is about to run; `place` is its origin, unless a person typed it.
    fn line(&mut self, text: &str, place: Option<&Escaped>) -> io::Result<()>;
    /// It could not be read.
    fn misread(&mut self, text: &str, place: Option<&Escaped>, error: &ParseError) -> io::Result<()>;
    /// Something came out of the engine; a fact is already in the client's state.
    fn event(&mut self, event: &Event, client: &Client) -> io::Result<()>;
    /// The answer to a command that needs no engine.
    fn answer(&mut self, command: &ViewCommand, client: &Client) -> io::Result<Result<(), Failure>>;
    /// Something that concerns no command.
    fn remark(&mut self, line: Line) -> io::Result<()>;
    /// A command ended badly.
    fn failure(&mut self, failure: &Failure, place: Option<&Escaped>) -> io::Result<()>;
}

/// As text.
pub struct TextShow<'a> {
    out: &'a mut dyn Write,
    theme: Option<Theme>,
    /// Cells to wrap at.
    pub width: usize,
    /// Whether lines are shown before they run; not if a person just typed them.
    pub echo: bool,
    /// Progress, and the rationale as it is written: for a terminal.
    live: Option<Transient>,
    /// Whether a fact already reported that the running command was stopped.
    told: bool,
}

impl<'a> TextShow<'a> {
    /// A transcript; the same whatever it is written to.
    pub fn transcript(out: &'a mut dyn Write, theme: Option<Theme>, width: usize) -> Self {
        Self { out, theme, width, echo: true, live: None, told: false }
    }

    /// For a terminal, which is at least `width` cells wide.
    pub fn terminal(out: &'a mut dyn Write, theme: Option<Theme>, width: usize) -> Self {
        Self { live: Some(Transient::default()), ..Self::transcript(out, theme, width) }
    }

    /// For a terminal that cannot move its cursor.
    pub fn dumb_terminal(out: &'a mut dyn Write, theme: Option<Theme>, width: usize) -> Self {
        Self { live: Some(Transient::for_dumb_terminal()), ..Self::transcript(out, theme, width) }
    }

    /// Shows a document.
    pub fn doc(&mut self, doc: &Doc) -> io::Result<()> {
        if let Some(live) = &mut self.live {
            live.leave(self.out)?;
        }
        let text = ansi::render_for(doc, self.theme);
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    fn notice(&mut self, notice: &Notice) -> io::Result<()> {
        match (notice, &mut self.live) {
            (Notice::Progress(_, Progress::Token(piece)), Some(live)) => live.token(piece.raw(), self.width, self.out),
            (Notice::Progress(_, Progress::Note(text)), Some(_)) => self.doc(&failure::note(text, self.width)),
            (Notice::Progress(_, progress), Some(live)) => {
                live.progress(progress);
                Ok(())
            }
            (Notice::Done { result, .. }, live) => {
                match (result.as_ref().ok().and_then(|stop| words::stop(*stop)), live) {
                    (Some(line), _) => self.doc(&Doc(vec![line])),
                    (None, Some(live)) => live.leave(self.out),
                    (None, None) => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

impl Show for TextShow<'_> {
    fn line(&mut self, text: &str, _: Option<&Escaped>) -> io::Result<()> {
        self.told = false;
        if !self.echo {
            return Ok(());
        }
        let comment = text.trim_start().starts_with('#');
        let mut doc = Doc::new();
        for (index, line) in Escaped::lines(text).iter().enumerate() {
            let mark = if index == 0 { "> " } else { ". " };
            doc.push(match comment {
                true => Line::new().escaped(Role::Muted, line),
                false if text.trim().is_empty() => Line::new(),
                false => Line::new().with(Role::Muted, mark).escaped(Role::Heading, line),
            });
        }
        self.doc(&doc)
    }

    fn misread(&mut self, text: &str, place: Option<&Escaped>, error: &ParseError) -> io::Result<()> {
        self.doc(&fault::misread(text, place, error))
    }

    fn event(&mut self, event: &Event, client: &Client) -> io::Result<()> {
        match event {
            // The line was shown already, and a failure is reported with its hint when the command is done.
            Event::Fact(fact) if matches!(**fact, Fact::Command { .. } | Fact::Failed { .. }) => Ok(()),
            Event::Fact(fact) => {
                if let Some(live) = self.live.as_mut().filter(|_| matches!(**fact, Fact::Stepped { .. })) {
                    live.erase(self.out)?;
                }
                self.told |= matches!(**fact, Fact::Cancelled { .. });
                self.doc(&words::fact(fact, client, self.width))
            }
            Event::Notice(notice) => self.notice(notice),
        }
    }

    fn answer(&mut self, command: &ViewCommand, client: &Client) -> io::Result<Result<(), Failure>> {
        match words::answer(command, client, self.width) {
            Ok(doc) => self.doc(&doc).map(Ok),
            Err(failure) => Ok(Err(failure)),
        }
    }

    fn remark(&mut self, line: Line) -> io::Result<()> {
        self.doc(&Doc(vec![line]))
    }

    fn failure(&mut self, failure: &Failure, place: Option<&Escaped>) -> io::Result<()> {
        if failure.cancelled {
            let line = Line::new().with(Role::Warning, "stopped");
            return if self.told { Ok(()) } else { self.doc(&Doc(vec![line])) };
        }
        self.doc(&words::failed(failure, place, self.width))
    }
}

/// Wraps another `Show` and shows progress separately, so that the output is the same wherever it goes.
pub struct Aside<'a, 'v> {
    show: &'a mut dyn Show,
    view: ProgressView<'v>,
}

impl<'a, 'v> Aside<'a, 'v> {
    /// Progress goes to `view`, everything else to `show`.
    pub fn new(show: &'a mut dyn Show, view: ProgressView<'v>) -> Self {
        Self { show, view }
    }
}

impl Show for Aside<'_, '_> {
    fn line(&mut self, text: &str, place: Option<&Escaped>) -> io::Result<()> {
        self.show.line(text, place)
    }

    fn misread(&mut self, text: &str, place: Option<&Escaped>, error: &ParseError) -> io::Result<()> {
        self.show.misread(text, place, error)
    }

    fn event(&mut self, event: &Event, client: &Client) -> io::Result<()> {
        match event {
            Event::Notice(Notice::Progress(_, progress)) => self.view.show(progress),
            // Another node is a new operation, even under the same name.
            Event::Notice(Notice::Asking { .. } | Notice::Done { .. }) => self.view.clear(),
            _ => {}
        }
        self.show.event(event, client)
    }

    fn answer(&mut self, command: &ViewCommand, client: &Client) -> io::Result<Result<(), Failure>> {
        self.show.answer(command, client)
    }

    fn remark(&mut self, line: Line) -> io::Result<()> {
        self.show.remark(line)
    }

    fn failure(&mut self, failure: &Failure, place: Option<&Escaped>) -> io::Result<()> {
        self.show.failure(failure, place)
    }
}

/// One JSON object per line, each with `v` (1) and `event`: `command` {line}, `fact` {fact: as in the session file},
/// `view` {command, doc}, `examined` {doc}, `remark` {doc}, `done` {stop}, `error` {kind, message, hint, place}.
pub struct JsonShow<'a> {
    out: &'a mut dyn Write,
}

impl<'a> JsonShow<'a> {
    /// Writes to `out`.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
    }

    fn event_line(&mut self, event: &str, fields: Value) -> io::Result<()> {
        let mut object = serde_json::Map::new();
        object.insert("v".to_owned(), json!(1));
        object.insert("event".to_owned(), json!(event));
        if let Value::Object(fields) = fields {
            object.extend(fields);
        }
        // Facts hold outside text, and stdout may be a terminal.
        let mut line = crate::text::json::to_string(&object)?;
        line.push('\n');
        self.out.write_all(line.as_bytes())?;
        self.out.flush()
    }

    fn error(&mut self, kind: &str, message: &str, hint: Option<&str>, place: Option<&Escaped>) -> io::Result<()> {
        let place = place.map(Escaped::as_str);
        self.event_line("error", json!({ "kind": kind, "message": message, "hint": hint, "place": place }))
    }
}

/// A document as JSON.
fn doc_value(doc: &Doc) -> io::Result<Value> {
    serde_json::from_str(&json::render(doc)).map_err(io::Error::from)
}

impl Show for JsonShow<'_> {
    fn line(&mut self, text: &str, _: Option<&Escaped>) -> io::Result<()> {
        if text.trim().is_empty() || text.trim_start().starts_with('#') {
            return Ok(());
        }
        self.event_line("command", json!({ "line": text }))
    }

    fn misread(&mut self, _: &str, place: Option<&Escaped>, error: &ParseError) -> io::Result<()> {
        self.error("usage", &error.message, error.hint.as_deref(), place)
    }

    fn event(&mut self, event: &Event, _: &Client) -> io::Result<()> {
        match event {
            Event::Fact(fact) => self.event_line("fact", json!({ "fact": wire::to_json(fact) })),
            Event::Notice(Notice::Done { result: Ok(stop), .. }) => {
                let (stop, breakpoint) = match stop {
                    Stop::Done => ("done", None),
                    Stop::Leaf => ("leaf", None),
                    Stop::Until => ("until", None),
                    Stop::Unchanged => ("unchanged", None),
                    Stop::Already => ("already", None),
                    Stop::Breakpoint(id) => ("breakpoint", Some(id)),
                };
                self.event_line("done", json!({ "stop": stop, "breakpoint": breakpoint }))
            }
            Event::Notice(_) => Ok(()),
        }
    }

    fn answer(&mut self, command: &ViewCommand, client: &Client) -> io::Result<Result<(), Failure>> {
        match words::answer(command, client, JSON_WIDTH) {
            Ok(doc) => {
                let doc = doc_value(&doc)?;
                self.event_line("view", json!({ "command": command.to_string(), "doc": doc })).map(Ok)
            }
            Err(failure) => Ok(Err(failure)),
        }
    }

    fn remark(&mut self, line: Line) -> io::Result<()> {
        let doc = doc_value(&Doc(vec![line]))?;
        self.event_line("remark", json!({ "doc": doc }))
    }

    fn failure(&mut self, failure: &Failure, place: Option<&Escaped>) -> io::Result<()> {
        let kind = match failure.kind {
            _ if failure.cancelled => "cancelled",
            FailureKind::User => "user",
            FailureKind::Internal => "internal",
        };
        self.error(kind, failure.complaint.message.raw(), failure.complaint.hint.as_deref(), place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Name;
    use crate::session::WalkId;
    use std::sync::Arc;

    #[test]
    fn a_step_that_was_stopped_says_so_once() {
        let cancelled =
            Event::Fact(Arc::new(Fact::Cancelled { walk: WalkId(1), node: Name::new("asks").expect("a name") }));
        let client = Client::recorded(Vec::new());
        for facts in [0, 1, 0] {
            let mut out = Vec::new();
            let mut show = TextShow::transcript(&mut out, None, WIDTH);
            show.line("step", None).expect("memory takes everything");
            for _ in 0..facts {
                show.event(&cancelled, &client).expect("memory takes everything");
            }
            show.failure(&Failure::cancelled(), None).expect("memory takes everything");
            let text = String::from_utf8(out).expect("text");
            assert_eq!(text.matches("stopped").count(), 1, "{text}");
        }
    }

    #[test]
    fn what_is_said_of_one_node_is_said_anew_of_the_next() {
        let ticket = crate::engine::Ticket(1);
        let asking = || Notice::Asking { ticket, node: Name::new("asks").expect("a name") };
        let fetching = || Progress::Fetching { what: "weights".into(), done: 1, total: None };
        let client = Client::recorded(Vec::new());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut text = TextShow::transcript(&mut out, None, WIDTH);
        let mut show = Aside::new(&mut text, ProgressView::lines(&mut err));
        for notice in [
            asking(),
            Notice::Progress(ticket, fetching()),
            Notice::Progress(ticket, fetching()),
            asking(),
            Notice::Progress(ticket, fetching()),
        ] {
            show.event(&Event::Notice(notice), &client).expect("memory takes everything");
        }
        drop(show);
        let said = String::from_utf8(err).expect("text");
        assert_eq!(said.matches("fetching weights").count(), 2, "{said}");
    }

    #[test]
    fn an_event_cannot_act_on_a_terminal_and_reads_back_unchanged() {
        let text = "a\u{9b}31m\u{202e}\u{200b}b";
        let mut out = Vec::new();
        JsonShow::new(&mut out).event_line("fact", json!({ "text": text })).expect("memory takes everything");
        let line = String::from_utf8(out).expect("text");
        assert!(line.trim_end().chars().all(|c| !crate::text::is_hidden(c)), "{line:?}");
        let event: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!((&event["event"], &event["text"]), (&json!("fact"), &json!(text)));
    }
}
