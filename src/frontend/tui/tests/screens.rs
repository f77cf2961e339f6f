//! Snapshots of the main situations.

use super::fixture::{edited_record, first_step, name, to_the_leaf};
use super::{App, Setup, Stage};
use crate::domain::{Examination, Part, TokenView};
use crate::frontend::tui::Theme;
use crate::frontend::tui::theme::Styles;
use crate::report::Role;
use crate::session::{Fact, WalkId};
use ratatui::style::{Color, Style};

const SIZES: [(u16, u16); 4] = [(120, 40), (80, 24), (60, 15), (40, 10)];

fn snapshots(title: &str, prepare: impl Fn(&mut Stage)) {
    for (width, height) in SIZES {
        let mut stage = Stage::new(width, height);
        prepare(&mut stage);
        insta::assert_snapshot!(format!("{title}_{width}x{height}"), stage.draw().backend());
    }
}

#[test]
fn start() {
    snapshots("start", |_| {});
}

#[test]
fn nothing_loaded() {
    insta::assert_snapshot!("nothing_loaded_80x24", Stage::empty(80, 24).draw().backend());
}

#[test]
fn in_the_middle_of_a_walk_with_a_rationale_streaming() {
    snapshots("streaming", |stage| {
        stage.facts(vec![first_step()]);
        stage.keys("s");
        stage.ask(name("asks_for_value"), "The text asks the reader to send 0.1 coins to an address, which is");
    });
}

#[test]
fn at_a_leaf_that_disagrees_with_the_gold_label() {
    snapshots("leaf", |stage| stage.facts(to_the_leaf()));
}

/// A name can be long and the screen narrow: text at the right gives way before the name does.
#[test]
fn on_a_narrow_screen_a_node_keeps_its_name_beside_what_is_said_of_it() {
    for width in [40, 60, 80, 100, 120] {
        let mut stage = Stage::new(width, 24);
        stage.facts(to_the_leaf());
        let screen = stage.draw().backend().to_string();
        for (node, mark) in [("is_re", "✓"), ("asks_", "✓"), ("decep", "✗")] {
            let row = screen
                .lines()
                .find(|line| line.contains(&format!("● {node}")))
                .unwrap_or_else(|| panic!("{node} at {width}:\n{screen}"));
            assert!(row.contains(mark), "{row}");
        }
    }
}

#[test]
fn help() {
    snapshots("help", |stage| stage.keys("?"));
}

#[test]
fn the_prompt_with_completion() {
    snapshots("prompt", |stage| stage.keys(":break d<tab>"));
    snapshots("prompt_commands", |stage| stage.keys(":co"));
    snapshots("prompt_refused", |stage| stage.keys(":brek deceptive<ret>"));
}

#[test]
fn the_tokens_of_the_prompt() {
    snapshots("tokens", |stage| {
        let words = ["<|im_start|>", "system", "\n", "Read", " the", " post", ".", "<|im_end|>"];
        let tokens = words.into_iter().enumerate().map(|(i, text)| TokenView {
            position: i as u32,
            id: 100 + i as u32,
            text: text.into(),
            part: if text.starts_with('<') { Part::Template } else { Part::Instructions },
            control: text.starts_with('<'),
        });
        let found = Examination::Tokens(tokens.cycle().take(60).collect());
        stage.keys(":x tokens<ret>");
        stage.facts(vec![Fact::Examined { walk: WalkId(1), node: name("deceptive"), found }]);
        stage.done();
    });
}

#[test]
fn a_walk_made_under_a_policy_that_was_edited_since() {
    snapshots("older_policy", |stage| {
        stage.facts(to_the_leaf().into_iter().take(2).collect());
        stage.facts(vec![Fact::PolicyLoaded(edited_record())]);
    });
}

#[test]
fn a_branch_under_the_edited_policy_with_a_stale_step() {
    snapshots("stale_step", |stage| {
        stage.facts(to_the_leaf().into_iter().take(2).collect());
        let branch = WalkId(2);
        let step = match &to_the_leaf()[2] {
            Fact::Stepped { step, .. } => step.clone(),
            other => panic!("{other:?}"),
        };
        stage.facts(vec![
            Fact::PolicyLoaded(edited_record()),
            Fact::WalkForked { walk: branch, from: WalkId(1), at: 2 },
            Fact::Stepped { walk: branch, step },
        ]);
        stage.keys("<up>");
    });
}

#[test]
fn a_recorded_session() {
    for (width, height) in SIZES {
        let mut stage = Stage::new(width, height);
        stage.app = App::new(Setup { recorded: true, events: 40, ..stage.app.setup.clone() }, width, height);
        stage.facts(to_the_leaf().into_iter().take(2).collect());
        insta::assert_snapshot!(format!("recorded_{width}x{height}"), stage.draw().backend());
    }
}

/// The style of the first cell of `text` on the screen.
fn style_at(stage: &Stage, text: &str) -> Style {
    let terminal = stage.draw();
    let buffer = terminal.backend().buffer();
    let width = usize::from(buffer.area.width);
    for (y, row) in buffer.content().chunks(width).enumerate() {
        let symbols: String = row.iter().map(|c| c.symbol()).collect();
        if let Some(at) = symbols.find(text) {
            let x = symbols.char_indices().take_while(|(i, _)| *i < at).count();
            return buffer[(x as u16, y as u16)].style();
        }
    }
    panic!("{text:?} is not on the screen");
}

#[test]
fn roles_reach_the_cells_and_mono_uses_no_colour_at_all() {
    let mut stage = Stage::new(120, 40);
    stage.facts(to_the_leaf());
    for (text, role) in [
        ("■ violating", Role::Violating),
        ("□ non_violating", Role::NonViolating),
        ("⚠ low coverage", Role::Warning),
        ("A return of double", Role::Rationale),
        ("✗yes", Role::Bad),
        ("┡━ ", Role::Answer),
    ] {
        let (found, wanted) = (style_at(&stage, text), Theme::default().style(role));
        assert_eq!((found.fg, found.add_modifier), (wanted.fg.or(Some(Color::Reset)), wanted.add_modifier), "{text}");
    }
    assert_eq!(stage.app.setup.theme, Theme::default());
    stage.app.setup.theme = Theme::Mono;
    for keys in ["", "?", "<esc>:co"] {
        stage.keys(keys);
        let terminal = stage.draw();
        assert!(terminal.backend().buffer().content().iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
    }
}
