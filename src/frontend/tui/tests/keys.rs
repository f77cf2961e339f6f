//! Key sequences as users type them, and what reaches the engine.

use super::fixture::{edited_record, first_step, name, sample, to_the_leaf};
use super::{Effect, Msg, Notice, Stage, Ticket};
use crate::domain::BreakAt;
use crate::engine::Stop;
use crate::frontend::tui::keymap;
use crate::frontend::tui::layout::Pane;
use crate::session::{Breakpoint, Fact, WalkId};

#[track_caller]
fn check(prepare: impl Fn(&mut Stage), keys: &str, expected: &[&str]) {
    let mut stage = Stage::new(120, 40);
    prepare(&mut stage);
    stage.keys(keys);
    let mut lines = stage.submitted();
    while stage.app.activity.busy() {
        stage.done();
        lines.extend(stage.submitted());
    }
    assert_eq!(lines, expected, "{keys}");
}

#[test]
fn keys_are_command_lines() {
    check(|_| {}, "s", &["step"]);
    check(|_| {}, "snc", &["step", "next", "continue"]);
    check(|_| {}, ":break deceptive<ret>s", &["break deceptive", "step"]);
    check(|_| {}, ":brea deceptive if p.yes <lt> 0.6<ret>", &["break deceptive if p.yes < 0.6"]);
    check(|_| {}, "][", &["next-sample", "previous-sample"]);
    check(|_| {}, "mlooks fine<ret>", &["note looks fine"]);
}

#[test]
fn enter_repeats_the_last_step_and_nothing_else() {
    check(|_| {}, "s<ret><ret>", &["step", "step", "step"]);
    check(|_| {}, "<ret>", &[]);
    check(|_| {}, "smhm<ret><ret>", &["step", "note hm", "step"]);
    check(|_| {}, ":step 2<ret>:<ret>", &["step 2", "step 2"]);
}

#[test]
fn a_line_that_is_no_command_stays_at_the_prompt_and_reaches_nobody() {
    check(|_| {}, ":brek x<ret>", &[]);
    let mut stage = Stage::new(120, 40);
    stage.keys(":brek x<ret>");
    assert_eq!(stage.app.prompt.as_ref().map(|p| (p.text(), p.error().is_some())), Some(("brek x", true)));
    stage.keys("<esc>");
    assert!(stage.app.prompt.is_none());
}

#[test]
fn b_sets_a_breakpoint_where_the_selection_is_and_takes_it_away_again() {
    check(|_| {}, "b", &["break is_report"]);
    check(|_| {}, "jjb", &["break asks_for_value"]);
    let set = |stage: &mut Stage| {
        let at = BreakAt::Place(name("is_report"));
        let b = Breakpoint { id: 4, at, condition: None, temporary: false, enabled: true, hits: 0 };
        stage.facts(vec![Fact::BreakpointSet(b)]);
    };
    check(set, "b", &["delete 4"]);
}

#[test]
fn typing_ahead_waits_for_the_command_in_flight_and_a_cancel_drops_what_waits() {
    let mut stage = Stage::new(120, 40);
    stage.keys("sss");
    assert_eq!(stage.submitted(), ["step"]);
    stage.done();
    assert_eq!(stage.submitted(), ["step"]);
    stage.keys("<c-c>");
    assert_eq!(std::mem::take(&mut stage.effects), [Effect::Cancel]);
    stage.done();
    assert_eq!(stage.effects, []);
    assert!(!stage.app.busy());
}

#[test]
fn e_opens_the_editor_at_the_selected_node_but_not_while_something_runs() {
    let mut stage = Stage::new(120, 40);
    stage.keys("e");
    assert_eq!(std::mem::take(&mut stage.effects), [Effect::Edit(Some(name("is_report")))]);
    stage.keys("s");
    stage.effects.clear();
    stage.keys("e:edit<ret>");
    assert!(!stage.effects.iter().any(|e| matches!(e, Effect::Edit(_))), "{:?}", stage.effects);
}

#[test]
fn asking_again_is_offered_where_a_step_no_longer_stands() {
    let mut stage = Stage::new(120, 40);
    stage.facts(to_the_leaf());
    let offered = |stage: &Stage| keymap::available(stage.view(), None, false).iter().any(|(key, _)| *key == "A");
    assert!(!offered(&stage));
    stage.facts(vec![Fact::PolicyLoaded(edited_record())]);
    assert!(offered(&stage));
    stage.keys("A");
    assert_eq!(stage.submitted(), ["rerun"]);
}

