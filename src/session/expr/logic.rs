//! `and`, `or`, `not` and `if` over unknown values: Kleene's three-valued logic on top of an expression language that
//! has only two truth values.
//!
//! Must leave everything between the connectives to minijinja.
//!
//! | `a` | `b` | `a and b` | `a or b` | `not a` |
//! |---|---|---|---|---|
//! | true | unknown | unknown | true | false |
//! | false | unknown | false | unknown | true |
//! | unknown | unknown | unknown | unknown | unknown |

use super::syntax::{BinOpKind, Expr, UnaryOpKind, children, path};
use crate::domain::Complaint;

/// True, false, or `None`: not known.
pub(super) type Truth = Option<bool>;

/// How a part between the connectives is evaluated.
type Part<'p> = dyn FnMut(&Expr<'_>) -> Result<Truth, Complaint> + 'p;

/// The truth value of a condition. `part` evaluates its parts between the connectives, from left to right and only as
/// far as needed. A chain of one connective is a loop; recursion is as deep as the parentheses, which minijinja limits
/// to 150.
pub(super) fn truth(expr: &Expr<'_>, part: &mut Part<'_>) -> Result<Truth, Complaint> {
    let (mut expr, mut negated) = (expr, false);
    while let Expr::UnaryOp(op) = expr
        && matches!(op.op, UnaryOpKind::Not)
    {
        (expr, negated) = (&op.expr, !negated);
    }
    let truth = match expr {
        Expr::BinOp(op) if connective(op.op).is_some() => chain(expr, connective(op.op) == Some(true), part)?,
        Expr::IfExpr(choice) => match (truth(&choice.test_expr, part)?, &choice.false_expr) {
            (Some(true), _) => truth(&choice.true_expr, part)?,
            (Some(false), Some(otherwise)) => truth(otherwise, part)?,
            (Some(false), None) => Some(false),
            (None, _) => None,
        },
        other => part(other)?,
    };
    Ok(truth.map(|known| known != negated))
}

/// The value of a part that decides the whole: true for `or`, false for `and`.
fn connective(op: BinOpKind) -> Option<bool> {
    match op {
        BinOpKind::ScOr => Some(true),
        BinOpKind::ScAnd => Some(false),
        _ => None,
    }
}

/// `a or b or c`, which minijinja reads as `(a or b) or c`, or the same with `and`.
fn chain(expr: &Expr<'_>, decides: bool, part: &mut Part<'_>) -> Result<Truth, Complaint> {
    let (mut left, mut operands) = (expr, Vec::new());
    while let Expr::BinOp(op) = left
        && connective(op.op) == Some(decides)
    {
        operands.push(&op.right);
        left = &op.left;
    }
    operands.push(left);
    let mut known = Some(!decides);
    for operand in operands.into_iter().rev() {
        match truth(operand, part)? {
            Some(value) if value == decides => return Ok(Some(decides)),
            Some(_) => {}
            None => known = None,
        }
    }
    Ok(known)
}

/// The names that a part itself tests for being known: `gold is none`.
pub(super) fn asked(expr: &Expr<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![(expr, false)];
    while let Some((expr, inside)) = waiting.pop() {
        let inside = inside || matches!(expr, Expr::Test(test) if test.name == "none");
        match path(expr) {
            Some(name) if inside => found.push(name.join(".")),
            _ => waiting.extend(children(expr).into_iter().map(|child| (child, inside))),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::syntax::parse;
    use super::*;

    /// `t`, `f` and `u` are true, false and unknown.
    fn of(source: &str) -> Truth {
        let expr = parse(source).expect("an expression");
        let mut part = |part: &Expr<'_>| {
            Ok(match path(part).as_deref() {
                Some(["t"]) => Some(true),
                Some(["f"]) => Some(false),
                Some(["u"]) => None,
                other => panic!("{source}: {other:?} is no part between connectives"),
            })
        };
        truth(&expr, &mut part).expect("no part fails")
    }

    #[test]
    fn the_tables_of_three_valued_logic() {
        for (source, expected) in [
            ("u or t", Some(true)),
            ("t or u", Some(true)),
            ("u or f", None),
            ("f or u", None),
            ("f and u", Some(false)),
            ("u and f", Some(false)),
            ("u and t", None),
            ("u or u", None),
            ("not u", None),
            ("not not u", None),
            ("not f", Some(true)),
            ("not t and t", Some(false)),
            ("not (u and f)", Some(true)),
            ("t or u and u", Some(true)),
            ("(t or u) and u", None),
            ("(u) or ((t))", Some(true)),
            ("u and (f or not t)", Some(false)),
            ("f or(t)and\nt", Some(true)),
            ("u if t else f", None),
            ("f if u else f", None),
            ("t if f or t else u", Some(true)),
            ("t if f", Some(false)),
        ] {
            assert_eq!(of(source), expected, "{source}");
        }
    }

    #[test]
    fn what_asks_whether_something_is_known_is_found_wherever_it_stands() {
        for (source, names) in [
            ("gold is none", &["gold"] as &[&str]),
            ("(p.yes is not none) == true", &["p.yes"]),
            ("gold_path['a b'] is none", &["gold_path.a b"]),
            ("(gold | upper) is none and p.no > 1", &["gold"]),
            ("gold == 'is none'", &[]),
        ] {
            assert_eq!(asked(&parse(source).expect("an expression")), names, "{source}");
        }
    }
}
