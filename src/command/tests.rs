//! Laws of the language: the table is consistent, every example parses, and a canonical line reads back as its command.

use super::arg::{ArgKind, ArgSpec, Value};
use super::spec::{Group, Scope, TABLE, by_name};
use super::*;
use crate::domain::{BreakAt, Name};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn parsed(line: &str) -> Command {
    parse(line).unwrap_or_else(|e| panic!("{line:?}: {e}")).expect("a command")
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a test name")
}

#[test]
fn no_two_commands_share_a_name_or_an_alias() {
    let mut seen = BTreeSet::new();
    let single = |s: &&CommandSpec| !s.name.contains(' ');
    for word in TABLE
        .iter()
        .copied()
        .filter(single)
        .map(|s| s.name)
        .chain(TABLE.iter().copied().flat_map(|s| s.aliases.iter().copied()))
    {
        assert!(seen.insert(word), "{word} twice");
    }
    for spec in TABLE.iter().copied().filter(|s| s.name.contains(' ')) {
        assert!(!seen.contains(resolve::head(spec)), "{} hides a command of one word", spec.name);
        assert!(seen.insert(spec.name), "{} twice", spec.name);
        assert!(spec.aliases.is_empty(), "{}: aliases are one word for one command", spec.name);
    }
}

#[test]
fn every_entry_has_summary_help_and_examples_that_parse_to_it() {
    for spec in TABLE.iter().copied() {
        assert!(!spec.summary.is_empty() && !spec.summary.ends_with('.'), "{}: summary", spec.name);
        assert!(spec.help.ends_with('.'), "{}: help is whole sentences", spec.name);
        assert!(!spec.examples.is_empty(), "{}: example", spec.name);
        for (line, what) in spec.examples {
            let command = parsed(line);
            assert_eq!(command.name(), spec.name, "{line}");
            assert!(!what.is_empty() && !what.ends_with('.'), "{line}: what it does");
        }
        for key in spec.keys {
            let line = key.line.replace("{node}", "some_node");
            assert!(line.starts_with(resolve::head(spec)), "{}: key {}", spec.name, key.key);
            assert!(key.prompt || parse(&line).is_ok(), "{}: key {} does not parse", spec.name, key.key);
            assert!(key.label.chars().count() <= 10, "{}: label of key {}", spec.name, key.key);
        }
        assert!(
            spec.args.iter().skip_while(|a| a.required).all(|a| !a.required),
            "{}: optional before required",
            spec.name
        );
        let rest = spec.args.iter().position(|a| a.kind.is_rest());
        assert!(rest.is_none_or(|i| i + 1 == spec.args.len()), "{}: something after the rest of the line", spec.name);
        assert!(Group::ALL.contains(&spec.group));
    }
}

#[test]
fn no_two_keys_mean_different_things() {
    let mut seen = BTreeSet::new();
    for key in TABLE.iter().copied().flat_map(|s| s.keys) {
        assert!(seen.insert(key.key), "key {} twice", key.key);
    }
}

#[test]
fn the_vocabulary_of_gdb_is_understood() {
    for (line, canonical) in [
        ("s", "step"),
        ("s 3", "step 3"),
        ("n", "next"),
        ("c", "continue"),
        ("fin", "finish"),
        ("u deceptive", "until deceptive"),
        ("rs", "back"),
        ("reverse-step 2", "back 2"),
        ("rn", "back"),
        ("rev", "back"),
        ("b deceptive", "break deceptive"),
        ("b deceptive if p.yes < 0.6 and verdict != gold", "break deceptive if p.yes < 0.6 and verdict != gold"),
        ("tb deceptive=yes", "tbreak deceptive=yes"),
        ("break intent=\"not sure\"", "break intent=\"not sure\""),
        ("break 'a b' = 'c d' if x", "break \"a b\"=\"c d\" if x"),
        ("break * if margin < 0.1 # no comment", "break * if margin < 0.1 # no comment"),
        ("b if if if", "break if if if"),
        ("cond 2", "condition 2"),
        ("condition 2 \"p.yes > 0.5\"", "condition 2 p.yes > 0.5"),
        ("d", "delete"),
        ("i b", "info breakpoints"),
        ("info b", "info breakpoints"),
        ("bt", "where"),
        ("l", "list"),
        ("p \"a\" in tags", "print \"a\" in tags"),
        ("x", "x prompt"),
        ("x/20", "x top 20"),
        ("x/5 top @7 of n", "x top 5 @7 of n"),
        ("x top", "x top 10"),
        ("x top @3", "x top 10 @3"),
        ("x top 4 of root", "x top 4 of root"),
        ("x tok of root", "x tokens of root"),
        ("x of root", "x prompt of root"),
        ("h", "help"),
        ("help load policy", "help load policy"),
        ("q", "quit"),
        ("lo p a.toml # comment", "load policy a.toml"),
        ("load model 'my models/a.gguf'", "load model \"my models/a.gguf\""),
        ("set a n = no", "set answer n=no"),
        ("set answer n= no", "set answer n=no"),
        ("set answer n =no", "set answer n=no"),
        ("set t scam=0.80", "set threshold scam=0.8"),
        ("sample 3", "sample 3"),
        ("sample \"3\"", "sample \"3\""),
        ("sample post-3", "sample post-3"),
        ("ns where gold == \"violating\"", "next-sample where gold == \"violating\""),
        ("mode rationale", "mode rationale 96"),
        ("mode d", "mode direct"),
        ("note it's # 5", "note it's # 5"),
        ("note \"a\\nb\"", "note \"a\\nb\""),
        ("note first\nsecond", "note \"first\\nsecond\""),
        ("  step  ", "step"),
    ] {
        assert_eq!(parsed(line).to_string(), canonical, "{line}");
    }
}