#[test]
fn a_note_leaves_a_mark_at_its_node_in_the_tree() {
    let mut stage = Stage::new(120, 40);
    stage.facts(to_the_leaf());
    let mark = |stage: &Stage| {
        let screen = stage.draw().backend().to_string();
        screen.lines().find(|line| line.contains("asks_for_value")).is_some_and(|line| line.contains("✎1"))
    };
    assert!(!mark(&stage));
    let on = crate::session::Subject::Step(WalkId(1), 1);
    stage.facts(vec![Fact::Noted { on, text: "x".into(), by: None }]);
    assert!(mark(&stage));
}

/// The line above the key bar.
fn status(stage: &Stage) -> String {
    let shown = stage.draw().backend().to_string();
    let row = shown.lines().rev().nth(1).expect("a status line");
    row.trim_matches('"').trim().to_owned()
}

#[test]
fn the_status_line_tells_of_the_walk_on_the_screen_whatever_was_typed_ahead() {
    let done = |stage: &mut Stage, stop| stage.notice(Notice::Done { ticket: Ticket(1), result: Ok(stop) });
    let hit = |walk| Fact::BreakpointHit { id: 4, walk, at: name("is_report") };
    let mut stage = Stage::new(120, 40);
    stage.keys("c]");
    stage.facts(to_the_leaf());
    done(&mut stage, Stop::Leaf);
    assert_eq!(stage.submitted(), ["continue", "next-sample"]);
    stage.facts(vec![Fact::WalkStarted { walk: WalkId(2), index: 3, sample: sample(), root: name("is_report") }]);
    done(&mut stage, Stop::Done);
    assert_eq!(status(&stage), "next: is_report");
    stage.facts(vec![hit(WalkId(2))]);
    assert_eq!(status(&stage), "◆ stopped at breakpoint 4  ·  next: is_report");
    stage.facts(vec![Fact::WalkSelected { walk: WalkId(1) }]);
    assert!(status(&stage).starts_with("leaf clean"), "{}", status(&stage));
    stage.facts(vec![Fact::SteppedBack { walk: WalkId(1), to: 1 }]);
    assert_eq!(status(&stage), "next: asks_for_value");
    stage.facts(vec![Fact::WalkForked { walk: WalkId(3), from: WalkId(1), at: 0 }]);
    assert_eq!(status(&stage), "next: is_report");
}

#[test]
fn quitting_asks_only_while_something_runs() {
    let mut stage = Stage::new(120, 40);
    stage.keys("q");
    assert_eq!(std::mem::take(&mut stage.effects), [Effect::Quit]);
    stage.keys("s");
    stage.effects.clear();
    stage.keys("qn");
    assert_eq!(stage.effects, []);
    stage.keys("qy");
    assert_eq!(std::mem::take(&mut stage.effects), [Effect::Cancel, Effect::Quit]);
    stage.keys("q");
    assert_eq!(stage.effects, []);
    stage.done();
    assert_eq!(stage.effects, [Effect::Quit], "what was asked about is over");
}

#[test]
fn ctrl_c_never_quits_and_ctrl_z_suspends() {
    let mut stage = Stage::new(120, 40);
    stage.keys("<c-c><c-z><c-l>");
    assert_eq!(stage.effects, [Effect::Suspend, Effect::Redraw]);
}

#[test]
fn the_focus_goes_round_all_panes_and_shows_the_one_that_was_folded_away() {
    let mut stage = Stage::new(80, 24);
    for pane in [Pane::Sample, Pane::Node, Pane::Compare, Pane::Log, Pane::Tree] {
        stage.keys("<tab>");
        assert_eq!(stage.app.focus, pane);
        assert!(!Pane::TABS.contains(&pane) || stage.app.tab == pane);
    }
    stage.keys("<s-tab>");
    assert_eq!((stage.app.focus, stage.app.tab), (Pane::Log, Pane::Log));
}

#[test]
fn scrolling_stops_at_both_ends_and_the_next_step_follows_the_walk_again() {
    let mut stage = Stage::new(80, 24);
    stage.facts(to_the_leaf());
    stage.keys("<tab><tab><home><up><up>");
    assert_eq!(stage.app.scroll.get(&Pane::Node), Some(&0));
    stage.keys("<pgdn><pgdn><pgdn><down>");
    let end = stage.app.scroll.get(&Pane::Node).copied();
    stage.keys("<down><end>");
    assert_eq!(stage.app.scroll.get(&Pane::Node).copied(), end);
    stage.facts(vec![first_step()]);
    assert_eq!(stage.app.scroll.get(&Pane::Node), None);
}

