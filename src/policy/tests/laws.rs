//! Laws of parsing over arbitrary and mutated policies, and behaviour at the limits.
//!
//! Must not depend on wording; the broken policies do that.

use super::{good, parse_alone, summary};
use crate::policy::*;
use proptest::prelude::*;
use std::fmt::Write as _;

/// What holds for every text: parsing ends, positions lie inside the files, and there is a policy exactly if there is
/// no error.
fn holds(text: &str) {
    let parsed = parse_alone(text);
    assert_eq!(
        parsed.policy.is_none(),
        parsed.errors().next().is_some(),
        "a policy if and only if there is no error: {text:?}"
    );
    for d in &parsed.diagnostics {
        for place in std::iter::once(&d.place).chain(d.related.iter().map(|(_, p)| p)) {
            let text = parsed.files[place.file].text.raw();
            assert!(text.get(place.span.clone()).is_some(), "{} at {:?} in {text:?}", d.code, place.span);
            assert!(place.line >= 1 && place.col >= 1);
        }
    }
    let Some(policy) = parsed.policy else { return };
    assert!(policy.node(policy.root.as_str()).is_some());
    for node in &policy.nodes {
        assert!((2..=8).contains(&node.answers.len()), "{}", node.id);
        for target in node.answers.iter().map(|(_, t)| t).chain(node.unsure.as_ref().map(|u| &u.target)) {
            let id = target.id().as_str();
            assert_ne!(policy.node(id).is_some(), policy.leaf(id).is_some(), "{id} is one of node and leaf");
        }
    }
    for format in GraphFormat::ALL {
        let drawn = graph::render(&policy, format);
        assert!(drawn.chars().all(|c| c == '\n' || !crate::text::is_hidden(c)), "{drawn:?}");
    }
}

/// Pieces that a policy is made of, and that break one.
const PIECES: &[&str] = &[
    "[policy]",
    "[[term]]",
    "[node.exempt]",
    "[node.x.answers]",
    "[leaf.clean]",
    "[include.a]",
    "path = \"../x\"",
    "]",
    "[",
    "{",
    "}",
    "\"",
    "\"\"\"",
    "'",
    "=",
    ",",
    "\n",
    "yes",
    "no",
    "next",
    "leaf",
    "answers",
    "examples = [",
    "question = \"?\"",
    "0",
    "-1",
    "1e999",
    "nan",
    "2026-02-30",
    "true",
    "[[",
    "]]",
    "[[fake giveaway]]",
    "\\u0000",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
    "é",
    "🦀",
    "#",
    "exempt",
    "asks_to_pay",
    "clean",
    "allow = [\"P121\"]",
    "severity = 99999999999999999999",
    ".",
    "x.y.z = 1",
    "\r",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        holds(&text);
    }

    #[test]
    fn any_pile_of_pieces_is_survived(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        holds(&pieces.concat());
    }

    #[test]
    fn any_mutation_of_a_good_policy_is_survived(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, prop::sample::select(PIECES)), 1..6),
    ) {
        let mut text: Vec<char> = good().chars().collect();
        for (at, cut, piece) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + cut).min(text.len());
            text.splice(at..end, piece.chars());
        }
        holds(&text.into_iter().collect::<String>());
    }

    #[test]
    fn a_good_policy_with_lines_in_any_order_is_survived(seed in any::<u64>()) {
        let text = good();
        let mut lines: Vec<&str> = text.lines().collect();
        let mut state = seed;
        for i in (1..lines.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            lines.swap(i, (state >> 33) as usize % (i + 1));
        }
        holds(&lines.join("\n"));
    }
}

#[test]
fn the_hash_of_a_node_changes_with_what_the_model_reads_there_and_with_nothing_else() {
    let hashes = |text: &str| {
        let policy = parse_alone(text).policy.expect("the policy is good");
        ["exempt", "asks_to_pay"].map(|id| policy.node(id).unwrap().hash)
    };
    let text = good().replace("Postage and fees", "For a [[fake giveaway]], postage and fees");
    let before = hashes(&text);
    // What is replaced, by what, and whether the first and the second node are changed by it.
    let cases = [
        ("Is the post news", "Is this post news", [true, false]),
        ("answer = \"yes\" },", "answer = \"yes\", why = \"Fees.\" },", [false, true]),
        ("has to be paid for first", "has to be paid for", [false, true]),
        ("no = { leaf = \"clean\" }", "no = { leaf = \"review\" }", [false, false]),
        ("margin = 0.15", "margin = 0.2", [false, false]),
        ("1.0.0", "1.0.1", [false, false]),
        ("severity = 3", "severity = 4", [false, false]),
        ("Read the whole post", "Read all of it", [false, false]),
    ];
    for (from, to, changed) in cases {
        assert!(text.contains(from), "{from}");
        let after = hashes(&text.replace(from, to));
        assert_eq!([before[0] != after[0], before[1] != after[1]], changed, "{from} → {to}");
    }
    let swapped = text.replace(
        "yes = { leaf = \"remove\" }\nno = { leaf = \"clean\" }",
        "no = { leaf = \"clean\" }\nyes = { leaf = \"remove\" }",
    );
    assert_ne!(hashes(&swapped)[1], before[1], "the order of answers is part of what the model reads");
}

