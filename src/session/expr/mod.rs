//! Expressions of breakpoint conditions, `print`, `display` and `next-sample where`: minijinja's expression language
//! over the values of a session.
//!
//! Must not be able to do anything but compute: no functions, no templates, bounded time and memory. The text of an
//! expression and the values it reads are untrusted.
//!
//! An unknown value (no gold, no verdict yet, an answer this node does not have) is `none`. A comparison that had to
//! read one is neither true nor false, whatever minijinja made of it, unless it asks `is none` or `is not none`: an
//! absent label must never count as a disagreement. `and`, `or` and `not` then follow three-valued logic (`logic`). A
//! condition whose value is unknown in the end does not hold.
//!
//! minijinja parses and computes (`syntax`). One table lists all names (`names`). A name or word that does not exist
//! where the expression is typed (`vocabulary`) is refused at once (`check`).

mod check;
mod context;
mod logic;
mod names;
mod syntax;
mod value;
mod vocabulary;

pub use context::Context;
pub use names::{FILTERS, Kind, NAMES, Since, Variable, Words};
pub use value::Value;
pub use vocabulary::{Moment, Vocabulary};

use crate::domain::Complaint;
use crate::text::Untrusted;
use syntax::{Expr, Machine};

/// The longest expression, in bytes.
const MAX_LENGTH: usize = 4096;
/// Bounds time and memory: about this many instructions or 64 times this many bytes.
const FUEL: u64 = 50_000;

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

/// Checks an expression without evaluating it: that it parses, and that all names and words in it are known.
///
/// # Errors
/// Says what is wrong, what was probably meant, and what is available.
pub fn check(source: &str, at: &Vocabulary<'_>) -> Result<(), Complaint> {
    check::check(&syntax::parse(source)?, &Machine::new(source), at)
}

/// Evaluates an expression.
///
/// # Errors
/// If it does not parse or uses unknown names, and for what shows only during evaluation: values of the wrong kind, too
/// much work.
pub fn eval(source: &str, context: &Context) -> Result<Evaluated, Complaint> {
    let expr = syntax::parse(source)?;
    // Whatever was checked when it was typed was checked then; in a session that is opened again, only that it can be
    // computed.
    check::names_only(&expr)?;
    let (root, absent) = context.root();
    let value = Machine::new(source).eval(&expr, root).map_err(|e| syntax::explain(&e))?;
    let absent: Vec<Untrusted> = absent.take().into_iter().map(Untrusted::from).collect();
    let holds = if absent.is_empty() { value.is_true() } else { truth(&mut Machine::new(source), &expr, context)? };
    Ok(Evaluated { value: Value::of(&value), absent, holds })
}

/// A condition that was read once, to be asked of many values.
pub struct Condition<'s> {
    expr: Expr<'s>,
    machine: Machine<'s>,
}

impl<'s> Condition<'s> {
    /// Parses it.
    ///
    /// # Errors
    /// If it does not parse or uses unknown names.
    pub fn read(source: &'s str) -> Result<Self, Complaint> {
        let expr = syntax::parse(source)?;
        check::names_only(&expr)?;
        Ok(Self { expr, machine: Machine::new(source) })
    }

    /// Whether it holds. Each time it may take as long as any expression.
    ///
    /// # Errors
    /// What shows only while evaluating; see [`eval`].
    pub fn holds(&mut self, context: &Context) -> Result<bool, Complaint> {
        self.machine.refuel();
        truth(&mut self.machine, &self.expr, context)
    }
}

/// The value of a condition. Each part between the connectives is evaluated by itself; one that had to read an unknown
/// value is neither true nor false.
fn truth(machine: &mut Machine<'_>, expr: &Expr<'_>, context: &Context) -> Result<bool, Complaint> {
    let truth = logic::truth(expr, &mut |part| {
        let (root, absent) = context.root();
        let value = machine.eval(part, root);
        let asked = logic::asked(part);
        let unknown = absent.take().into_iter().any(|name| !asked.contains(&name));
        match value {
            Err(error) if error.kind() == minijinja::ErrorKind::OutOfFuel => Err(syntax::explain(&error)),
            _ if unknown => Ok(None),
            Ok(value) => Ok(Some(value.is_true())),
            Err(error) => Err(syntax::explain(&error)),
        }
    })?;
    Ok(truth == Some(true))
}

#[cfg(test)]
mod tests;