/// Lines handed to the engine so far.
fn handed_over(stage: &Stage) -> Vec<String> {
    let line = |effect: &Effect| if let Effect::Submit(command) = effect { Some(command.to_string()) } else { None };
    stage.effects.iter().filter_map(line).collect()
}

#[test]
fn pasted_lines_are_carried_out_in_turn_and_the_unfinished_one_stays_in_the_prompt() {
    let mut stage = Stage::new(120, 40);
    stage.tell(Msg::Paste("quit\n".into()));
    assert_eq!(stage.effects, [], "nothing is pasted where there is no prompt");
    stage.keys(":no");
    stage.tell(Msg::Paste("te x\r\n# step\r\n\r\nstep\r\nwhe".into()));
    assert_eq!(handed_over(&stage), ["note x"]);
    assert_eq!(stage.app.prompt.as_ref().map(|p| p.text()), Some("whe"));
    stage.done();
    assert_eq!(handed_over(&stage), ["note x", "step"]);
    stage.done();
    assert_eq!(handed_over(&stage), ["note x", "step"]);
}

#[test]
fn the_first_pasted_line_that_fails_ends_the_paste_and_says_which() {
    let mut stage = Stage::new(120, 40);
    stage.keys(":");
    stage.tell(Msg::Paste("note x\nstpe\nstep\n".into()));
    stage.done();
    assert_eq!(handed_over(&stage), ["note x"]);
    assert!(status(&stage).starts_with("pasted:2: there is no command `stpe`"), "{}", status(&stage));
    assert!(!stage.app.busy());
}

#[test]
fn a_comment_repeats_nothing_and_an_empty_line_the_last_step() {
    let mut stage = Stage::new(120, 40);
    stage.keys(":step<ret>");
    stage.done();
    stage.keys(":# step<ret>");
    assert_eq!(handed_over(&stage), ["step"]);
    stage.keys(":<ret>");
    assert_eq!(handed_over(&stage), ["step", "step"]);
}

#[test]
fn a_script_runs_in_the_full_screen_view_with_the_scripts_it_runs() {
    let lines = |text: &str| {
        let lines = crate::frontend::script::Script::new("a.cmd".into(), text.as_bytes()).collect::<Result<_, _>>();
        Ok(lines.expect("readable"))
    };
    let sourced = |stage: &Stage| {
        let of = |effect: &Effect| {
            if let Effect::Source { path, deep } = effect { Some((path.clone(), *deep)) } else { None }
        };
        stage.effects.iter().filter_map(of).collect::<Vec<_>>()
    };
    let mut stage = Stage::new(120, 40);
    stage.keys(":source a.cmd<ret>:note last<ret>");
    assert_eq!((sourced(&stage), handed_over(&stage)), (vec![("a.cmd".to_owned(), 1)], vec![]));
    stage.tell(Msg::Script { lines: lines("# first\nnote one\ndisplay\nsource b.cmd\nnote three\n"), deep: 1 });
    stage.done();
    assert_eq!(sourced(&stage).last(), Some(&("b.cmd".to_owned(), 2)));
    stage.tell(Msg::Script { lines: lines("note two\n"), deep: 2 });
    (0..4).for_each(|_| stage.done());
    assert_eq!(handed_over(&stage), ["note one", "note two", "note three", "note last"]);

    stage.keys(":source a.cmd<ret>");
    stage.tell(Msg::Script { lines: lines("source a.cmd\n"), deep: 16 });
    assert!(status(&stage).starts_with("a.cmd:1: scripts run scripts more than 16 deep"), "{}", status(&stage));
    stage.keys(":source none.cmd<ret>");
    stage.tell(Msg::Script { lines: Err(crate::engine::Failure::user("cannot read none.cmd")), deep: 1 });
    assert!(!stage.app.busy() && status(&stage).starts_with("cannot read none.cmd"), "{}", status(&stage));
}

