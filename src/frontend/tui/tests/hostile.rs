//! Hostile text wherever text comes from outside: no cell of the screen may hold a control character.

use super::fixture::{first_step, judgement, name, opening, sample, stepped};
use super::{Msg, Stage};
use crate::domain::{Content, Examination, Field, Part, Piece, Target};
use crate::engine::{Event, Failure, Notice, Ticket};
use crate::session::{Fact, FailureKind, Subject, WalkId};
use crate::text::{Untrusted, is_hidden};

/// Attacks on terminals, named by what they would do.
const ATTACKS: [&str; 12] = [
    "\u{1b}[2J\u{1b}[H",                                         // clears the screen
    "\u{1b}]0;owned\u{7}",                                       // sets the title
    "\u{1b}]52;c;ZXZpbA==\u{1b}\\",                              // writes to the clipboard
    "\u{1b}]8;;https://evil.example\u{7}x\u{1b}]8;;\u{7}",       // makes a link
    "\u{9b}31m\u{90}q\u{9c}",                                    // C1 forms of the same
    "safe\rEVIL",                                                // overwrites the line
    "a\u{8}\u{8}b\u{7f}",                                        // backspaces
    "x\u{202e}gnp.exe\u{2066}y",                                 // reverses reading order
    "a\u{200b}b\u{2060}c\u{feff}d\u{ad}e",                       // hides in a word
    "tag\u{e0041}\u{e0042}\u{e007f}",                            // tag characters
    "z\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}", // piles up marks
    "a\nb\tc\u{b}d\u{c}e\u{85}f\u{2028}g",                       // breaks lines
];

/// Every control, format and variation-selector code point, each between two letters.
fn all_hidden() -> String {
    ('\0'..=char::MAX)
        .filter(|c| {
            c.is_control()
                || matches!(*c, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
            | '\u{e0100}'..='\u{e01ef}')
        })
        .flat_map(|c| ['a', c])
        .collect()
}

#[track_caller]
fn assert_inert(stage: &Stage, what: &str) {
    let terminal = stage.draw();
    for cell in terminal.backend().buffer().content() {
        let symbol = cell.symbol();
        assert!(!symbol.chars().any(is_hidden), "{what}: a cell holds {symbol:?}");
        assert!(symbol.chars().count() <= 10, "{what}: a cell holds {symbol:?}");
    }
}

/// A session in which every text from outside is `text`.
fn poisoned(text: &str, width: u16, height: u16) -> Stage {
    let mut stage = Stage::empty(width, height);
    let evil = Untrusted::from(text);
    stage.app.setup.session = evil.clone();
    let mut policy = super::fixture::policy();
    policy.title = evil.clone();
    policy.version = evil.clone();
    for node in &mut policy.nodes {
        node.question = evil.clone();
        node.guidance = vec![evil.clone(), evil.clone()];
        node.examples.iter_mut().for_each(|e| {
            e.text = evil.clone();
            e.why = Some(evil.clone());
        });
    }
    stage.policies = crate::session::Policies::default();
    stage.policies.add(super::fixture::record(), policy);
    let mut facts = opening();
    for fact in &mut facts {
        match fact {
            Fact::PolicyLoaded(record) => {
                record.title = evil.clone();
                record.version = evil.clone();
            }
            Fact::SamplesLoaded { path, .. } => *path = evil.clone(),
            Fact::ModelLoaded(info) => info.name = evil.clone(),
            Fact::WalkStarted { sample: s, .. } => {
                *s = sample();
                s.id = evil.clone();
                s.classifier.iter_mut().for_each(|c| {
                    c.id = evil.clone();
                    c.version = Some(evil.clone());
                });
                s.content =
                    Content::Fields(vec![Field { name: name("caption"), values: vec![evil.clone(), evil.clone()] }]);
            }
            _ => {}
        }
    }
    stage.facts(facts);
    stage
}

