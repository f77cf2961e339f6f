//! The policy pane on trees with too many paths to enumerate, and on chains as long as the limits allow.

use super::Stage;
use super::fixture::{name, opening, record};
use crate::policy::{Policy, parse};
use crate::report::Basis;
use crate::session::{Fact, Policies, PolicyRecord, WalkId};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// A policy of yes-or-no nodes: id, where yes leads, where no leads. `end` is the leaf.
fn policy(nodes: &[(String, String, String)]) -> Policy {
    let mut text = String::from("[policy]\nid = \"p\"\nversion = \"1.0.0\"\ntitle = \"P\"\nroot = \"n0\"\n");
    let goal = |id: &str| if id == "end" { "leaf = \"end\"".to_owned() } else { format!("next = \"{id}\"") };
    for (id, yes, no) in nodes {
        let (yes, no) = (goal(yes), goal(no));
        writeln!(text, "[node.{id}]\nquestion = \"Is it {id}?\"\nanswers = {{ yes = {{ {yes} }}, no = {{ {no} }} }}")
            .unwrap();
    }
    text.push_str("[leaf.end]\noutcome = \"violating\"\nlabel = \"X1\"\n");
    let parsed = parse("p.toml", &text, &mut |_| Err(String::new()));
    parsed.policy.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
}

/// `count` diamonds in a row: 2 to the power of `count` paths.
fn diamonds(count: usize) -> Policy {
    let nodes = (0..count).flat_map(|i| {
        let below = if i + 1 == count { "end".to_owned() } else { format!("n{}", i + 1) };
        let (a, b) = (format!("a{i}"), format!("b{i}"));
        [(format!("n{i}"), a.clone(), b.clone()), (a, below.clone(), "end".to_owned()), (b, below, "end".to_owned())]
    });
    policy(&nodes.collect::<Vec<_>>())
}

fn chain(count: usize) -> Policy {
    let below = |i| if i + 1 == count { "end".to_owned() } else { format!("n{}", i + 1) };
    policy(&(0..count).map(|i| (format!("n{i}"), "end".to_owned(), below(i))).collect::<Vec<_>>())
}

fn stage(policy: Policy, width: u16, height: u16) -> Stage {
    let mut stage = Stage::empty(width, height);
    stage.policies = Policies::default();
    let record = PolicyRecord { id: name("p"), sha256: policy.sha256, ..record() };
    stage.policies.add(record.clone(), policy);
    let facts = opening().into_iter().map(|fact| match fact {
        Fact::PolicyLoaded(_) => Fact::PolicyLoaded(record.clone()),
        Fact::WalkStarted { walk, index, sample, .. } => Fact::WalkStarted { walk, index, sample, root: name("n0") },
        fact => fact,
    });
    stage.facts(facts.collect());
    stage
}

/// Looking at another walk of a recording adds no fact: nothing that is kept may be keyed by the number of facts alone.
#[test]
fn another_walk_of_a_recording_is_drawn_with_its_own_path() {
    let mut stage = Stage::new(120, 40);
    stage.facts(super::fixture::to_the_leaf());
    stage.facts(vec![Fact::WalkForked { walk: WalkId(2), from: WalkId(1), at: 0 }]);
    let row = |stage: &Stage, node: &str| {
        let screen = stage.draw().backend().to_string();
        screen.lines().find(|line| line.contains(node)).map(str::to_owned).expect("a row of the tree")
    };
    let looked_at = |stage: &mut Stage, walk| {
        stage.state.current = Some(WalkId(walk));
        stage.basis = Basis::of(&stage.state, &stage.policies);
    };
    for _ in 0..2 {
        looked_at(&mut stage, 1);
        assert!(row(&stage, "asks_for_value").contains("0.94 ● asks_for_value"), "{}", row(&stage, "asks_for_value"));
        looked_at(&mut stage, 2);
        assert!(row(&stage, "asks_for_value").contains("no  ○ asks_for_value"), "{}", row(&stage, "asks_for_value"));
    }
}

