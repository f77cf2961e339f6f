//! What chat templates expect of Python and its Jinja2 and minijinja lacks: how values look as text and as JSON, string
//! methods, and the date.
//!
//! Must tell a template nothing about this machine: the date is fixed. Everything written costs fuel.

use super::bounded::DEPTH;
use jiff::civil::{DateTime, date};
use jiff::fmt::strtime::{BrokenDownTime, Config};
use minijinja::value::{Kwargs, Tuple, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, Output, State, Value, context, escape_formatter};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde_json::json;

/// Adds it all to `environment`.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.set_formatter(show);
    environment.set_unknown_method_callback(method);
    environment.add_filter("tojson", to_json);
    environment.add_filter("string", string);
    environment
        .add_function("raise_exception", |message: &Value| -> Result<Value, Error> { Err(wrong(message.to_string())) });
    environment.add_function("strftime_now", |format: &str| today(format));
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.into())
}

/// The date in every prompt, so that prompts do not depend on when they are made: the one that Llama 3.1's own template
/// falls back to. The time is midnight.
const fn day() -> DateTime {
    date(2024, 7, 26).at(0, 0, 0, 0)
}

/// `strftime` of C and Python. What goes by the locale is as in the locale C; there is no time zone.
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
struct Writer<'s, 'a, 'b> {
    state: &'s State<'a, 'b>,
    text: String,
}

impl Writer<'_, '_, '_> {
    fn push(&mut self, text: &str) -> Result<(), Error> {
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

    /// What stands before the item with the number `n`.
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

/// Pays for that many bytes before they are there.
fn pay(state: &State<'_, '_>, bytes: usize) -> Result<(), Error> {
    state.consume_fuel(1 + bytes as u64 / 64)
}

/// What `text` lacks to be `width` characters long.
fn padding(state: &State<'_, '_>, text: &str, width: i64, fill: char) -> Result<String, Error> {
    let width = usize::try_from(width.max(0)).unwrap_or(usize::MAX);
    let missing = width.saturating_sub(text.chars().count());
    pay(state, missing.saturating_mul(fill.len_utf8()))?;
    Ok(fill.to_string().repeat(missing))
}

/// Whether the text of a `format` asks for more than 999 characters, or has one field in another.
fn too_wide(text: &str) -> bool {
    let (mut depth, mut digits) = (0, 0);
    text.replace("{{", "").replace("}}", "").chars().any(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        digits = if depth > 0 && c.is_ascii_digit() { digits + 1 } else { 0 };
        depth > 1 || digits > 3
    })
}

/// Python's `casefold` of one letter: Unicode's full case folding.
fn casefold(c: char) -> String {
    match c {
        'ı' => "ı".to_owned(),
        // Cherokee folds to its older letters, the capital ones.
        '\u{13a0}'..='\u{13f5}' | '\u{13f8}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => c.to_uppercase().collect(),
        _ => {
            let upper: String = c.to_lowercase().flat_map(char::to_uppercase).collect();
            // Letter by letter: the final sigma is one of the things that folding does away with.
            upper.chars().flat_map(char::to_lowercase).collect()
        }
    }
}

/// Python's `swapcase`, in which a letter of title case stays as it is.
fn swapcase(text: &str) -> String {
    // How a sigma is lowered depends on what stands around it, so the whole text is lowered at once.
    let lowered = text.to_lowercase();
    let mut lowered = lowered.chars();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let low = lowered.by_ref().take(c.to_lowercase().count());
        match (c.is_uppercase(), c.is_lowercase()) {
            (true, _) => out.extend(low),
            (false, lower) => {
                low.for_each(drop);
                match lower {
                    true => out.extend(c.to_uppercase()),
                    false => out.push(c),
                }
            }
        }
    }
    out
}

