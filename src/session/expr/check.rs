//! Checks an expression before it is ever evaluated: every name in it, and every word that it compares with, must be
//! known.
//!
//! Must refuse only what can never hold or never mean anything: a name that gets its value later, or an answer of
//! another node, may appear in a condition.

use super::names::{FILTERS, Found, Kind, NAMES, Variable, Words, find};
use super::syntax::{BinOpKind, CompareOpKind, Expr, Machine, argument, children, path};
use super::vocabulary::{Moment, Vocabulary, member};
use crate::domain::Complaint;
use crate::text::alike::{alike, did_you_mean};
use crate::text::{Escaped, width};
use minijinja::Value;
use minijinja::value::ValueKind;

/// How many words a hint lists.
const MOST_LISTED: usize = 8;
/// The most cells of a word in a hint.
const MOST_SHOWN: usize = 80;
const ALL_NAMES: &str = "`help expressions` lists all names";

/// Checks a whole expression.
pub(super) fn check(expr: &Expr<'_>, machine: &Machine<'_>, at: &Vocabulary<'_>) -> Result<(), Complaint> {
    each(expr, &mut |part| node(part, machine, at), &mut |path| name(path, at).map(|_| ()))
}

/// Checks that every name is in the table, whether or not it has a value here.
pub(super) fn names_only(expr: &Expr<'_>) -> Result<(), Complaint> {
    let anywhere = Vocabulary { moment: Moment::Breakpoint, ..Vocabulary::default() };
    each(expr, &mut |_| Ok(()), &mut |path| name(path, &anywhere).map(|_| ()))
}

/// Goes through all parts from left to right, names being whole. A loop, since an expression can be nested some
/// thousand deep.
fn each(
    expr: &Expr<'_>,
    part: &mut dyn FnMut(&Expr<'_>) -> Result<(), Complaint>,
    named: &mut dyn FnMut(&[&str]) -> Result<(), Complaint>,
) -> Result<(), Complaint> {
    let mut waiting = vec![expr];
    while let Some(expr) = waiting.pop() {
        match path(expr) {
            Some(path) => named(&path)?,
            None => {
                part(expr)?;
                waiting.extend(children(expr).into_iter().rev());
            }
        }
    }
    Ok(())
}

/// Checks one part that is not a name, without its sub-expressions.
fn node(expr: &Expr<'_>, machine: &Machine<'_>, at: &Vocabulary<'_>) -> Result<(), Complaint> {
    match expr {
        Expr::Call(call) => {
            // An unknown name is the likelier mistake.
            if let Some(path) = path(&call.expr) {
                name(&path, at)?;
            }
            let hint = "there are filters instead, such as `sample.text | lower`: see `help expressions`";
            return Err(refusal("an expression cannot call functions".to_owned(), Some(hint.to_owned())));
        }
        Expr::Filter(filter) if !machine.has_filter(filter.name) => {
            let known = FILTERS.iter().filter_map(|(name, _)| name.split('(').next());
            let meant = did_you_mean(&alike(filter.name, known), code);
            let hint = told(meant, "`help expressions` lists the filters");
            return Err(refusal(format!("there is no filter `{}`", filter.name), Some(hint)));
        }
        Expr::Test(test) if matches!(test.name, "defined" | "undefined") => {
            let hint = "`is none` asks whether something is not known, `is not none` whether it is".to_owned();
            return Err(refusal(format!("`is {}` cannot be asked here", test.name), Some(hint)));
        }
        Expr::Test(test) if !machine.has_test(test.name) => {
            let meant =
                did_you_mean(&alike(test.name, ["none", "in", "odd", "even", "startingwith", "endingwith"]), code);
            let hint = told(meant, "compare with ==, !=, <, <=, >, >= or in");
            return Err(refusal(format!("there is no test `is {}`", test.name), Some(hint)));
        }
        Expr::Test(test) => {
            if test.name == "none"
                && let Some(path) = path(&test.expr).filter(|path| matches!(find(path), Found::Group))
            {
                return Err(whole_group(&path));
            }
            let of_test = [("eq", Op::Equal), ("equalto", Op::Equal), ("ne", Op::Equal), ("in", Op::In)];
            let op = of_test.iter().find(|(name, _)| *name == test.name).map(|(_, op)| *op);
            if let (Some(op), Some(other)) = (op, test.args.first()) {
                compare(&test.expr, op, argument(other), at)?;
            }
        }
        Expr::BinOp(op) => {
            if let Some(kind) = Op::of(op.op) {
                compare(&op.left, kind, &op.right, at)?;
            }
        }
        Expr::Compare(chain) => {
            let mut left = &chain.expr;
            for op in &chain.ops {
                compare(left, Op::of_chain(op.op), &op.expr, at)?;
                left = &op.expr;
            }
        }
        _ => {}
    }
    Ok(())
}

/// How two sides are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Equal,
    Order,
    In,
}

