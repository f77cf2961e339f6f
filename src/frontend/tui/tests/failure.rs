//! Failures whose message takes several lines: a model that could not be fetched.

use super::Stage;
use crate::engine::{Failure, Notice, Progress, Ticket};

fn screen(stage: &Stage) -> Vec<String> {
    let terminal = stage.draw();
    let buffer = terminal.backend().buffer();
    let width = usize::from(buffer.area.width);
    let cells: Vec<&str> = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
    cells.chunks(width).map(|row| row.concat()).collect()
}

#[test]
fn a_failure_of_several_lines_is_laid_out_line_by_line() {
    let mut stage = Stage::new(80, 24);
    let failure = Failure::user("m could not be fetched\nhub a/b: no answer\nwheel p==1: no pip")
        .hinted("by hand:\ndownload it\nput it at MODELS/m.gguf");
    stage.notice(Notice::Done { ticket: Ticket(1), result: Err(failure) });
    let rows = screen(&stage);
    let row =
        |words: &str| rows.iter().position(|row| row.contains(words)).unwrap_or_else(|| panic!("{words}: {rows:#?}"));
    let steps =
        ["hub a/b: no answer", "wheel p==1: no pip", "hint: by hand:", "download it", "put it at MODELS/m.gguf"];
    assert!(steps.map(row).is_sorted_by(|a, b| a < b), "{rows:#?}");
    assert!(!rows.concat().contains("U+000A"), "{rows:#?}");
    stage.keys("<esc>");
    assert!(!screen(&stage).concat().contains("put it at"), "one key closes it");
}

#[test]
fn a_note_stays_in_the_log_and_the_wait_is_in_the_status_line() {
    let mut stage = Stage::new(120, 40);
    stage.keys(":load model m<ret>");
    let what = "hub.example to answer".into();
    stage.notice(Notice::Progress(Ticket(1), Progress::Waiting { what, seconds: 3 }));
    assert!(screen(&stage).concat().contains("waiting for hub.example to answer, 3 s"), "{:#?}", screen(&stage));
    stage.notice(Notice::Progress(Ticket(1), Progress::Note("hub a/b failed: no answer\ntrying wheel p==1".into())));
    let rows = screen(&stage);
    assert!(rows.iter().any(|row| row.contains("note: hub a/b failed: no answer")), "{rows:#?}");
    stage.done();
    assert!(screen(&stage).iter().any(|row| row.contains("trying wheel p==1")), "{rows:#?}");
}
