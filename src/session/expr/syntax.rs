//! The syntax tree of an expression, from minijinja's own parser, and the evaluation of any part of it.
//!
//! Must be the only file that depends on minijinja's internals: the syntax tree is exposed without a promise of
//! stability, which is why Cargo.toml pins the version.

use super::{FUEL, MAX_LENGTH};
use crate::domain::Complaint;
use minijinja::machinery::{self, CodeGenerator};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};

pub(super) use minijinja::machinery::ast::{BinOpKind, CallArg, CompareOpKind, Expr, UnaryOpKind};

/// Fuel charged for a part whose evaluation failed, if minijinja does not report how much it used.
const COST_OF_A_FAILURE: u64 = 500;

/// Parses an expression.
///
/// # Errors
/// If it is empty, too long, or not an expression.
pub(super) fn parse(source: &str) -> Result<Expr<'_>, Complaint> {
    if source.len() > MAX_LENGTH {
        let len = source.len();
        return Err(Complaint::new(format!("an expression can have at most {MAX_LENGTH} bytes, this one has {len}")));
    }
    if source.trim().is_empty() {
        return Err(Complaint::new("the expression is empty").hinted(EXAMPLE));
    }
    machinery::parse_expr(source).map_err(|e| explain(&e))
}

/// The name that a part is, taken apart: `p.yes` and `p["yes"]` are `p`, `yes`.
pub(super) fn path<'e>(expr: &'e Expr<'_>) -> Option<Vec<&'e str>> {
    let mut parts = Vec::new();
    let mut at = expr;
    loop {
        at = match at {
            Expr::Var(var) => {
                parts.push(var.id);
                parts.reverse();
                return Some(parts);
            }
            Expr::GetAttr(attr) => {
                parts.push(attr.name);
                &attr.expr
            }
            Expr::GetItem(item) => {
                let Expr::Const(key) = &item.subscript_expr else { return None };
                parts.push(key.value.as_str()?);
                &item.expr
            }
            _ => return None,
        };
    }
}

/// The parts of a part, from left to right.
pub(super) fn children<'e, 'a>(expr: &'e Expr<'a>) -> Vec<&'e Expr<'a>> {
    let of_args = |args: &'e [CallArg<'a>]| -> Vec<&'e Expr<'a>> { args.iter().map(argument).collect() };
    match expr {
        Expr::Var(_) | Expr::Const(_) => Vec::new(),
        Expr::Slice(s) => {
            [Some(&s.expr), s.start.as_ref(), s.stop.as_ref(), s.step.as_ref()].into_iter().flatten().collect()
        }
        Expr::UnaryOp(op) => vec![&op.expr],
        Expr::BinOp(op) => vec![&op.left, &op.right],
        Expr::Compare(c) => std::iter::once(&c.expr).chain(c.ops.iter().map(|op| &op.expr)).collect(),
        Expr::IfExpr(i) => [&i.test_expr, &i.true_expr].into_iter().chain(i.false_expr.as_ref()).collect(),
        Expr::Filter(f) => f.expr.iter().chain(of_args(&f.args)).collect(),
        Expr::Test(t) => std::iter::once(&t.expr).chain(of_args(&t.args)).collect(),
        Expr::GetAttr(a) => vec![&a.expr],
        Expr::GetItem(i) => vec![&i.expr, &i.subscript_expr],
        Expr::Call(c) => std::iter::once(&c.expr).chain(of_args(&c.args)).collect(),
        Expr::List(l) => l.items.iter().collect(),
        Expr::Tuple(t) => t.items.iter().collect(),
        Expr::Map(m) => m.keys.iter().chain(&m.values).collect(),
    }
}

/// The value of an argument, however it is passed.
pub(super) fn argument<'e, 'a>(arg: &'e CallArg<'a>) -> &'e Expr<'a> {
    match arg {
        CallArg::Pos(expr) | CallArg::Kwarg(_, expr) | CallArg::PosSplat(expr) | CallArg::KwargSplat(expr) => expr,
    }
}

/// Evaluates parts of one expression, all of them within one allowance of time and memory.
pub(super) struct Machine<'s> {
    env: Environment<'static>,
    source: &'s str,
    fuel: u64,
}

impl<'s> Machine<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_recursion_limit(50);
        for name in ["range", "dict", "debug", "namespace"] {
            env.remove_global(name);
        }
        Self { env, source, fuel: FUEL }
    }

    /// Restores the full allowance of fuel for the next evaluation.
    pub(super) fn refuel(&mut self) {
        self.fuel = FUEL;
    }

    /// The value of a part over the names in `root`.
    pub(super) fn eval(&mut self, part: &Expr<'_>, root: Value) -> Result<Value, Error> {
        let mut generator = CodeGenerator::new("<expression>", self.source);
        generator.compile_expr(part);
        let (instructions, blocks) = generator.finish();
        self.env.set_fuel(Some(self.fuel));
        let mut nowhere = String::new();
        let mut output = machinery::make_string_output(&mut nowhere);
        let done = machinery::eval(&self.env, &instructions, root, &blocks, &mut output, AutoEscape::None);
        let (value, left) = match done {
            Ok((value, state)) => (Ok(value.unwrap_or_default()), state.fuel_levels().map_or(0, |(_, left)| left)),
            Err(error) => (Err(error), self.fuel.saturating_sub(COST_OF_A_FAILURE)),
        };
        self.fuel = left;
        value
    }

    /// Whether there is a filter of this name.
    pub(super) fn has_filter(&self, name: &str) -> bool {
        self.has("name is filter", name)
    }

    /// Whether there is a test of this name.
    pub(super) fn has_test(&self, name: &str) -> bool {
        self.has("name is test", name)
    }

    fn has(&self, question: &'static str, name: &str) -> bool {
        let asked = self.env.compile_expression(question).and_then(|q| q.eval(minijinja::context! { name }));
        asked.is_ok_and(|known| known.is_true())
    }
}

/// An error of minijinja in our words.
pub(super) fn explain(error: &Error) -> Complaint {
    let detail = error.detail().unwrap_or_default();
    match error.kind() {
        ErrorKind::OutOfFuel => Complaint::new("the expression takes too long or needs too much memory")
            .hinted("keep conditions to comparisons of single values"),
        ErrorKind::SyntaxError => Complaint::new(format!("the expression cannot be read: {detail}")).hinted(EXAMPLE),
        ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => {
            Complaint::new(format!("the expression uses something unknown: {detail}"))
                .hinted("there are filters such as `length`, `lower` and `round`, and no functions")
        }
        kind => {
            let what = if detail.is_empty() { kind.to_string() } else { format!("{kind}: {detail}") };
            Complaint::new(format!("the expression cannot be computed: {what}"))
        }
    }
}

const EXAMPLE: &str =
    "an expression looks like this: p.yes < 0.6 and answer == \"yes\"; `help expressions` lists all names";