#[test]
fn a_frame_of_a_huge_tree_costs_what_is_on_the_screen() {
    for (policy, last) in [(diamonds(25), "b24"), (chain(2000), "n1999")] {
        let mut stage = stage(policy, 120, 40);
        stage.draw();
        let laid = || stage.app.laid(stage.view(), crate::frontend::tui::body::tree_width(&stage.app)).unwrap();
        let (first, again) = (laid(), laid());
        assert!(std::rc::Rc::ptr_eq(&first, &again), "the tree is laid out anew for every frame");
        stage.keys("<end>");
        assert!(stage.app.selected.is_some());
        stage.keys("<home><pgdn>");
        let fastest = (0..8).map(|_| {
            let start = Instant::now();
            stage.draw();
            start.elapsed()
        });
        let fastest = fastest.min().unwrap();
        // Not optimised and beside other tests; all paths of the diamonds would take hours.
        assert!(fastest < Duration::from_millis(16), "{last}: {fastest:?}");
    }
}

#[test]
fn every_node_can_be_selected_and_is_then_on_the_screen() {
    for (policy, places) in [(diamonds(4), 13), (chain(30), 31)] {
        let mut stage = stage(policy, 80, 24);
        let laid = stage.app.laid(stage.view(), crate::frontend::tui::body::tree_width(&stage.app)).unwrap();
        assert!(laid.len() > places, "leaves and shared nodes have several rows");
        let place = |stage: &Stage| laid.row(stage.app.selected.as_ref().expect("a row is selected")).expect("its row");
        stage.keys("<home>");
        let mut seen = std::collections::HashSet::new();
        for row in 0..laid.len() {
            let selected = stage.selected().expect("something is selected");
            let screen = stage.draw().backend().to_string();
            assert!(screen.contains(selected.as_str()), "{selected} is not on the screen:\n{screen}");
            assert_eq!(place(&stage), row);
            seen.insert(selected);
            stage.keys("j");
        }
        assert_eq!((place(&stage), seen.len()), (laid.len() - 1, places));
        for row in (0..laid.len()).rev() {
            assert_eq!(place(&stage), row);
            stage.keys("k");
        }
        stage.keys("<end>");
        assert_eq!(place(&stage), laid.len() - 1);
    }
}

/// The cells of the tree that are turned around, as text.
fn lit(stage: &Stage) -> Vec<String> {
    let terminal = stage.draw();
    let buffer = terminal.backend().buffer();
    let width = usize::from(buffer.area.width);
    let rows = buffer.content().chunks(width).map(|row| {
        let lit = row.iter().filter(|cell| cell.modifier.contains(ratatui::style::Modifier::REVERSED));
        lit.map(|cell| cell.symbol()).collect::<String>().trim().to_owned()
    });
    rows.filter(|row| !row.is_empty()).collect()
}

#[test]
fn one_row_is_lit_and_it_is_the_one_that_keys_act_on() {
    use super::fixture::to_the_leaf;
    let walk = to_the_leaf();
    for done in 0..=walk.len() {
        let mut stage = Stage::new(120, 40);
        stage.facts(walk[..done].to_vec());
        for keys in ["", "k", "j", "j", "<home>", "jjj", "<esc>", "<end>"] {
            stage.keys(keys);
            let (lit, selected) = (lit(&stage), stage.selected());
            assert_eq!(lit.len(), 1, "{done} {keys}: {lit:?}");
            if let Some(selected) = selected {
                assert!(lit[0].contains(selected.as_str()), "{done} {keys}: {lit:?} {selected}");
            }
            stage.keys("x");
            let line = stage.submitted().pop();
            stage.done();
            match line {
                Some(line) => {
                    let node = line.strip_prefix("x prompt of ").expect("the key of `x prompt`");
                    assert!(lit[0].contains(node), "{done} {keys}: {lit:?} {node}");
                }
                None => assert!(matches!(stage.app.target(), Some(crate::domain::Target::Leaf(_))), "{done} {keys}"),
            }
        }
    }
}

