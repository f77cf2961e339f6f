//! A compiled chat template whose values are bounded: none may grow larger than a real template needs, however it is
//! made.
//!
//! minijinja charges fuel for instructions and for what they write, but not for what a value *unfolds* to. `x = [x,
//! x]`, forty times, is small in memory but explodes as text or in a comparison; a deeply nested list exhausts the
//! stack when it is dropped; and a list times a number is not materialised until somebody iterates over it. So every
//! instruction that leaves a value on the stack is followed by one that weighs it.
//!
//! Must not run anything before the whole template is compiled and guarded.

use super::python::{self, DEPTH};
use minijinja::machinery::{self, CodeGenerator, Instruction, Instructions, Token};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, Value};
use std::collections::BTreeMap;

/// The most that a value may weigh: one unit is an item or 64 bytes of text, so this is 4,096 items or 256 KiB.
const WEIGHT: u64 = 4096;
/// Limits on tokens in one tag and on `elif` branches in the template. The compiler recurses once for each; the longest
/// tags of real templates have about a hundred tokens.
const TOKENS: usize = 2000;
const BRANCHES: usize = 500;

/// Names that no template can write, since they are no words.
const WEIGH: &str = "weigh!";
const KEEP: &str = "keep!";
const PERCENT: &str = "percent!";

/// A compiled template.
pub(super) struct Program<'a> {
    main: Instructions<'a>,
    blocks: BTreeMap<&'a str, Instructions<'a>>,
}

impl<'a> Program<'a> {
    pub(super) fn compile(source: &'a str, syntax: SyntaxConfig) -> Result<Self, Error> {
        check_tokens(source, syntax.clone())?;
        let tree = machinery::parse(source, "chat", syntax)?;
        let mut generator = CodeGenerator::new("chat", source);
        generator.compile_stmt(&tree);
        let (main, blocks) = generator.finish();
        let blocks = blocks.into_iter().map(|(name, block)| Ok((name, guarded(&block)?))).collect::<Result<_, Error>>();
        Ok(Self { main: guarded(&main)?, blocks: blocks? })
    }

    /// What the template writes over the variables in `root`.
    pub(super) fn run(&self, environment: &Environment<'a>, root: Value) -> Result<String, Error> {
        let mut text = String::new();
        let mut output = machinery::make_string_output(&mut text);
        machinery::eval(environment, &self.main, root, &self.blocks, &mut output, AutoEscape::None)?;
        drop(output);
        Ok(text)
    }
}

/// Adds to `environment` what the added instructions call, and takes from it what shows everything there is.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter(WEIGH, weighed);
    environment.add_filter(KEEP, |state: &State<'_, '_>, value: Value| {
        Scale { state, weight: 0 }.put(&value, 1)?;
        Ok(value)
    });
    environment.add_filter(PERCENT, python::percent);
    environment.remove_global("debug");
}

/// Refuses what would exhaust the compiler's stack, or make it compute without limit.
fn check_tokens(source: &str, syntax: SyntaxConfig) -> Result<(), Error> {
    let wrong = |what: &str| Error::new(ErrorKind::SyntaxError, what.to_owned());
    let (mut tokens, mut branches) = (0, 0);
    let (mut list, mut times) = (false, false);
    // Whether a value came last: then `[` picks an item and `*` multiplies, else they begin a list and spread one.
    let mut after_value = false;
    for token in machinery::tokenize(source, false, syntax) {
        let (token, _) = token?;
        match token {
            Token::VariableStart | Token::BlockStart => {
                (tokens, list, times) = (0, false, false);
            }
            Token::Ident("elif") => branches += 1,
            Token::BracketOpen => list |= !after_value,
            Token::Mul => times |= after_value,
            _ => {}
        }
        tokens += 1;
        if tokens > TOKENS {
            return Err(wrong("a tag is too long"));
        }
        if branches > BRANCHES {
            return Err(wrong("too many branches"));
        }
        // The compiler computes constants, and a list times a number has no limit there.
        if list && times {
            return Err(wrong("a list and a multiplication in one tag are not supported"));
        }
        after_value = match token {
            Token::Ident(word) => !matches!(word, "in" | "not" | "and" | "or" | "if" | "else" | "is" | "return"),
            Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Int128(_) | Token::Float(_) => true,
            Token::BracketClose | Token::ParenClose | Token::BraceClose => true,
            _ => false,
        };
    }
    Ok(())
}