#[test]
fn an_include_without_a_path_is_an_error_however_little_else_there_is() {
    for head in
        ["", "[policy]\nroot = \"a\"\n", "[policy]\nid = \"a\"\nversion = \"1.0.0\"\ntitle = \"A\"\nroot = \"a\"\n"]
    {
        let text = format!("{head}[include.a]#'examples = [");
        holds(&text);
        assert!(summary(&parse_alone(&text)).contains("P073"), "{text:?}");
    }
}

/// A policy whose nodes form one chain, each with a second answer to a leaf.
fn chain(nodes: usize) -> String {
    let mut text = String::from(
        "[policy]\nid = \"chain\"\nversion = \"1.0.0\"\ntitle = \"Chain\"\nroot = \"n0\"\ninstructions = \"Read.\"\n\
         [leaf.clean]\noutcome = \"non_violating\"\n[leaf.review]\noutcome = \"escalate\"\n\
         [leaf.remove]\noutcome = \"violating\"\nlabel = \"A1\"\nseverity = 1\naction = \"remove\"\n",
    );
    for i in 0..nodes {
        let next = if i + 1 < nodes { format!("next = \"n{}\"", i + 1) } else { "leaf = \"remove\"".to_owned() };
        write!(
            text,
            "[node.n{i}]\nquestion = \"Is the news of day {i} what the text is about?\"\nguidance = [\"Today is not day {i}.\"]\n\
             examples = [{{ text = \"Day {i}.\", answer = \"yes\" }}, {{ text = \"Night {i}.\", answer = \"no\" }}]\n\
             answers = {{ yes = {{ leaf = \"clean\" }}, no = {{ {next} }} }}\nunsure = {{ margin = 0.1, leaf = \"review\" }}\n"
        )
        .unwrap();
    }
    text
}

#[test]
fn a_chain_as_long_as_allowed_is_parsed_and_drawn_without_recursion() {
    let parsed = parse_alone(&chain(limits::NODES));
    assert_eq!(summary(&parsed), "");
    let policy = parsed.policy.unwrap();
    let drawn = graph::render(&policy, GraphFormat::Text);
    assert_eq!(drawn.matches("↓ see below").count(), (limits::NODES - 1) / 16, "deep trees go on in blocks");
    assert!(drawn.len() < 4 << 20, "the drawing grows with the tree, not with its square: {}", drawn.len());
    cost::layouts(&policy, 100.0);
}

#[test]
fn five_hundred_nodes_are_clean_and_their_drawing_holds_each_once() {
    let parsed = parse_alone(&chain(500));
    assert_eq!(summary(&parsed), "");
    let drawn = graph::render(&parsed.policy.unwrap(), GraphFormat::Dot);
    assert_eq!(drawn.matches("Is the news of").count(), 500);
}

#[test]
fn a_hostile_chain_is_refused_and_a_hostile_circle_is_found() {
    let mut text = String::from("[policy]\nid = \"a\"\nversion = \"1.0.0\"\ntitle = \"A\"\nroot = \"n0\"\n");
    for i in 0..100_000 {
        writeln!(text, "[node.n{i}]\nquestion = \"?\"\nanswers = {{ y.next = \"n{}\", n.leaf = \"c\" }}", i + 1)
            .unwrap();
    }
    assert!(text.len() < limits::FILE_BYTES);
    let parsed = parse_alone(&text);
    assert!(parsed.policy.is_none());
    assert!(summary(&parsed).contains("P003"), "{}", summary(&parsed));
    let circle = chain(limits::NODES).replace("no = { leaf = \"remove\" }", "no = { next = \"n0\" }");
    assert!(summary(&parse_alone(&circle)).starts_with("P050"));
}

#[test]
fn a_file_beyond_the_limit_is_refused_unread() {
    let text = format!("{}#{}", good(), "x".repeat(limits::FILE_BYTES));
    assert_eq!(summary(&parse_alone(&text)), "P003 1:1\n");
}

#[test]
fn faults_without_number_are_cut_off() {
    for line in ["= 1\n", "a = 1\n", "[node.a]\n", "[[node.a]]\n", "[node.a.answers]\nyes = {}\n", "x = [[[[[[[[[[\n"] {
        let parsed = parse_alone(&line.repeat(20_000));
        assert!(parsed.policy.is_none());
        assert!(
            !parsed.diagnostics.is_empty() && parsed.diagnostics.len() <= 500,
            "{line}: {}",
            parsed.diagnostics.len()
        );
    }
    let unknown: String =
        (0..9_000).map(|i| format!("[node.n{i}.answers]\nyes.next = \"u{i}\"\nno.next = \"v{i}\"\n")).collect();
    assert_eq!(parse_alone(&unknown).diagnostics.len(), 500);
}

#[test]
fn a_byte_order_mark_and_carriage_returns_do_not_shift_places() {
    let text = good().replace("version = \"1.0.0\"", "version = \"1\"");
    let dos = text.replace('\n', "\r\n");
    for text in [text.clone(), dos.clone(), format!("\u{feff}{text}")] {
        assert_eq!(summary(&parse_alone(&text)), "P010 4:11\n");
    }
    assert_eq!(summary(&parse_alone(&good().replace('\n', "\r\n"))), "");
}