#[test]
fn at_a_leaf_keys_act_on_the_leaf_or_say_that_they_need_a_node() {
    let mut stage = Stage::new(120, 40);
    stage.facts(super::fixture::to_the_leaf());
    stage.keys("<home>j");
    assert_eq!(stage.selected(), Some(name("clean")));
    let screen = stage.draw().backend().to_string();
    assert!(screen.contains("Leaf clean · reached") && !screen.contains("Is the reason that"), "{screen}");
    for key in ["x", "t", "a", "m"] {
        stage.keys(key);
        let screen = stage.draw().backend().to_string();
        assert!(screen.contains("The leaf clean is selected; `"), "{key}:\n{screen}");
        assert!(stage.app.prompt.is_none() && stage.submitted().is_empty(), "{key}");
    }
    for (key, line) in [("b", "break clean"), ("u", "until clean")] {
        stage.keys(key);
        assert_eq!(stage.submitted(), [line]);
        stage.done();
    }
    stage.keys("i");
    let screen = stage.draw().backend().to_string();
    assert!(screen.contains("leaf clean") && screen.contains("□ non_violating"), "{screen}");
}

#[test]
fn the_path_is_drawn_as_one_line_from_the_root_to_where_the_walk_stands() {
    let mut stage = stage(diamonds(3), 120, 40);
    let step = |node: &str, answer: &str, to: &str| {
        let (no, yes) = if answer == "yes" { (0.1, 0.9) } else { (0.9, 0.1) };
        super::fixture::stepped(
            node,
            super::fixture::judgement(&[("yes", yes), ("no", no)], ""),
            crate::domain::Target::Node(name(to)),
        )
    };
    stage.facts(vec![step("n0", "no", "b0"), step("b0", "yes", "n1"), step("n1", "no", "b1")]);
    insta::assert_snapshot!(stage.draw().backend());
}

#[test]
fn what_stands_beside_a_node_shrinks_before_its_name_does() {
    use crate::domain::{BreakAt, Target};
    for width in (40..=130).chain([80, 120]) {
        let mut stage = stage(chain(6), width, 40);
        let mut sample = super::fixture::sample();
        sample.gold.path = (0..6).map(|i| (name(&format!("n{i}")), name("yes"))).collect();
        let walk = WalkId(2);
        stage.facts(vec![Fact::WalkStarted { walk, index: 3, sample, root: name("n0") }]);
        for i in 0..4 {
            let judgement = super::fixture::judgement(&[("yes", 0.1), ("no", 0.2)], "");
            let step = super::fixture::stepped(&format!("n{i}"), judgement, Target::Node(name(&format!("n{}", i + 1))));
            let Fact::Stepped { step, .. } = step else { panic!("{step:?}") };
            let step = Fact::Stepped { walk, step };
            let on = crate::session::Subject::Step(walk, i);
            let at = BreakAt::Place(name(&format!("n{i}")));
            let id = 10 + u32::try_from(i).unwrap();
            let b = crate::session::Breakpoint { id, at, condition: None, temporary: false, enabled: true, hits: 0 };
            stage.facts(vec![step, Fact::Noted { on, text: "x".into(), by: None }, Fact::BreakpointSet(b)]);
        }
        let screen = stage.draw().backend().to_string();
        for i in 0..4 {
            let whole = format!("● n{i} ");
            let row = screen.lines().find(|line| line.contains(&whole));
            let row = row.unwrap_or_else(|| panic!("the name n{i} is cut at {width}:\n{screen}"));
            assert!(row.contains('✗'), "{width}: {row}");
            assert!(width < 100 || (row.contains('◆') && row.contains('✎')), "{width}: {row}");
        }
        assert!(width < 120 || screen.contains("✗gold yes"), "{screen}");
    }
}

#[test]
fn an_answered_node_shows_examples_and_its_unsure_route_if_there_is_room() {
    let shown = |width, height| {
        let mut stage = Stage::new(width, height);
        stage.facts(super::fixture::to_the_leaf());
        let route = stage.draw().backend().to_string();
        stage.keys("<home>");
        (stage.draw().backend().to_string(), route)
    };
    let (examples, route) = shown(160, 60);
    assert!(examples.contains("e.g. My bank warned me") && examples.contains("The text offers coins"), "{examples}");
    assert!(route.contains("~ unsure, if the margin is below 0.15 → review"), "{route}");
    let (examples, _) = shown(80, 24);
    assert!(!examples.contains("e.g.") && examples.contains("The text offers coins"), "{examples}");
}