/// The same instructions, with a check after every one that leaves a value.
fn guarded<'a>(from: &Instructions<'a>) -> Result<Instructions<'a>, Error> {
    let all: Vec<&Instruction<'a>> = (0..).map_while(|at| from.get(at)).collect();
    let mut starts = Vec::with_capacity(all.len());
    let mut end = 0;
    for instruction in &all {
        starts.push(end);
        end += instructions_for(instruction, |to| to)?.len() as u32;
    }
    let moved = |to: u32| starts.get(to as usize).copied().unwrap_or(end);
    let mut out = Instructions::new(from.name(), from.source());
    for (at, instruction) in (0..).zip(all) {
        for instruction in instructions_for(instruction, moved)? {
            match (from.get_span(at), from.get_line(at)) {
                (Some(span), _) => out.add_with_span(instruction, span),
                (None, Some(line)) => out.add_with_line(instruction, u16::try_from(line).unwrap_or(u16::MAX)),
                (None, None) => out.add(instruction),
            };
        }
    }
    Ok(out)
}

/// The replacement of an instruction; `moved` maps the old target of a jump to the new one.
fn instructions_for<'a>(
    instruction: &Instruction<'a>,
    moved: impl Fn(u32) -> u32,
) -> Result<Vec<Instruction<'a>>, Error> {
    /// Not among the filters that the machine remembers by number.
    const BY_NAME: u8 = u8::MAX;
    let call = |name, count| Instruction::ApplyFilter(name, Some(count), BY_NAME);
    Ok(match instruction {
        Instruction::Jump(to) => vec![Instruction::Jump(moved(*to))],
        Instruction::JumpIfFalse(to) => vec![Instruction::JumpIfFalse(moved(*to))],
        Instruction::JumpIfFalseOrPop(to) => vec![Instruction::JumpIfFalseOrPop(moved(*to))],
        Instruction::JumpIfTrueOrPop(to) => vec![Instruction::JumpIfTrueOrPop(moved(*to))],
        Instruction::Iterate(to) => vec![Instruction::Iterate(moved(*to))],
        Instruction::BuildMacro(name, body, flags) => vec![Instruction::BuildMacro(name, moved(*body), *flags)],
        // Without an argument it divides by zero.
        Instruction::CallMethod("cycle", None | Some(0 | 1)) => {
            return Err(Error::new(ErrorKind::InvalidOperation, "cycle without arguments"));
        }
        // A namespace that holds itself could be neither walked through nor given back.
        Instruction::SetAttr(_) => vec![Instruction::Swap, call(KEEP, 1), Instruction::Swap, instruction.clone()],
        Instruction::Rem => vec![call(PERCENT, 2), call(WEIGH, 1)],
        // Named arguments are an object too, and a filter would take them for its own.
        Instruction::LoadConst(value) if value.as_object().is_none() || Kwargs::try_from(value.clone()).is_ok() => {
            vec![instruction.clone()]
        }
        Instruction::Lookup(_)
        | Instruction::LoadConst(_)
        | Instruction::GetAttr(_)
        | Instruction::GetItem
        | Instruction::Slice
        | Instruction::BuildMap(_)
        | Instruction::BuildList(_)
        | Instruction::BuildTuple(_)
        | Instruction::Add
        | Instruction::Mul
        | Instruction::StringConcat
        | Instruction::EndCapture
        | Instruction::ApplyFilter(..)
        | Instruction::CallFunction(..)
        | Instruction::CallMethod(..)
        | Instruction::CallObject(_) => vec![instruction.clone(), call(WEIGH, 1)],
        _ => vec![instruction.clone()],
    })
}

/// The value, if it is not too heavy, and paid for. A list that is made while somebody walks through it is made now.
fn weighed(state: &State<'_, '_>, value: Value) -> Result<Value, Error> {
    Scale { state, weight: 0 }.put(&value, 0)?;
    if value.kind() != ValueKind::Iterable {
        return Ok(value);
    }
    value.try_iter()?.checked().collect::<Result<Vec<Value>, Error>>().map(Value::from)
}

struct Scale<'s, 'a, 'b> {
    state: &'s State<'a, 'b>,
    weight: u64,
}