#[test]
fn a_line_with_nothing_to_do_is_no_command() {
    for line in ["", "   ", "# comment", "  # step"] {
        assert_eq!(parse(line), Ok(None), "{line:?}");
    }
}

/// Line, caret under the fault, message, hint: as a person sees them.
fn report(line: &str) -> String {
    let error = parse(line).expect_err(line);
    let before = line.get(..error.span.start).expect("a span on character boundaries").chars().count();
    let under = line.get(error.span.clone()).expect("a span inside the line").chars().count().max(1);
    let caret = format!("{}{}", " ".repeat(before), "^".repeat(under));
    format!("{line}\n{caret} {}\n  {}\n", error.message, error.hint.unwrap_or_default())
}

#[test]
fn errors_say_where_what_and_what_to_do() {
    let lines = [
        "stpe",
        "xyzzy",
        "t",
        "co",
        "load",
        "load polcy a",
        "load s",
        "set foo",
        "set answer",
        "set answer n",
        "set answer n=",
        "set threshold scam=high",
        "set threshold scam=inf",
        "break",
        "break a\u{301}!",
        "break n if",
        "step 0",
        "step x",
        "step 99999999999",
        "step 1 2",
        "sample 0",
        "sample",
        "info",
        "info s",
        "info brekpoints",
        "mode direct 5",
        "mode fast",
        "x prompt 5",
        "x top @",
        "x/0",
        "x/many",
        "x top 5 of",
        "load policy 'a",
        "load policy \"C:\\Users\"",
        "load policy \"\"",
        "note",
        "note \"\"",
        "note \"a\\qb\"",
        "tui now",
        "st\u{1b}[2J",
    ];
    let all: String = lines.iter().map(|l| report(l).replace('\u{1b}', "<ESC>")).collect();
    insta::assert_snapshot!(all);
}

