//! Snapshots of the main situations.

use super::Stage;
use super::fixture::{first_step, name, to_the_leaf};

const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (40, 10)];

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