#[test]
fn a_line_of_a_script_or_a_paste_cannot_give_the_terminal_to_the_editor() {
    for (place, edit) in
        [("a.cmd", "edit"), ("a.cmd", "edit is_report"), ("pasted", "edit"), ("pasted", "edit is_report")]
    {
        let mut stage = Stage::new(120, 40);
        let text = format!("{edit}\nnote x\n");
        if place == "pasted" {
            stage.keys(":");
            stage.tell(Msg::Paste(text));
        } else {
            let lines = crate::frontend::script::Script::new(place.into(), text.as_bytes()).collect::<Result<_, _>>();
            stage.keys(":source a.cmd<ret>");
            stage.tell(Msg::Script { lines: Ok(lines.expect("readable")), deep: 1 });
        }
        assert!(!stage.effects.iter().any(|e| matches!(e, Effect::Edit(_))), "{place}: {:?}", stage.effects);
        assert_eq!((handed_over(&stage), stage.app.busy()), (vec![], false), "{place}");
        let told = format!("{place}:1: `{edit}` needs somebody at the prompt");
        assert!(status(&stage).starts_with(&told), "{}", status(&stage));
    }
}

#[test]
fn display_without_an_expression_lists_what_is_displayed() {
    let mut stage = Stage::new(120, 40);
    stage.keys(":display<ret>");
    assert_eq!(stage.effects.iter().filter(|e| !matches!(e, Effect::Remember(_) | Effect::Look)).count(), 0);
    assert!(stage.draw().backend().to_string().contains("info display"));
}

/// A press of a key must not be about another node than the one on the screen.
#[test]
fn keys_about_a_node_are_about_the_selected_one_and_say_which() {
    let at_the_leaf = |stage: &mut Stage| stage.facts(to_the_leaf());
    for (select, node) in [("", "deceptive"), ("<home>", "is_report"), ("<home>jj", "asks_for_value")] {
        for (key, line) in [("x", "x prompt of "), ("t", "x tokens of "), ("b", "break "), ("u", "until ")] {
            check(at_the_leaf, &format!("{select}{key}"), &[&format!("{line}{node}")]);
        }
        let mut stage = Stage::new(120, 40);
        at_the_leaf(&mut stage);
        for (key, line) in [("a", format!("set answer {node}=")), ("m", format!("note-at {node} "))] {
            stage.keys(&format!("{select}{key}"));
            let typed = stage.app.prompt.as_ref().map(|p| p.text().to_owned());
            assert_eq!(typed, Some(line));
            stage.keys("<esc><esc>");
        }
        stage.keys(&format!("{select}i"));
        assert_eq!(stage.app.overlay.as_ref().map(|o| o.title.clone()), Some(format!("node {node}")));
    }
    let mut stage = Stage::new(120, 40);
    stage.facts(to_the_leaf());
    stage.keys("<home>x");
    let found = crate::domain::Examination::Tokens(Vec::new());
    stage.facts(vec![Fact::Examined { walk: WalkId(1), node: name("is_report"), found }]);
    assert_eq!(stage.app.overlay.as_ref().map(|o| o.title.as_str()), Some("x prompt of is_report"));
}

#[test]
fn a_number_before_a_key_is_how_often_or_how_far() {
    check(|_| {}, "2s", &["step 2"]);
    check(|_| {}, "10]", &["sample 13"]);
    check(|_| {}, "999]", &["sample 30"]);
    check(|_| {}, "2[", &["sample 1"]);
    check(|_| {}, "10[", &["sample 1"]);
    check(|_| {}, "3<esc>]", &["next-sample"]);
    check(|_| {}, "0]", &["next-sample"]);
    check(|_| {}, "3c", &["continue"]);
    check(|_| {}, "3g", &["sample 3"]);
    let mut stage = Stage::new(120, 40);
    stage.keys("<home>3j");
    let third = stage.selected();
    stage.keys("<home>jjj");
    assert_eq!(stage.selected(), third);
}

