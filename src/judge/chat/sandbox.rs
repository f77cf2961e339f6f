//! Runs a chat template from a model file with limited fuel, on a stack of its own, without files, network or clock,
//! and on sentinels instead of content.
//!
//! Must never be given content: what a template does must not depend on what a sample says.

use super::bounded::{self, Program};
use super::error::ChatError;
use super::{methods, python};
use crate::domain::Digest;
use crate::text::Untrusted;
use fancy_regex::{Captures, Regex};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use std::borrow::Cow;
use std::sync::LazyLock;

/// Longest template in bytes; real ones have up to some tens of thousands.
const MAX_TEMPLATE: usize = 256 << 10;
/// What one rendering may cost. One unit pays for an instruction, for visiting an item, or for 64 bytes. Together with
/// the bound on the weight of a value (`bounded`), this keeps everything a template holds at once below 64 MB; a test
/// measures it.
const FUEL: u64 = 200_000;
/// Stack for compiling and running: the parser, the compiler and the machine call themselves, for as deep as `bounded`
/// lets a template be.
const STACK: usize = 32 << 20;

/// Does `work` on a stack that is large enough for any template, and survives a fault of the template engine.
pub(super) fn apart<T: Send>(work: impl FnOnce() -> Result<T, ChatError> + Send) -> Result<T, ChatError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("template".to_owned()).stack_size(STACK);
        match thread.spawn_scoped(scope, work) {
            Ok(thread) => thread.join().unwrap_or_else(|_| Err(ChatError::Render("the template engine failed".into()))),
            Err(e) => Err(ChatError::Render(format!("no thread to run it: {e}").into())),
        }
    })
}

/// The template with `{% generation %}` and `{% endgeneration %}` replaced by a condition that always holds. These tags
/// mark the model's own output for training and render their body unchanged.
pub(super) fn without_marks(template: &str) -> Cow<'_, str> {
    static MARKS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})").expect("the pattern is a constant"));
    MARKS.replace_all(template, |tag: &Captures<'_>| {
        let [before, after] = [1, 3].map(|i| tag.get(i).map_or("", |m| m.as_str()));
        let word = if tag.get(2).is_some() { "endif" } else { "if true" };
        [before, word, after].concat()
    })
}

/// Rendered text around the two contents, content itself left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Around {
    /// Before the first content.
    pub(super) open: String,
    /// Between system and user content; `None` if only user content was rendered.
    pub(super) middle: Option<String>,
    /// After the user content.
    pub(super) close: String,
}

/// How a template is given a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// As a string.
    Text,
    /// As a list of one part, `{type: "text", text}`, which templates of models that see images may insist on.
    Parts,
}

/// A compiled template.
pub(super) struct Sandbox<'a> {
    environment: Environment<'a>,
    program: Program<'a>,
    system: String,
    user: String,
    bos: String,
    eos: String,
}

impl<'a> Sandbox<'a> {
    /// Compiles `template`; `bos` and `eos` are the spellings that it may use.
    pub(super) fn new(template: &'a str, bos: String, eos: String) -> Result<Self, ChatError> {
        if template.len() > MAX_TEMPLATE {
            return Err(ChatError::TooLong { len: template.len(), max: MAX_TEMPLATE });
        }
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        // As the library does for which the templates were written.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(|e| failure(&e))?;
        python::add_to(&mut environment);
        methods::add_to(&mut environment);
        bounded::add_to(&mut environment);
        let program = Program::compile(template, syntax).map_err(|e| failure(&e))?;
        // A template cannot contain its own digest, so it can neither know nor imitate the sentinels.
        let digest = Digest::of(template.as_bytes());
        Ok(Self { environment, program, system: format!("S{digest}"), user: format!("U{digest}"), bos, eos })
    }

    /// Renders one system turn (if `with_system`) and one user turn, up to where the model starts writing.
    pub(super) fn render(&self, with_system: bool, content: Content) -> Result<Around, ChatError> {
        let message = |role: &str, text: &str| {
            let content = match content {
                Content::Text => Value::from(text),
                Content::Parts => Value::from(vec![context! { type => "text", text => text }]),
            };
            context! { role => role, content => content }
        };
        let mut messages = vec![message("system", &self.system), message("user", &self.user)];
        if !with_system {
            messages.remove(0);
        }
        let variables = context! {
            messages => messages,
            tools => (),
            documents => (),
            add_generation_prompt => true,
            enable_thinking => false,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
        };
        let text = self.program.run(&self.environment, variables).map_err(|e| failure(&e))?;
        let (before_user, close) = self.split(&text, "user", &self.user)?;
        if !with_system {
            return Ok(Around { open: before_user.to_owned(), middle: None, close: close.to_owned() });
        }
        if text.matches(&self.system).count() == 1 && close.contains(&self.system) {
            return Err(ChatError::Order);
        }
        let (open, middle) = self.split(before_user, "system", &self.system)?;
        Ok(Around { open: open.to_owned(), middle: Some(middle.to_owned()), close: close.to_owned() })
    }

    /// Splits `text` at the only occurrence of `sentinel`.
    fn split<'t>(&self, text: &'t str, role: &'static str, sentinel: &str) -> Result<(&'t str, &'t str), ChatError> {
        match text.matches(sentinel).count() {
            1 => text.split_once(sentinel).ok_or(ChatError::Content { role, times: 0 }),
            times => Err(ChatError::Content { role, times }),
        }
    }
}

fn failure(error: &Error) -> ChatError {
    let mut fuel = error.kind() == ErrorKind::OutOfFuel;
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        fuel |= inner.downcast_ref::<Error>().is_some_and(|e| e.kind() == ErrorKind::OutOfFuel);
        source = inner.source();
    }
    if fuel { ChatError::Fuel } else { ChatError::Render(Untrusted::new(error.to_string())) }
}
