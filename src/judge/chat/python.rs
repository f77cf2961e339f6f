//! What chat templates expect of Python and its Jinja2 and minijinja lacks: how values look as text and as JSON, the
//! operator `%`, and the date.
//!
//! Must tell a template nothing about this machine: the date is fixed. Everything written costs fuel.

use jiff::civil::{DateTime, date};
use jiff::fmt::strtime::{BrokenDownTime, Config};
use minijinja::value::{Kwargs, Tuple, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, Value, context, escape_formatter};
use serde_json::json;

/// How deep lists and maps may lie in each other.
pub(super) const DEPTH: usize = 32;

/// Adds it all to `environment`.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.set_formatter(show);
    environment.add_filter("tojson", to_json);
    environment.add_filter("string", string);
    environment
        .add_function("raise_exception", |message: &Value| -> Result<Value, Error> { Err(wrong(message.to_string())) });
    environment.add_function("strftime_now", |format: &str| today(format));
}

/// An error of the template itself.
pub(super) fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.into())
}

/// The date in every prompt, so that prompts do not depend on when they are made: the one that Llama 3.1's own template
/// falls back to. The time is midnight.
const fn day() -> DateTime {
    date(2024, 7, 26).at(0, 0, 0, 0)
}

/// `strftime` of C and Python, in the C locale and without a time zone.
fn today(format: &str) -> Result<String, Error> {
    let mut plain = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('c') => plain.push_str("%a %b %e %H:%M:%S %Y"),
            Some('x') => plain.push_str("%m/%d/%y"),
            Some('X') => plain.push_str("%H:%M:%S"),
            Some('f') => plain.push_str("000000"),
            Some('Z' | 'z') => {}
            Some(other) => plain.extend(['%', other]),
            None => plain.push_str("%%"),
        }
    }
    let config = Config::new().lenient(true);
    BrokenDownTime::from(day()).to_string_with_config(&config, &plain).map_err(|e| wrong(e.to_string()))
}

/// Writes a value as Python does: `True`, `None`, `['a', 1]`.
fn show(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::None | ValueKind::Bool | ValueKind::Seq | ValueKind::Map => {
            let mut text = Writer { state, text: String::new() };
            text.repr(value, 0)?;
            out.write_str(&text.text).map_err(Error::from)
        }
        _ => escape_formatter(out, state, value),
    }
}

/// Python's `str`.
fn string(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Map => {
            let mut text = Writer { state, text: String::new() };
            text.repr(value, 0)?;
            Ok(Value::from(text.text))
        }
        ValueKind::String => Ok(value.clone()),
        _ => Ok(Value::from(value.to_string())),
    }
}

/// Python's `%`: the remainder of numbers, or a text with values put into it.
pub(super) fn percent(state: &mut State<'_, '_>, left: Value, right: Value) -> Result<Value, Error> {
    if left.as_str().is_none() {
        return state.env().compile_expression("a % b")?.eval(context! { a => left, b => right });
    }
    let values = match right.downcast_object_ref::<Tuple>() {
        Some(several) => several.iter().cloned().collect(),
        None => vec![right],
    };
    let mut args = vec![left];
    for value in values {
        args.push(match value.kind() {
            ValueKind::None | ValueKind::Bool | ValueKind::Seq | ValueKind::Map => {
                let mut text = Writer { state, text: String::new() };
                text.repr(&value, 0)?;
                Value::from(text.text)
            }
            _ => value,
        });
    }
    state.apply_filter("format", &args)
}

/// Python's `json.dumps` as chat templates call it: nothing escaped for HTML, a space after `,` and `:`.
fn to_json(state: &State<'_, '_>, value: &Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<Value> = options.get("indent")?;
    let indent = match indent.filter(|indent| !indent.is_none()) {
        None => None,
        Some(indent) => match (indent.as_str(), indent.as_usize()) {
            (Some(text), _) => Some(text.to_owned()),
            (None, Some(n)) if n <= 64 => Some(" ".repeat(n)),
            _ => return Err(wrong("tojson: an indent that is no small number")),
        },
    };
    let separators: Option<Vec<String>> = options.get("separators")?;
    let [comma, colon] = match separators.as_deref() {
        Some([comma, colon]) => [comma.as_str(), colon.as_str()],
        _ => [if indent.is_some() { "," } else { ", " }, ": "],
    };
    let style = Json {
        ascii: options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
        sorted: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
        indent: indent.as_deref(),
        comma,
        colon,
    };
    options.assert_all_used()?;
    let mut out = Writer { state, text: String::new() };
    out.json(value, &style, 0)?;
    Ok(Value::from(out.text))
}

struct Json<'a> {
    ascii: bool,
    sorted: bool,
    indent: Option<&'a str>,
    comma: &'a str,
    colon: &'a str,
}

/// Text in the making, paid for out of the template's fuel.
pub(super) struct Writer<'s, 'a, 'b> {
    pub(super) state: &'s State<'a, 'b>,
    pub(super) text: String,
}