#[test]
fn error_messages_hold_no_control_character_of_the_line() {
    for line in ["\u{1b}]0;x\u{7}", "info \u{1b}[2J", "step \u{9b}2J", "break a\u{202e}b", "set threshold a=\u{1b}c"] {
        let error = parse(line).expect_err(line);
        let text = format!("{} {}", error.message, error.hint.unwrap_or_default());
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
}

#[test]
fn what_changes_nothing_is_not_for_the_engine() {
    for (line, scope) in [
        ("step", Scope::Engine),
        ("x prompt", Scope::Engine),
        ("display margin", Scope::Engine),
        ("display", Scope::View),
        ("info display", Scope::View),
        ("where", Scope::View),
        ("print margin", Scope::View),
        ("quit", Scope::Frontend),
        ("source a.cmd", Scope::Frontend),
    ] {
        assert_eq!(parsed(line).spec().scope, scope, "{line}");
    }
}

#[test]
fn every_topic_of_info_has_its_own_word() {
    for (topic, word, _) in InfoTopic::ALL {
        assert_eq!((topic.as_str(), InfoTopic::from_word(word)), (word, Some(topic)));
    }
}

fn any_name() -> impl Strategy<Value = Name> {
    let odd = prop::sample::select(vec!["if", "of", "where", "not sure", "12", "a:b/c", "нет", "HS1.a+b", "-", "x/5"]);
    prop_oneof![
        odd.prop_map(name),
        "[a-z_]{1,8}".prop_map(|t| name(&t)),
        "[a-zé0-9]{1,4}( [a-z]{1,4}){0,2}".prop_map(|t| name(&t))
    ]
}

/// Text that is hard to keep on one line: quotes, `#`, white space, controls, escapes, any Unicode.
fn any_text() -> impl Strategy<Value = String> {
    let hard = prop::sample::select(vec![
        "\"",
        "'",
        "#",
        " ",
        "\n",
        "\r\n",
        "\t",
        "\\",
        "\\n",
        "\u{1b}[2J",
        "\u{202e}",
        "\u{2028}",
        "if",
        "=",
        "@3",
        "👨‍👩‍👧",
        "12",
        "\"a\" in b",
        "C:\\new",
    ]);
    let mixed = prop::collection::vec(prop_oneof![hard.prop_map(str::to_owned), any::<String>()], 1..5);
    mixed.prop_map(|parts| parts.concat()).prop_filter("an empty text is refused", |t| !t.is_empty())
}

fn any_count() -> impl Strategy<Value = u32> {
    prop_oneof![Just(1), 1..=u32::MAX]
}

/// A value that an argument of this kind can be read as, as hard to write down as possible.
fn any_value(arg: &ArgSpec) -> BoxedStrategy<Value> {
    match arg.kind {
        ArgKind::Node | ArgKind::Place | ArgKind::Tag => any_name().prop_map(Value::Name).boxed(),
        ArgKind::BreakPlace => prop_oneof![
            any_name().prop_map(BreakAt::Place),
            (any_name(), any_name()).prop_map(|(n, a)| BreakAt::Answer(n, a)),
            Just(BreakAt::Anywhere),
        ]
        .prop_map(Value::Break)
        .boxed(),
        ArgKind::NodeAnswer => (any_name(), any_name()).prop_map(|(n, a)| Value::Pair(n, a)).boxed(),
        ArgKind::ScoreValue => (any_name(), prop::num::f64::NORMAL | prop::num::f64::ZERO)
            .prop_map(|(n, v)| Value::Threshold(n, v))
            .boxed(),
        ArgKind::Sample => prop_oneof![
            (1..=usize::MAX).prop_map(SampleRef::Number),
            any_text().prop_map(SampleRef::Id),
            Just(SampleRef::Id(String::new())),
        ]
        .prop_map(Value::Sample)
        .boxed(),
        ArgKind::Breakpoint | ArgKind::Display | ArgKind::Walk | ArgKind::Count => {
            any_count().prop_map(Value::Number).boxed()
        }
        ArgKind::Position => any::<u32>().prop_map(Value::Number).boxed(),
        ArgKind::Enum(words) => prop::sample::select(words).prop_map(|word| Value::Word(word.0)).boxed(),
        ArgKind::Path | ArgKind::Model | ArgKind::Command | ArgKind::Expr(_) | ArgKind::FreeText => {
            any_text().prop_map(Value::Text).boxed()
        }
    }
}

/// Any command of the table: what its row builds from arguments of the right kinds.
fn any_command() -> impl Strategy<Value = Command> {
    prop::sample::select(TABLE).prop_flat_map(|spec| {
        let values: Vec<_> = spec
            .args
            .iter()
            .map(|arg| match arg.required {
                true => any_value(arg).prop_map(Some).boxed(),
                false => prop::option::of(any_value(arg)).boxed(),
            })
            .collect();
        // No line leaves out an argument and gives another one of the same kind.
        let gap = |values: &[Option<Value>]| {
            let kinds = spec.args.windows(2).zip(values.windows(2));
            kinds.filter(|(args, _)| args[0].kind == args[1].kind).any(|(_, v)| v[0].is_none() && v[1].is_some())
        };
        values.prop_filter_map("these arguments do not go together", move |values| {
            (!gap(&values)).then(|| (spec.build)(&mut values.into_iter()))?
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_canonical_line_reads_back_as_its_command(command in any_command()) {
        let line = command.to_string();
        prop_assert!(!line.chars().any(char::is_control), "{line:?}");
        prop_assert!(lex::continued(&line).is_none(), "{line:?} would swallow the next line of a script");
        prop_assert_eq!(parse(&line), Ok(Some(command)));
    }

    #[test]
    fn every_command_is_in_the_table(command in any_command()) {
        prop_assert_eq!(by_name(command.name()).map(|s| s.name), Some(command.spec().name));
    }

    #[test]
    fn no_line_makes_the_parser_panic_and_spans_lie_in_the_line(
        head in prop::sample::select(TABLE.iter().copied().map(|s| s.name).chain(["", "x/"]).collect::<Vec<_>>()),
        tail in any::<String>(),
    ) {
        let line = format!("{head}{tail}");
        if let Err(error) = parse(&line) {
            prop_assert!(line.get(error.span).is_some());
        }
    }
}