impl Scale<'_, '_, '_> {
    fn put(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        let bytes = value.as_str().map_or(0, str::len).max(value.as_bytes().map_or(0, <[u8]>::len));
        let weight = 1 + bytes as u64 / 64;
        self.weight += weight;
        if self.weight > WEIGHT || depth > DEPTH {
            return Err(Error::new(ErrorKind::OutOfFuel, "a value is too large"));
        }
        // Paid for one by one, also what is in a list or a map: a template has to pay for this walk, and for those of
        // the comparison or the filter that the value goes to. minijinja itself charges for a text that stands alone.
        if depth > 0 {
            self.state.consume_fuel(weight)?;
        }
        let Some(object) = value.as_object() else { return Ok(()) };
        match value.kind() {
            ValueKind::Map if depth > 0 && object.type_name().ends_with("::Namespace") => {
                return Err(Error::new(ErrorKind::InvalidOperation, "a namespace inside of another value"));
            }
            ValueKind::Map => {
                for key in value.try_iter()? {
                    self.put(&key, depth + 1)?;
                    self.put(&value.get_item(&key)?, depth + 1)?;
                }
            }
            ValueKind::Seq | ValueKind::Iterable => {
                for item in value.try_iter()?.checked() {
                    self.put(&item?, depth + 1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::ChatError;
    use super::super::sandbox::{self, Content, Sandbox};

    fn run(template: &str) -> Result<(), ChatError> {
        let template = format!("{template}{{{{ messages[0].content }}}}");
        sandbox::apart(|| Sandbox::new(&template, String::new(), String::new())?.render(false, Content::Text)).map(drop)
    }

    /// What a template can do with two values that unfold to 2^40 items each.
    const USES: [&str; 32] = [
        "n.x",
        "n.x[:]",
        "n.x[::-1]",
        "n.x ~ ''",
        "'' ~ n.x[0][0]",
        "n.x | string",
        "n.x[:] | string",
        "n.x in 'abc'",
        "n.x not in ['a', n.y]",
        "n.x == n.y",
        "n.x < n.y < n.x",
        "n.x is eq(n.y)",
        "n.x is in(n.y)",
        "n.x | join(',')",
        "','.join(n.x)",
        "n.x | upper",
        "n.x | replace('a', 'b')",
        "n.x | list",
        "[n.x, n.y] | sort",
        "[n.x, n.y] | unique | list",
        "[n.x, n.y] | max",
        "[n.x] | map('string') | list",
        "['a'] | select('in', n.x[:]) | list",
        "[{'a': n.x}, {'a': n.y}] | groupby('a') | list",
        "n.x | batch(1) | list",
        "{n.x: 1}",
        "{'a': n.x}.items()",
        "n.x | pprint",
        "n.x | tojson",
        "n.x + n.y",
        "'%s' % n.x",
        "raise_exception(n.x)",
    ];

    #[test]
    fn values_that_unfold_without_end_run_out_of_fuel_whatever_is_done_with_them() {
        let pairs = ["[@, @]", "(@, @)", "{'a': @, 'b': @}", "[@][:] + [@]", "[@] | list + [@]", "[@, @] | list"];
        for (pair, uses) in pairs.into_iter().zip([USES.len(), 6, 6, 6, 6, 6]) {
            let (x, y) = (pair.replace('@', "n.x"), pair.replace('@', "n.y"));
            for show in USES.into_iter().take(uses) {
                let error = run(&format!(
                    "{{% set n = namespace(x=['a'], y=['a']) %}}{{% for i in range(40) %}}{{% set n.x = {x} %}}\
                     {{% set n.y = {y} %}}{{% endfor %}}{{{{ {show} }}}}"
                ));
                assert!(matches!(error, Err(ChatError::Fuel)), "{pair}, {show}: {error:?}");
            }
        }
    }

    /// Templates that took the machine's memory, its time or its stack, in other ways.
    const OTHERS: [&str; 29] = [
        "{% set a = ['a'] %}{% set a = a * 100000 %}{{ a ~ '' }}",
        "{% set a = ['a'] %}{% set b = [a] %}{% set a = a * 4000 %}{% set b = b * 4000 %}{{ b == [a] }}",
        "{{ ([['a'] * 100000] * 100000) ~ '' }}",
        "{{ 'x' in 100000 * [100000 * ['a']] }}",
        "{{ ([['a'] * 100000] * 100000) == ([['a'] * 100000] * 100000) }}",
        "{% macro m(x, i) %}{% if i %}{{ m([x, x], i - 1) }}{% else %}{{ x ~ '' }}{% endif %}{% endmacro %}{{ m(['a'], 40) }}",
        "{% set n = namespace(x=['a'], y=['a']) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}\
         {% endfor %}{% for q in [n.x, n.y] %}{{ loop.changed(q) }}{% endfor %}",
        "{% set n = namespace(x=[]) %}{% for i in range(9000) %}{% set n.x = [n.x] %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}{% for i in range(9000) %}{% set n.x = n.x[:] %}{% endfor %}{{ n.x ~ '' }}",
        "{% set n = namespace(x=[1]) %}{% for i in range(9000) %}{% set n.x = n.x + [1] %}{% endfor %}{{ n.x ~ '' }}",
        "{% set n = namespace(x=[1]) %}{% for i in range(9000) %}{% set n.x = n.x * 1 %}{% endfor %}{{ n.x ~ '' }}",
        "{% set n = namespace() %}{% set n.x = n %}{{ n }}",
        "{% set n = namespace() %}{% set n.x = n %}{{ n ~ '' }}",
        "{% set n = namespace() %}{% set n.x = [n] %}{{ n.x == n.x }}",
        "{% set n = namespace() %}{% set n.x = n %}",
        "{% for q in [1] %}{{ loop.cycle() }}{% endfor %}",
        "{% for q in [1] %}{{ loop.cycle(*[]) }}{% endfor %}",
        "{{ debug() }}",
        "{{ ('b'*1000000).join(['']) }}",
        "{{ [1] | batch(1000000000, 'x') | list }}",
        "{{ [1] | slice(1000000000, 'x') | list }}",
        "{{ ('a\n'*100000) | indent(100000) }}",
        "{{ ('a '*5000000).split(' ') }}",
        "{{ ('a '*5000000) | split(' ') | list }}",
        "{{ ('a'*10000000) | list }}",
        "{{ '%.2000000000f' | format(1.5) }}",
        "{{ 10**100000 }}",
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    ];

    #[test]
    fn no_template_takes_the_memory_the_stack_or_the_time_of_the_machine() {
        for template in OTHERS {
            let error = run(template);
            assert!(matches!(error, Err(ChatError::Fuel | ChatError::Render(_))), "{template}: {error:?}");
        }
        // The deepest trees that are let through to the compiler, and the first that are not.
        for (before, unit, per_unit, after) in [
            ("{{ 1", "+1", 2, " }}"),
            ("{{ a", "~a", 2, " }}"),
            ("{{ a", ".b", 2, " }}"),
            ("{{ a", "|e", 2, " }}"),
            ("{{ a", "()", 2, " }}"),
            ("{{ a", "[0]", 3, " }}"),
            ("{{ 1", " if a else 1", 4, " }}"),
            ("{{ ", "not ", 1, "a }}"),
            ("{{ ", "-", 1, "a }}"),
            ("{{ a", " and a", 2, " }}"),
            ("{{ a", " is b", 2, " }}"),
            ("{{ a", "**a", 2, " }}"),
            ("{{ []", "+[1]", 4, " }}"),
        ] {
            let deep = |tokens: usize| run(&[before, &unit.repeat(tokens / per_unit), after].concat());
            let too_long = |e: &ChatError| e.to_string().contains("a tag is too long");
            assert!(!deep(super::TOKENS - 10).is_err_and(|e| too_long(&e)), "{unit}");
            assert!(deep(super::TOKENS + 10).is_err_and(|e| too_long(&e)), "{unit}");
        }
        let branches = |count: usize| run(&["{% if a %}", &"{% elif a %}".repeat(count), "{% endif %}"].concat());
        assert!(branches(super::BRANCHES).is_ok() && branches(super::BRANCHES + 1).is_err());
        let nested = "{% if a %}".repeat(140) + &"{% elif a %}".repeat(super::BRANCHES) + &"{% endif %}".repeat(140);
        assert!(run(&nested).is_ok());
    }

    /// All of the above in a separate process, to measure its peak memory.
    #[cfg(target_os = "linux")]
    #[test]
    fn hostile_templates_hold_less_than_64_megabytes() {
        let peak = || -> u64 {
            let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
            line.trim().trim_end_matches(" kB").parse().expect("a number")
        };
        if std::env::args().any(|arg| arg == "--test-threads=1") && std::env::args().any(|arg| arg == "--exact") {
            let before = peak();
            values_that_unfold_without_end_run_out_of_fuel_whatever_is_done_with_them();
            no_template_takes_the_memory_the_stack_or_the_time_of_the_machine();
            let used = peak() - before;
            assert!(used < 64 << 10, "{used} kB");
            return;
        }
        let name = "judge::chat::bounded::tests::hostile_templates_hold_less_than_64_megabytes";
        let child = std::process::Command::new(std::env::current_exe().expect("a path"))
            .args([name, "--exact", "--test-threads=1"])
            .output()
            .expect("this program starts");
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    }
}