#[test]
fn no_hostile_text_reaches_a_cell_of_any_screen() {
    let everything = all_hidden();
    for text in ATTACKS.into_iter().chain([everything.as_str()]) {
        for (width, height) in [(120, 40), (80, 24), (30, 6)] {
            let mut stage = poisoned(text, width, height);
            assert_inert(&stage, "start");
            stage.ask(name("is_report"), text);
            assert_inert(&stage, "streaming");
            stage.facts(vec![
                stepped(
                    "is_report",
                    judgement(&[("yes", 0.1), ("no", 0.2)], text),
                    Target::Node(name("asks_for_value")),
                ),
                Fact::Noted { on: Subject::Walk(WalkId(1)), text: text.into(), by: None },
                Fact::Failed { kind: FailureKind::User, message: text.into() },
                Fact::Saved { path: text.into() },
            ]);
            let failure = Failure::user(text).hinted(text);
            stage.tell(Msg::Event(Event::Notice(Notice::Done { ticket: Ticket(1), result: Err(failure) })));
            assert_inert(&stage, "failed");
            stage.keys(":note ");
            stage.tell(Msg::Paste(text.into()));
            assert_inert(&stage, "prompt");
            stage.keys("<ret>");
            let pieces = vec![Piece { part: Part::Sample, text: text.into() }];
            let mut stage = poisoned(text, width, height);
            stage.keys(":x prompt<ret>");
            let (walk, node) = (WalkId(1), crate::domain::Name::new("n").expect("a name"));
            stage.facts(vec![Fact::Examined { walk, node, found: Examination::Prompt(pieces) }]);
            assert_eq!(stage.app.overlay.is_some(), width > 30, "{width}");
            assert_inert(&stage, "overlay");
        }
    }
}

#[test]
fn hidden_characters_are_marked_and_counted() {
    let stage = poisoned("pay\u{200b}pal \u{202e}won", 120, 40);
    let screen = stage.draw().backend().to_string();
    assert!(screen.contains("pay<U+200B>pal <U+202E>won"), "{screen}");
    assert!(screen.contains("4 hidden characters"), "{screen}");
}

#[test]
fn every_size_can_be_drawn_in_every_situation() {
    let sizes = (0..=20).flat_map(|w| (0..=20).map(move |h| (w, h))).chain((1..=200).map(|w| (w, 30)));
    let mut stage = Stage::new(0, 0);
    stage.facts(vec![first_step()]);
    let situations: [fn(&mut Stage); 5] = [
        |_| {},
        |s| s.keys("?"),
        |s| s.keys("<esc>:break "),
        |s| s.keys("<esc>s"),
        |s| s.ask(name("asks_for_value"), "one two three four five six seven 日本語 words"),
    ];
    for prepare in situations {
        prepare(&mut stage);
        for (width, height) in sizes.clone() {
            stage.tell(Msg::Resize(width, height));
            stage.draw();
        }
    }
}

#[test]
fn a_terminal_of_any_claimed_size_is_drawn_on_within_bounds() {
    use crate::frontend::tui::{backend, layout};
    use ratatui::layout::{Rect, Size};
    let sizes = [0, 1, 39, 79, 1000, 1872, 1873, 10_000, 32_768, u16::MAX];
    for (width, height) in sizes.into_iter().flat_map(|w| [0, 12, 30, 40, 500, 10_000, u16::MAX].map(|h| (w, h))) {
        let known = backend::known(Size { width, height });
        assert!(known.width <= layout::MOST.0 && known.height <= layout::MOST.1, "{known:?}");
        for zoomed in [false, true] {
            let looked_at = layout::Arrangement { tab: layout::Pane::Log, focus: layout::Pane::Tree, zoomed };
            let screen = layout::screen(Rect { x: 0, y: 0, width, height }, looked_at);
            assert_eq!(screen.is_none(), width < 40 || height < 12);
        }
        let mut stage = Stage::new(width, height);
        stage.tell(Msg::Resize(width, height));
        stage.draw();
        let (w, h) = stage.app.size();
        assert_eq!((w, h), (width.min(1000), height.min(500)), "{width}x{height}");
    }
    // On a larger terminal the rest stays blank.
    let stage = Stage::new(1873, 40);
    let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(1873, 40)).unwrap();
    terminal.draw(|frame| crate::frontend::tui::frame::draw(&stage.app, stage.view(), frame)).unwrap();
    let cells = terminal.backend().buffer().content();
    assert!(cells[..1873].iter().any(|cell| cell.symbol() != " "));
    assert!(cells.chunks(1873).all(|row| row[1000..].iter().all(|cell| cell.symbol() == " ")));
}