impl Op {
    fn of(op: BinOpKind) -> Option<Self> {
        Some(match op {
            BinOpKind::Eq | BinOpKind::Ne => Self::Equal,
            BinOpKind::Lt | BinOpKind::Lte | BinOpKind::Gt | BinOpKind::Gte => Self::Order,
            BinOpKind::In => Self::In,
            _ => return None,
        })
    }

    fn of_chain(op: CompareOpKind) -> Self {
        match op {
            CompareOpKind::Eq | CompareOpKind::Ne => Self::Equal,
            CompareOpKind::In | CompareOpKind::NotIn => Self::In,
            _ => Self::Order,
        }
    }
}

/// A name that is compared.
struct Named<'e> {
    path: Vec<&'e str>,
    /// `None` for the beginning of names, such as `p`.
    variable: Option<&'static Variable>,
}

impl Named<'_> {
    fn shown(&self) -> String {
        spelt(&self.path)
    }
}

/// A path as it can be typed.
fn spelt(path: &[&str]) -> String {
    let mut parts = path.iter();
    let first = parts.next().map(|part| (*part).to_owned()).unwrap_or_default();
    parts.fold(first, |name, part| member(&format!("{name}."), part))
}

/// Finds a name, or reports that there is none.
fn name<'e>(path: &[&'e str], at: &Vocabulary<'_>) -> Result<Named<'e>, Complaint> {
    let named = |variable| Named { path: path.to_vec(), variable };
    match find(path) {
        Found::Group => Ok(named(None)),
        Found::Further(variable) => {
            let whole: Vec<&str> = path.iter().take(variable.parts().count()).copied().collect();
            let hint = format!("it is {}", with_article(variable.kind));
            Err(refusal(format!("`{}` has no parts", spelt(&whole)), Some(hint)))
        }
        Found::Unknown(right) => Err(unknown(path, right, at)),
        Found::Name(variable) => {
            if !at.has(variable.since) {
                return Err(not_yet(variable, &spelt(path), at));
            }
            let (Some(keys), Some(key)) = (variable.keys, path.last()) else { return Ok(named(Some(variable))) };
            match at.words(keys, None) {
                Some(known) if !known.contains(key) => Err(unknown_key(variable, keys, key, &known, at)),
                _ => Ok(named(Some(variable))),
            }
        }
    }
}

fn unknown(path: &[&str], right: usize, at: &Vocabulary<'_>) -> Complaint {
    let (begun, wrong) = (path.get(..right).unwrap_or_default(), path.get(right).copied().unwrap_or_default());
    let mut options: Vec<&str> = Vec::new();
    for variable in NAMES.iter().filter(|variable| at.has(variable.since)) {
        let parts: Vec<&str> = variable.parts().collect();
        if parts.get(..right) == Some(begun) {
            options.extend(parts.get(right));
        }
    }
    let whole = |part: &str| {
        let path: Vec<&str> = begun.iter().copied().chain([part]).collect();
        format!("`{}`", spelt(&path))
    };
    let shown = path.get(..=right).unwrap_or(path);
    let message = format!("there is no `{}` here", spelt(shown));
    let is_word = [Words::Answer, Words::Outcome, Words::Leaf, Words::Node, Words::Label]
        .into_iter()
        .any(|words| at.words(words, None).is_some_and(|known| known.contains(&wrong)));
    if right == 0 && path.len() == 1 && is_word {
        return refusal(message, Some(format!("texts stand in quotes: {wrong:?}")));
    }
    let quotes = if path.len() == 1 { "; texts stand in quotes: \"yes\"" } else { "" };
    refusal(message, Some(told(did_you_mean(&alike(wrong, options), whole), &format!("{ALL_NAMES}{quotes}"))))
}