#[test]
fn what_a_recording_refuses_is_refused_at_its_key_and_not_after_the_prompt() {
    use crate::command::{Has, Need};
    let mut stage = Stage::new(120, 40);
    stage.app.setup.recorded = true;
    stage.facts(to_the_leaf());
    let live: Vec<_> = crate::command::TABLE.iter().filter(|spec| spec.needs.contains(&Need::Live)).collect();
    let keys = live.iter().flat_map(|spec| spec.keys).filter(|key| key.prompt);
    let mut count = 0;
    for key in keys {
        stage.keys(key.key);
        let failure = crate::engine::Failure::missing(Need::Live, Has::default());
        assert!(stage.app.prompt.is_none(), "{}", key.key);
        assert!(status(&stage).starts_with(failure.complaint.message.raw()), "{}", status(&stage));
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn going_to_a_sample_offers_the_loaded_ones_whether_they_were_visited_or_not() {
    let mut stage = Stage::new(120, 40);
    let samples: Vec<_> =
        ["post-0003", "other-1", "post-0001"].map(|id| crate::domain::Sample { id: id.into(), ..sample() }).into();
    let offered = |stage: &mut Stage| {
        stage.keys("g");
        let prompt = stage.app.prompt.as_ref().expect("a prompt");
        let labels: Vec<String> = prompt.advice().candidates.iter().map(|c| c.label.clone()).collect();
        stage.keys("<esc>");
        labels
    };
    assert_eq!(offered(&mut stage), ["post-0003"], "a recording has those that were selected");
    stage.samples.set(&samples);
    assert_eq!(offered(&mut stage), ["post-0003", "other-1", "post-0001"]);
}

#[test]
fn slash_searches_in_every_pane_and_in_what_lies_over_them_and_n_goes_on() {
    for (pane, text) in [("", "recruits"), ("<tab>", "giveaway"), ("<tab><tab>", "quote"), ("<tab><tab><tab>", "spam")]
    {
        let mut stage = Stage::new(80, 24);
        stage.keys(&format!("{pane}/{text}<ret>"));
        let screen = stage.draw().backend().to_string();
        assert!(screen.contains(text) && screen.contains("match 1 of"), "{text}:\n{screen}");
        assert_eq!(stage.submitted(), Vec::<String>::new());
        stage.keys("nN<esc>n");
        assert_eq!(stage.submitted(), ["next"], "n is a command again after the search");
    }
    let mut stage = Stage::new(80, 24);
    stage.keys("?/breakpoint<ret>nn");
    let top = stage.app.overlay.as_ref().map(|o| o.top);
    assert!(top.is_some_and(|top| top > 0));
    stage.keys("N<esc><esc>");
    assert!(stage.app.overlay.is_none() && stage.app.search.is_none());
    stage.keys("/no such text<ret>");
    assert!(stage.draw().backend().to_string().contains("Nothing here holds"));
}

#[test]
fn z_gives_a_pane_the_whole_screen_and_takes_it_back() {
    let mut stage = Stage::new(120, 40);
    let before = stage.draw().backend().to_string();
    stage.keys("z");
    let alone = stage.draw().backend().to_string();
    assert!(!alone.contains("scamnet") && alone.contains("asks_for_value"), "{alone}");
    stage.keys("<tab><tab><tab>");
    assert!(stage.draw().backend().to_string().contains("scamnet"));
    stage.keys("<s-tab><s-tab><s-tab>z");
    assert_eq!(stage.draw().backend().to_string(), before);
}

#[test]
fn y_copies_what_is_on_the_screen_and_nothing_that_acts() {
    let copied = |keys: &str| {
        let mut stage = Stage::new(120, 40);
        stage.facts(to_the_leaf());
        stage.keys(keys);
        match stage.effects.pop() {
            Some(Effect::Copy(text)) => text,
            other => panic!("{keys}: {other:?}"),
        }
    };
    assert_eq!(copied("<home>jjy"), "┗━ no  0.94 ● asks_for_value     ✓gold");
    assert!(copied("<tab>y").starts_with("caption     Double your coins today!"));
    assert!(copied("<tab><tab>y").starts_with("Is the reason that the text gives"));
    assert!(copied("?y").contains("Tab"));
}

#[test]
fn y_says_how_much_of_a_long_text_was_copied() {
    for (text, told, copied) in [
        ("one\ntwo".to_owned(), "Copied 2 lines, where", 7),
        ("word ".repeat(4), "Copied 1 line, where", 19),
        (vec!["x".repeat(90); 2000].join("\n"), "Copied the first 540 of 2000 lines, where", 540 * 91 - 1),
    ] {
        let mut stage = Stage::new(120, 40);
        let mut sample = sample();
        sample.content = crate::domain::Content::Text(text.into());
        stage.facts(vec![Fact::WalkStarted { walk: WalkId(2), index: 3, sample, root: name("is_report") }]);
        stage.keys("<tab>zy");
        let Some(Effect::Copy(text)) = stage.effects.pop() else { panic!("nothing was copied") };
        assert_eq!(text.len(), copied);
        assert!(status(&stage).starts_with(told), "{}", status(&stage));
    }
}

#[test]
fn whatever_looks_at_the_session_has_the_policys_files_looked_at() {
    for line in ["where", "info policy", "print p", "help step"] {
        let mut stage = Stage::new(120, 40);
        stage.keys(&format!(":{line}<ret>"));
        assert_eq!(stage.effects.iter().filter(|e| **e == Effect::Look).count(), 1, "{line}");
        let mut stage = Stage::new(120, 40);
        stage.keys(":");
        stage.tell(Msg::Paste(format!("{line}\n")));
        assert_eq!(stage.effects.iter().filter(|e| **e == Effect::Look).count(), 1, "{line}, pasted");
    }
}

#[test]
fn the_mouse_selects_a_row_of_the_policy_and_scrolls_what_it_is_over() {
    use ratatui::crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let mouse = |kind, column, row| super::Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
    let mut stage = Stage::new(120, 40);
    stage.tell(mouse(MouseEventKind::Down(MouseButton::Left), 50, 3));
    assert_eq!((stage.app.focus, stage.selected()), (Pane::Sample, None));
    stage.tell(mouse(MouseEventKind::Down(MouseButton::Left), 10, 4));
    assert_eq!((stage.app.focus, stage.selected()), (Pane::Tree, Some(name("asks_for_value"))));
    let mut stage = Stage::new(80, 24);
    stage.facts(to_the_leaf());
    let node = stage.app.scroll.get(&Pane::Node).copied();
    stage.tell(mouse(MouseEventKind::ScrollUp, 50, 5));
    assert_ne!(stage.app.scroll.get(&Pane::Node).copied(), node);
    assert_eq!(stage.app.focus, Pane::Tree);
    stage.keys("?");
    stage.tell(mouse(MouseEventKind::ScrollDown, 50, 5));
    assert_eq!(stage.app.overlay.as_ref().map(|o| o.top), Some(3));
    for kind in [MouseEventKind::Moved, MouseEventKind::Up(MouseButton::Left), MouseEventKind::ScrollLeft] {
        stage.tell(mouse(kind, 200, 200));
    }
}

#[test]
fn on_a_screen_for_one_pane_every_pane_can_be_reached_and_below_that_only_quitting_acts() {
    for size in [(60, 15), (40, 12), (79, 50), (200, 12)] {
        let mut stage = Stage::new(size.0, size.1);
        for text in ["is_report", "caption", "Does the text", "scamnet", "walk 1"] {
            let screen = stage.draw().backend().to_string();
            assert!(screen.contains(text), "{text} at {size:?}:\n{screen}");
            stage.keys("<tab>");
        }
        stage.keys("s");
        assert_eq!(stage.submitted(), ["step"]);
    }
    for size in [(39, 12), (40, 11), (1, 1), (10, 3)] {
        let mut stage = Stage::new(size.0, size.1);
        stage.draw();
        stage.keys("sc]x:step<ret><tab>?/z<c-c>b");
        assert_eq!((stage.submitted(), stage.selected()), (Vec::new(), None), "{size:?}");
        assert!(stage.app.prompt.is_none() && stage.app.overlay.is_none() && !stage.app.zoomed);
        stage.keys("q");
        assert_eq!(stage.effects, [Effect::Quit]);
    }
    let screen = Stage::new(39, 12).draw().backend().to_string();
    assert!(screen.contains("39×12") && screen.contains("40×12"), "{screen}");
}

#[test]
fn a_frame_for_another_size_than_the_terminal_has_by_now_is_left_out() {
    for keys in ["", ":note x", "?", "z"] {
        let mut stage = Stage::new(120, 40);
        stage.keys(keys);
        for size in [(80, 24), (1, 1), (200, 60)] {
            let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(size.0, size.1)).unwrap();
            terminal.draw(|frame| super::frame::draw(&stage.app, stage.view(), frame)).unwrap();
        }
    }
}

#[test]
fn the_readme_lists_every_key() {
    let readme = include_str!("../../../../README.md");
    let view = keymap::VIEW_KEYS.iter().map(|(key, what)| format!("| `{key}` | {what} |\n"));
    let commands = keymap::commands().map(|(key, what, line)| format!("| `{key}` | {what} (`{line}`) |\n"));
    let table: String = view.chain(commands).collect();
    assert!(readme.contains(&table), "README.md has to hold:\n{table}");
}