impl Writer<'_, '_, '_> {
    pub(super) fn push(&mut self, text: &str) -> Result<(), Error> {
        self.state.consume_fuel(1 + text.len() as u64 / 64)?;
        self.text.push_str(text);
        Ok(())
    }

    fn deeper(depth: usize) -> Result<usize, Error> {
        if depth < DEPTH { Ok(depth + 1) } else { Err(wrong("lists and maps lie too deep in each other")) }
    }

    /// Python's `repr`.
    fn repr(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        match value.kind() {
            ValueKind::None => self.push("None"),
            ValueKind::Bool => self.push(if value.is_true() { "True" } else { "False" }),
            ValueKind::String => self.push(&quoted(value.as_str().unwrap_or_default())),
            ValueKind::Map => {
                let depth = Self::deeper(depth)?;
                self.push("{")?;
                for (n, key) in value.try_iter()?.enumerate() {
                    self.push(if n > 0 { ", " } else { "" })?;
                    self.repr(&key, depth)?;
                    self.push(": ")?;
                    self.repr(&value.get_item(&key)?, depth)?;
                }
                self.push("}")
            }
            ValueKind::Seq => {
                let depth = Self::deeper(depth)?;
                let tuple = value.downcast_object_ref::<Tuple>().is_some();
                self.push(if tuple { "(" } else { "[" })?;
                let mut count = 0;
                for item in value.try_iter()? {
                    self.push(if count > 0 { ", " } else { "" })?;
                    self.repr(&item, depth)?;
                    count += 1;
                }
                self.push(match tuple {
                    true if count == 1 => ",)",
                    true => ")",
                    false => "]",
                })
            }
            _ => self.push(&value.to_string()),
        }
    }

    fn json(&mut self, value: &Value, style: &Json<'_>, depth: usize) -> Result<(), Error> {
        match value.kind() {
            ValueKind::None => self.push("null"),
            ValueKind::Bool => self.push(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.push(&value.to_string()),
            ValueKind::String => self.json_string(value.as_str().unwrap_or_default(), style),
            ValueKind::Map => {
                let depth = Self::deeper(depth)?;
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if style.sorted {
                    keys.sort();
                }
                self.push("{")?;
                for (n, key) in keys.iter().enumerate() {
                    self.gap(n, style, depth)?;
                    self.json_string(&key.to_string(), style)?;
                    self.push(style.colon)?;
                    self.json(&value.get_item(key)?, style, depth)?;
                }
                self.end(keys.len(), style, depth, "}")
            }
            ValueKind::Seq | ValueKind::Iterable => {
                let depth = Self::deeper(depth)?;
                self.push("[")?;
                let mut count = 0;
                for item in value.try_iter()? {
                    self.gap(count, style, depth)?;
                    self.json(&item, style, depth)?;
                    count += 1;
                }
                self.end(count, style, depth, "]")
            }
            other => Err(wrong(format!("tojson: a value of the kind {other}"))),
        }
    }

    /// The text before item number `n`.
    fn gap(&mut self, n: usize, style: &Json<'_>, depth: usize) -> Result<(), Error> {
        if n > 0 {
            self.push(style.comma)?;
        }
        self.line(style, depth)
    }

    fn end(&mut self, count: usize, style: &Json<'_>, depth: usize, bracket: &str) -> Result<(), Error> {
        if count > 0 {
            self.line(style, depth - 1)?;
        }
        self.push(bracket)
    }

    fn line(&mut self, style: &Json<'_>, depth: usize) -> Result<(), Error> {
        let Some(indent) = style.indent else { return Ok(()) };
        self.push("\n")?;
        (0..depth).try_for_each(|_| self.push(indent))
    }

    fn json_string(&mut self, text: &str, style: &Json<'_>) -> Result<(), Error> {
        let quoted = json!(text).to_string();
        if !style.ascii {
            return self.push(&quoted);
        }
        let mut ascii = String::with_capacity(quoted.len());
        for c in quoted.chars() {
            match c {
                '\0'..='\x7f' => ascii.push(c),
                _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}"))),
            }
        }
        self.push(&ascii)
    }
}

/// A string as Python writes it inside a list.
fn quoted(text: &str) -> String {
    let mark = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(mark);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == mark => out.extend(['\\', c]),
            '\0'..='\x1f' | '\x7f' => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push(mark);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_follows_every_directive_of_strftime() {
        // As Python's datetime(2024, 7, 26).strftime gives them.
        for (format, text) in [
            ("%d %b %Y", "26 Jul 2024"),
            ("%Y-%m-%d", "2024-07-26"),
            ("%A, %-d %B %Y", "Friday, 26 July 2024"),
            ("%a %e %j %y %m/%d %%", "Fri 26 208 24 07/26 %"),
            ("%H:%M:%S %p %I %-I %-H", "00:00:00 AM 12 12 0"),
            ("%U %W %V %G %u %w %C", "29 30 30 2024 5 5 20"),
            ("%D %F %T %R %h", "07/26/24 2024-07-26 00:00:00 00:00 Jul"),
            ("%-m/%-d/%y", "7/26/24"),
            ("%c|%x|%X|%f|%Z%z", "Fri Jul 26 00:00:00 2024|07/26/24|00:00:00|000000|"),
            ("%n%t", "\n\t"),
            ("no day", "no day"),
            ("", ""),
            ("5%", "5%"),
        ] {
            assert_eq!(today(format).expect(format), text, "{format:?}");
        }
        // Python passes a width on to the C library; here it is an error, or bounded.
        assert!(today("%100000000d").map_or(0, |text| text.len()) < 1000);
    }
}