/// Methods of strings that minijinja's own list of them lacks or does not bound, then that list.
fn method(state: &mut State<'_, '_>, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    let Some(text) = value.as_str() else { return unknown_method_callback(state, value, name, args) };
    let parts = |parts: Option<(&str, &str)>, separator: &str, last: bool| {
        Value::from(Tuple::new(match (parts, last) {
            (Some((head, tail)), _) => [head, separator, tail].map(Value::from).to_vec(),
            (None, false) => [text, "", ""].map(Value::from).to_vec(),
            (None, true) => ["", "", text].map(Value::from).to_vec(),
        }))
    };
    Ok(match name {
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "partition" => {
            let (separator,): (&str,) = from_args(args)?;
            parts(text.split_once(separator), separator, false)
        }
        "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            parts(text.rsplit_once(separator), separator, true)
        }
        "rsplit" => {
            let (separator, most): (Option<&str>, Option<usize>) = from_args(args)?;
            let most = most.unwrap_or(usize::MAX).saturating_add(1);
            let mut found: Vec<&str> = match separator {
                Some("") => return Err(wrong("rsplit: an empty separator")),
                Some(separator) => text.rsplitn(most, separator).collect(),
                None if most == usize::MAX => text.split_whitespace().rev().collect(),
                None => return Err(wrong("rsplit: a limit without a separator is not supported")),
            };
            found.reverse();
            Value::from(found.into_iter().map(Value::from).collect::<Vec<_>>())
        }
        "index" | "rindex" => {
            let (wanted,): (&str,) = from_args(args)?;
            let at = if name == "index" { text.find(wanted) } else { text.rfind(wanted) };
            let at = at.ok_or_else(|| wrong("substring not found"))?;
            Value::from(text.get(..at).map_or(0, |head| head.chars().count()))
        }
        "swapcase" => Value::from(swapcase(text)),
        "casefold" => Value::from(text.chars().map(casefold).collect::<String>()),
        "zfill" => {
            let (width,): (i64,) = from_args(args)?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            Value::from([sign, &padding(state, text, width, '0')?, digits].concat())
        }
        "ljust" | "rjust" => {
            let (width, fill): (i64, Option<char>) = from_args(args)?;
            let fill = padding(state, text, width, fill.unwrap_or(' '))?;
            Value::from(if name == "ljust" { [text, &fill].concat() } else { [fill.as_str(), text].concat() })
        }
        "replace" => {
            let (old, new, most): (&str, &str, Option<i64>) = from_args(args)?;
            let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
            pay(state, text.matches(old).take(most).count().saturating_mul(new.len()))?;
            Value::from(text.replacen(old, new, most))
        }
        "join" => {
            let (items,): (&Value,) = from_args(args)?;
            let mut out = Writer { state, text: String::new() };
            for (n, item) in items.try_iter()?.checked().enumerate() {
                out.push(if n > 0 { text } else { "" })?;
                let item = item?;
                out.push(item.as_str().ok_or_else(|| wrong("join: an item that is no string"))?)?;
            }
            Value::from(out.text)
        }
        // A width that is given by a number in the text, or by another value, has no limit there.
        "format" if too_wide(text) => return Err(wrong("format: a width that is no small number")),
        _ => return unknown_method_callback(state, value, name, args),
    })
}

#[cfg(test)]
mod tests {
    use super::super::sandbox::{Content, Sandbox};
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
    }

    /// A template in which `expression` is all that is computed, and what it writes.
    fn text(expression: &str) -> String {
        let template = format!("{{{{ {expression} }}}}|{{{{ messages[0].content }}}}");
        let shown = Sandbox::new(&template, String::new(), String::new()).and_then(|s| s.render(false, Content::Text));
        match shown {
            Ok(around) => around.open.strip_suffix('|').unwrap_or_default().to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn methods_of_strings_do_what_python_3_does() {
        // As python3 gives them: `print(expression)`.
        for (expression, wanted) in [
            ("'Straße ﬁn İı ǅ ΑΣ Ꭰ ꭰ ẞ'.casefold()", "strasse fin i̇ı ǆ ας Ꭰ Ꭰ ss".replace('ς', "σ").as_str()),
            ("'ß İ ǅ ﬁ ı aB1'.swapcase()", "SS i̇ ǅ FI I Ab1"),
            ("'ὈΔΥΣΣΕΎΣ σς Σ'.swapcase()", "ὀδυσσεύς ΣΣ σ"),
            ("'ab'.ljust(5) ~ '|'", "ab   |"),
            ("'ab'.rjust(5, '*')", "***ab"),
            ("'ab'.ljust(1) ~ 'ab'.rjust(-7) ~ 'ab'.zfill(-1)", "ababab"),
            ("'x'.ljust(2000)|length", "2000"),
            ("'-7'.zfill(1500)|length", "1500"),
            ("'-7'.zfill(5) ~ '+'.zfill(3) ~ ''.zfill(2)", "-0007+0000"),
            ("'aaa'.replace('a', 'b', 2) ~ 'ab'.replace('', '-') ~ 'aa'.replace('a', 'c', -1)", "bba-a-b-cc"),
            ("', '.join(['a', 'b']) ~ '-'.join('xyz')", "a, bx-y-z"),
            ("'{} in 2024, {:>4}'.format('a', 'b')", "a in 2024,    b"),
            ("'%s is %d%%, %s, %s' % ('x', 3, none, [1, 'a'])", "x is 3%, None, [1, 'a']"),
            ("'%05.1f' % 2.25", "002.2"),
            ("7 % 3 ~ -7 % 3", "12"),
        ] {
            assert_eq!(text(expression), wanted, "{expression}");
        }
    }

    #[test]
    fn what_python_would_refuse_and_what_is_too_large_is_an_error_and_never_cut() {
        let large = "'ab'.ljust(1000000000000) 'ab'.rjust(300000) '1'.zfill(9223372036854775807) \
                     ('a'*100000).replace('a','b'*100000) ('b'*200000).join('a'*200000) '%999999999d'%1";
        for expression in large.split_whitespace() {
            assert!(text(expression).contains("does not come to an end"), "{expression}: {}", text(expression));
        }
        for expression in
            ["', '.join(['a', 1])", "'{:2000000000}'.format(1)", "'{:{}}'.format(1, 2000000000)", "'%d' % 'x'"]
        {
            assert!(text(expression).contains("fails: "), "{expression}: {}", text(expression));
        }
    }
}