fn not_yet(variable: &Variable, shown: &str, at: &Vocabulary<'_>) -> Complaint {
    let (message, hint) = match at.moment {
        Moment::Sample => (
            format!("`{shown}` is not known before a sample is run"),
            "here stand gold, scores and what else is known of a sample beforehand: see `help expressions`",
        ),
        _ => (format!("`{shown}` is known in the condition of a breakpoint only"), "see `help expressions`"),
    };
    debug_assert!(!at.has(variable.since));
    refusal(message, Some(hint.to_owned()))
}

fn unknown_key(variable: &Variable, keys: Words, key: &str, known: &[&str], at: &Vocabulary<'_>) -> Complaint {
    let message = match (keys, at.node) {
        (Words::Answer, Some(node)) => format!("node `{}` has no answer `{key}`", node.id),
        (Words::Answer, None) => format!("no node of the policy has the answer `{key}`"),
        (Words::Node | Words::GoldNode, _) => format!("the policy has no node `{key}`"),
        (Words::Field, _) => format!("no loaded sample has a field `{key}`"),
        _ => format!("no loaded sample has a score `{key}`"),
    };
    let meant = did_you_mean(&alike(key, known.iter().copied()), |key| code(&member(variable.fixed(), key)));
    refusal(message, Some(told(meant, &listed("there are", known, |key| code(&member(variable.fixed(), key))))))
}

fn whole_group(path: &[&str]) -> Complaint {
    let root = spelt(path);
    let example = NAMES.iter().find(|variable| variable.name.starts_with(&format!("{root}.")));
    let hint = example.map(|v| format!("name the one that is meant: `{}`, as in `{}`", v.name, v.example));
    refusal(format!("`{root}` is several values"), hint)
}

/// Two sides of a comparison.
fn compare(left: &Expr<'_>, op: Op, right: &Expr<'_>, at: &Vocabulary<'_>) -> Result<(), Complaint> {
    let side = |expr| path(expr).map(|path| name(&path, at)).transpose();
    match (side(left)?, side(right)?) {
        (Some(one), Some(other)) if op != Op::In => {
            let kinds = (one.variable.map(|v| v.kind), other.variable.map(|v| v.kind));
            match kinds {
                (Some(a), Some(b)) if sort(a) != sort(b) => {
                    let (a, b) = (with_article(a), with_article(b));
                    let message = format!("`{}` is {a} and `{}` is {b}", one.shown(), other.shown());
                    Err(refusal(message, Some("only values of one kind can be compared".to_owned())))
                }
                (None, Some(_)) => Err(whole_group(&one.path)),
                (Some(_), None) => Err(whole_group(&other.path)),
                _ => Ok(()),
            }
        }
        (Some(named), None) => match right.as_const() {
            Some(value) if op == Op::In && matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) => {
                value.try_iter().into_iter().flatten().try_for_each(|item| equals(&named, &item, Op::Equal, at))
            }
            Some(_) if op == Op::In => Ok(()),
            Some(value) => equals(&named, &value, op, at),
            None => Ok(()),
        },
        (None, Some(named)) => match left.as_const() {
            Some(value) if op == Op::In => contains(&named, &value, at),
            Some(value) => equals(&named, &value, op, at),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// A name compared with a literal in the expression.
fn equals(named: &Named<'_>, value: &Value, op: Op, at: &Vocabulary<'_>) -> Result<(), Complaint> {
    let shown = named.shown();
    if value.is_none() {
        let hint = format!("ask `{shown} is none`: what is not known is equal to nothing");
        return Err(refusal(format!("`{shown}` cannot be compared with none"), Some(hint)));
    }
    let Some(variable) = named.variable else {
        // A whole list or map may be compared as it is.
        return if is_single(value) { Err(whole_group(&named.path)) } else { Ok(()) };
    };
    let fits = match sort(variable.kind) {
        Sort::Number => value.kind() == ValueKind::Number,
        Sort::Truth => value.kind() == ValueKind::Bool,
        Sort::Text => value.kind() == ValueKind::String,
        Sort::Several => !is_single(value),
    };
    if !fits {
        let message = format!("`{shown}` is {}, and {} is not", with_article(variable.kind), literal(value));
        return Err(refusal(message, hint_of_kind(variable, value, at)));
    }
    let (Kind::Word(words), Some(word), Op::Equal) = (variable.kind, value.as_str(), op) else { return Ok(()) };
    let key = variable.keys.and_then(|_| named.path.last()).copied();
    match at.words(words, key) {
        Some(known) if !known.contains(&word) => {
            let side = matches!((words, word), (Words::Cell, "tp" | "fp" | "fn" | "tn"));
            let meant = match side {
                true => Some("did you mean `confusion.llm` or `confusion.classifier`?".to_owned()),
                false => did_you_mean(&alike(word, known.iter().copied()), quoted),
            };
            let message = format!("`{shown}` is never {}", literal(value));
            Err(refusal(message, Some(told(meant, &listed("it can be", &known, quoted)))))
        }
        _ => Ok(()),
    }
}

/// `"yes" in p`, `"gift" in sample.text`, `"gap" in tags`.
fn contains(named: &Named<'_>, value: &Value, at: &Vocabulary<'_>) -> Result<(), Complaint> {
    let shown = named.shown();
    let Some(variable) = named.variable else {
        let begins = |v: &&Variable| v.keys.is_some() && v.fixed() == format!("{shown}.");
        let (Some(variable), Some(key)) = (NAMES.iter().find(begins), value.as_str()) else { return Ok(()) };
        let path: Vec<&str> = named.path.iter().copied().chain([key]).collect();
        return name(&path, at).map(|_| debug_assert!(variable.keys.is_some()));
    };
    match sort(variable.kind) {
        Sort::Number | Sort::Truth => {
            let message = format!("`{shown}` is {} and contains nothing", with_article(variable.kind));
            Err(refusal(message, Some("compare it with ==, !=, <, <=, > or >=".to_owned())))
        }
        Sort::Text | Sort::Several if value.kind() != ValueKind::String => {
            let message = format!("`{shown}` holds text, and {} is none", literal(value));
            Err(refusal(message, Some("texts stand in quotes: \"yes\"".to_owned())))
        }
        Sort::Text | Sort::Several => Ok(()),
    }
}

fn hint_of_kind(variable: &Variable, value: &Value, at: &Vocabulary<'_>) -> Option<String> {
    let words = match variable.kind {
        Kind::Word(words) => at.words(words, None),
        _ => None,
    };
    match (sort(variable.kind), words) {
        (_, Some(words)) => Some(listed("it can be", &words, quoted)),
        (Sort::Number, _) if value.kind() == ValueKind::String => {
            Some(format!("numbers stand without quotes, as in `{}`", variable.example))
        }
        _ => Some(format!("write it as in `{}`", variable.example)),
    }
}

/// Kinds that can be compared with each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Number,
    Truth,
    Text,
    Several,
}

const fn sort(kind: Kind) -> Sort {
    match kind {
        Kind::Number | Kind::Count => Sort::Number,
        Kind::Truth => Sort::Truth,
        Kind::Text | Kind::Word(_) => Sort::Text,
        Kind::Texts => Sort::Several,
    }
}

fn is_single(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Bool | ValueKind::Number | ValueKind::String)
}

