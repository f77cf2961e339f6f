//! Expressions of breakpoint conditions, `print`, `display` and `next-sample where`: minijinja's expression language over
//! the values of a session.
//!
//! Must not be able to do anything but compute: no functions, no templates, bounded time and memory. The text of an
//! expression and the values it reads are untrusted.
//!
//! A value that is not known (no gold, no verdict yet, an answer this node does not have) is `none`, and a comparison that
//! had to read one is neither true nor false, whatever minijinja computed from it, unless it asks with `is none` or `is not
//! none`: an absent label must never count as a disagreement. `and`, `or` and `not` then follow three-valued logic
//! (`logic`), and a condition that is not known in the end does not hold.

mod context;
mod logic;
mod value;

pub use context::{Context, NAMES, SAMPLE_NAMES};
pub use value::Value;

use crate::text::Untrusted;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

/// The longest expression, in bytes.
const MAX_LENGTH: usize = 4096;
/// Bounds time and memory: about this many instructions or 64 times this many bytes.
const FUEL: u64 = 50_000;

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .message.escaped())]
pub struct ExprError {
    /// What is wrong.
    pub message: Untrusted,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What an expression came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// The value.
    pub value: Value,
    /// Names that were read and have no value at this point, such as `gold` or `p.maybe`.
    pub absent: Vec<Untrusted>,
    /// Whether a condition made of this expression holds.
    pub holds: bool,
}

/// Checks an expression without evaluating it: syntax, length, and that it uses known names only.
///
/// # Errors
/// Says what is wrong and what names there are.
pub fn check(source: &str) -> Result<(), ExprError> {
    compile(&environment(), source).map(|_| ())
}

/// Evaluates an expression.
///
/// # Errors
/// What [`check`] finds, and what shows only while evaluating: values of the wrong kind, too much work.
pub fn eval(source: &str, context: &Context) -> Result<Evaluated, ExprError> {
    let env = environment();
    let expression = compile(&env, source)?;
    let (root, absent) = context.root();
    let value = expression.eval(root).map_err(|e| explain(&e))?;
    let absent: Vec<Untrusted> = absent.take().into_iter().map(Untrusted::from).collect();
    let holds = match absent.is_empty() {
        true => value.is_true(),
        false => logic::truth(source, &mut |part| part_truth(&env, part, context))? == Some(true),
    };
    Ok(Evaluated { value: Value::of(&value), absent, holds })
}

/// What one part of a condition comes to; `None` where it had to read what is not known.
fn part_truth(env: &Environment<'static>, part: &str, context: &Context) -> Result<logic::Truth, ExprError> {
    let (root, absent) = context.root();
    let value = compile(env, part)?.eval(root);
    match value {
        _ if !absent.take().is_empty() && !asks_for_none(part) => Ok(None),
        Ok(value) => Ok(Some(value.is_true())),
        Err(error) => Err(explain(&error)),
    }
}

/// Whether a condition holds.
///
/// # Errors
/// Those of [`eval`].
pub fn holds(condition: &str, context: &Context) -> Result<bool, ExprError> {
    eval(condition, context).map(|e| e.holds)
}

fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(50);
    for name in ["range", "dict", "debug", "namespace"] {
        env.remove_global(name);
    }
    env
}

fn compile<'env>(
    env: &'env Environment<'static>,
    source: &str,
) -> Result<minijinja::Expression<'env, 'static>, ExprError> {
    if source.len() > MAX_LENGTH {
        return Err(ExprError {
            message: format!("an expression can have at most {MAX_LENGTH} bytes, this one has {}", source.len()).into(),
            hint: None,
        });
    }
    if source.trim().is_empty() {
        return Err(ExprError { message: "the expression is empty".into(), hint: Some(example()) });
    }
    let expression = env.compile_expression_owned(source.to_owned()).map_err(|e| explain(&e))?;
    let mut unknown: Vec<String> =
        expression.undeclared_variables(true).into_iter().filter(|path| !context::is_known(path)).collect();
    unknown.sort();
    match unknown.into_iter().next() {
        None => Ok(expression),
        Some(path) => Err(unknown_name(&path)),
    }
}

fn unknown_name(path: &str) -> ExprError {
    let (owner, known) = match path.split_once('.') {
        Some(("sample", _)) => ("sample.", context::SAMPLE_NAMES),
        _ => ("", NAMES),
    };
    let list: Vec<String> = known.iter().map(|name| format!("{owner}{name}")).collect();
    ExprError {
        message: format!("there is no `{path}` here").into(),
        hint: Some(format!("Names are {}. Texts stand in quotes: \"yes\".", list.join(", "))),
    }
}

fn explain(error: &minijinja::Error) -> ExprError {
    let detail = error.detail().unwrap_or_default();
    match error.kind() {
        ErrorKind::OutOfFuel => ExprError {
            message: "the expression takes too long or needs too much memory".into(),
            hint: Some("Keep conditions to comparisons of single values.".to_owned()),
        },
        ErrorKind::SyntaxError => {
            ExprError { message: format!("the expression cannot be read: {detail}").into(), hint: Some(example()) }
        }
        ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => {
            ExprError {
                message: format!("the expression uses something unknown: {detail}").into(),
                hint: Some("There are filters such as `length`, `lower` and `round`, and no functions.".to_owned()),
            }
        }
        kind => {
            let what = if detail.is_empty() { kind.to_string() } else { format!("{kind}: {detail}") };
            ExprError { message: format!("the expression cannot be computed: {what}").into(), hint: None }
        }
    }
}

fn example() -> String {
    "An expression looks like this: p.yes < 0.6 and answer == \"yes\"".to_owned()
}

/// Whether the expression itself asks if something is known.
fn asks_for_none(source: &str) -> bool {
    let words: Vec<&str> = source.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()).collect();
    words.windows(2).any(|w| matches!(w, ["is", "none" | "not"]))
}

#[cfg(test)]
mod tests;