fn with_article(kind: Kind) -> String {
    match kind {
        Kind::Number | Kind::Count | Kind::Text | Kind::Texts => format!("a {}", kind.describe()),
        Kind::Truth | Kind::Word(_) => kind.describe().to_owned(),
    }
}

/// A value as it is written in an expression.
fn literal(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("{text:?}"))
}

fn code(word: &str) -> String {
    format!("`{}`", shown(word))
}

fn quoted(word: &str) -> String {
    format!("\"{}\"", shown(word))
}

/// A word that is safe to show: ids of samples can be any text of any length.
fn shown(word: &str) -> String {
    width::truncate(Escaped::line(word).as_str(), MOST_SHOWN)
}

/// What it can be, as far as it fits.
fn listed(intro: &str, words: &[&str], shown: impl Fn(&str) -> String) -> String {
    let mut all: Vec<&str> = Vec::new();
    for word in words {
        if !all.contains(word) && all.len() <= MOST_LISTED {
            all.push(word);
        }
    }
    let more = if all.len() > MOST_LISTED { ", …" } else { "" };
    let list: Vec<String> = all.iter().take(MOST_LISTED).map(|word| shown(word)).collect();
    match list.as_slice() {
        [] => "there is none".to_owned(),
        list => format!("{intro} {}{more}", list.join(", ")),
    }
}

fn told(meant: Option<String>, otherwise: &str) -> String {
    meant.map_or_else(|| otherwise.to_owned(), |meant| format!("{meant} {otherwise}"))
}

fn refusal(message: String, hint: Option<String>) -> Complaint {
    Complaint { hint, ..Complaint::new(message) }
}
