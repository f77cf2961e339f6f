//! `lint`: checks policies, samples and folders of both, and reports to a person, a pipe or a program; draws the tree;
//! compares prompt layouts.
//!
//! Must hold no checks of its own (those are in `policy` and `domain::sample_file`) and must print untrusted text in
//! escaped form only.

mod folder;
mod graphical;
mod samples;

use crate::domain::sample_file::{Doubts, KnownGold};
use crate::domain::{Cancel, Complaint, path_text};
use crate::engine::policy_file::{read_include, read_text};
use crate::policy::{Diagnostic, GraphFormat, Location, Parsed, Policy, Severity, cost, graph, parse};
use crate::report::number::plural;
use crate::report::theme::Theme;
use crate::text::{Untrusted, json};
use samples::Finding;
use serde_json::json;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What `lint` was asked for.
#[derive(Clone, Debug, Default)]
pub struct LintOptions {
    /// One JSON object a line for each diagnostic instead of text.
    pub json: bool,
    /// Draw the tree on `out`; diagnostics then go to `err`.
    pub graph: Option<GraphFormat>,
    /// A file of samples to check, for which the prompt layouts are compared too.
    pub samples: Option<PathBuf>,
    /// Whether colours may be used.
    pub theme: Option<Theme>,
    /// Whether the terminal can show ASCII only.
    pub ascii: bool,
    /// Whether the output goes to a terminal: source excerpts instead of one line per diagnostic.
    pub terminal: bool,
    /// Columns of that terminal; 0 means unknown.
    pub width: usize,
}

/// Nothing is wrong, or there are warnings only.
const CLEAN: u8 = 0;
/// Some policy has errors.
const ERRORS: u8 = 1;
/// A file could not be read, or nothing was asked.
const UNREADABLE: u8 = 2;

/// Checks `paths` in order and returns the exit code: 0 clean or warnings only, 1 errors, 2 nothing to check or an
/// unreadable file. The worst of several counts.
///
/// # Errors
/// If `out` or `err` cannot be written.
pub fn run(paths: &[PathBuf], options: &LintOptions, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    if paths.is_empty() {
        writeln!(err, "error: no policy file given (hint: crossexam lint POLICY.toml, or the folder)")?;
        return Ok(UNREADABLE);
    }
    let paths = match folder::files(paths) {
        Ok(paths) => paths,
        Err(message) => {
            writeln!(err, "error: {}", Untrusted::from(message).escaped())?;
            return Ok(UNREADABLE);
        }
    };
    let inputs: Vec<Input<'_>> = paths.iter().map(|path| Input::of(path)).collect();
    let known = known_gold(&inputs);
    let mut total = Total::default();
    let mut sample_chars = None;
    if let Some(path) = options.samples.as_deref() {
        let found = check_samples(path, known.clone(), options, &mut total, out, err)?;
        sample_chars = found.as_ref().and_then(samples::Found::mean_chars);
        if found.is_some() && sample_chars.is_none() {
            let shown = path_text::of(path);
            let message = format!("{shown} holds no sample (hint: one JSON object a line, with id and text or fields)");
            writeln!(err, "error: {}", Untrusted::from(message).escaped())?;
        }
        if sample_chars.is_none() {
            return Ok(UNREADABLE);
        }
    }
    for input in inputs {
        match input {
            // They have been checked, and could be a pipe.
            Input::Samples(path) if options.samples.as_deref() == Some(path) => {}
            Input::Samples(path) => {
                check_samples(path, known.clone(), options, &mut total, out, err)?;
            }
            Input::Policy(parsed) => match *parsed {
                Err(message) => {
                    writeln!(err, "error: {}", Untrusted::from(message).escaped())?;
                    total.unread += 1;
                }
                Ok(parsed) => check_policy(&parsed, sample_chars, options, &mut total, out, err)?,
            },
        }
    }
    if !options.json {
        writeln!(err, "{}", total.told())?;
    }
    Ok(total.code())
}

/// What there is to check.
enum Input<'a> {
    /// A policy, as it was parsed, or why it cannot be read.
    Policy(Box<Result<Parsed, String>>),
    /// A file of samples, not read yet.
    Samples(&'a Path),
}

impl<'a> Input<'a> {
    fn of(path: &'a Path) -> Self {
        if folder::is_samples(path) { Self::Samples(path) } else { Self::Policy(Box::new(parse_file(path))) }
    }
}

/// What the policies say about gold; `None` without a policy, or if one of them has errors and may lack names.
fn known_gold(inputs: &[Input<'_>]) -> Option<KnownGold> {
    let mut known = None;
    for input in inputs {
        if let Input::Policy(parsed) = input {
            parsed.as_ref().as_ref().ok()?.policy.as_ref()?.add_gold(known.get_or_insert_default());
        }
    }
    known
}

/// What was checked and found.
#[derive(Default)]
struct Total {
    policies: usize,
    samples: usize,
    unread: usize,
    errors: usize,
    warnings: usize,
}

impl Total {
    fn code(&self) -> u8 {
        match (self.unread, self.errors) {
            (0, 0) => CLEAN,
            (0, _) => ERRORS,
            (_, _) => UNREADABLE,
        }
    }

    fn told(&self) -> String {
        let checked = match (self.policies, self.samples) {
            (policies, 0) => plural(policies, "policy file"),
            (0, samples) => plural(samples, "samples file"),
            (policies, samples) => {
                format!("{} and {}", plural(policies, "policy file"), plural(samples, "samples file"))
            }
        };
        let unread = match self.unread {
            0 => String::new(),
            n => format!(", {n} could not be read"),
        };
        format!("{checked} checked{unread}: {}, {}", plural(self.errors, "error"), plural(self.warnings, "warning"))
    }
}

/// Checks a file of samples; `None` if it cannot be read.
fn check_samples(
    path: &Path,
    known: Option<KnownGold>,
    options: &LintOptions,
    total: &mut Total,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Option<samples::Found>> {
    let found = samples::read(path, &mut Doubts::new(known), &mut |finding| {
        let line = if options.json { sample_json(path, finding)? } else { sample_line(path, finding) };
        writeln!(sink_for(options, out, err), "{line}")
    })?;
    match found {
        Ok(found) => {
            total.samples += 1;
            total.errors += found.errors;
            total.warnings += found.warnings;
            Ok(Some(found))
        }
        Err(message) => {
            writeln!(err, "error: {}", Untrusted::from(message).escaped())?;
            total.unread += 1;
            Ok(None)
        }
    }
}

fn check_policy(
    parsed: &Parsed,
    sample_chars: Option<f64>,
    options: &LintOptions,
    total: &mut Total,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<()> {
    let errors = parsed.errors().count();
    total.policies += 1;
    total.errors += errors;
    total.warnings += parsed.diagnostics.len() - errors;
    let sink = sink_for(options, out, err);
    for diagnostic in &parsed.diagnostics {
        if options.json {
            writeln!(sink, "{}", json_line(diagnostic)?)?;
        } else if options.terminal {
            writeln!(sink, "{}", graphical::picture(diagnostic, &parsed.files, options))?;
        } else {
            writeln!(sink, "{}", plain_line(diagnostic))?;
        }
    }
    let Some(policy) = &parsed.policy else { return Ok(()) };
    if let Some(format) = options.graph {
        out.write_all(graph::render(policy, format).as_bytes())?;
    }
    match sample_chars {
        Some(chars) => write_costs(policy, chars, options.json, sink_for(options, out, err)),
        None => Ok(()),
    }
}

/// Where results other than the drawing go.
fn sink_for<'w>(options: &LintOptions, out: &'w mut dyn Write, err: &'w mut dyn Write) -> &'w mut dyn Write {
    if options.graph.is_some() { err } else { out }
}

/// Reads and parses one policy file with what it includes; the error says which file cannot be read and why.
fn parse_file(path: &Path) -> Result<Parsed, String> {
    let shown = path_text::of(path);
    // Nobody listens for signals here, so they end the program at once.
    let cancel = Cancel::new();
    let text = read_text(path, &cancel).map_err(|why| format!("cannot read {shown}: {why}"))?;
    Ok(parse(&shown, &text, &mut |include| read_include(path, include, &cancel)))
}

/// `file:line:col: error[P012]: message (hint: …)`
fn plain_line(d: &Diagnostic) -> String {
    let mut out = format!("{}: {}[{}]: {}", place(&d.place), d.severity, d.code, d.complaint.in_one_line());
    for (message, at) in &d.related {
        out.push_str(&format!(" ({}: {})", message.escaped(), place(at)));
    }
    out
}

/// A finding in a line of samples as [`plain_line`] shows a fault of a policy.
fn sample_line(path: &Path, finding: &Finding) -> String {
    let (code, _, severity, line, col, complaint) = parts(finding);
    let at = format!("{}:{line}:{col}", Untrusted::from(path_text::of(path)).escaped());
    format!("{at}: {severity}[{code}]: {}", complaint.in_one_line())
}

/// Code, name, severity, line, column and complaint.
fn parts(finding: &Finding) -> (&'static str, &'static str, Severity, usize, usize, &Complaint) {
    match finding {
        Finding::Error(e) => ("S001", "invalid-sample", Severity::Error, e.line, e.col, &e.complaint),
        Finding::Warning(d) => (d.kind.code(), d.kind.name(), Severity::Warning, d.line, d.col, &d.complaint),
    }
}

fn sample_json(path: &Path, finding: &Finding) -> io::Result<String> {
    let (code, name, severity, line, col, complaint) = parts(finding);
    let value = json!({
        "v": 1, "code": code, "name": name, "severity": severity.as_str(), "message": complaint.message.raw(),
        "hint": complaint.hint, "file": path_text::of(path), "line": line, "col": col, "related": [],
    });
    json::to_string(&value).map_err(io::Error::other)
}

fn place(p: &Location) -> String {
    format!("{}:{}:{}", p.path.escaped(), p.line, p.col)
}

fn json_line(d: &Diagnostic) -> io::Result<String> {
    let place = |p: &Location| {
        json!({
            "file": p.path.raw(), "line": p.line, "col": p.col,
            "span": {"start": p.span.start, "end": p.span.end},
        })
    };
    let mut value = json!({
        "v": 1,
        "code": d.code.id(),
        "name": d.code.info().name,
        "severity": d.severity.as_str(),
        "message": d.complaint.message.raw(),
        "hint": d.complaint.hint,
    });
    let related = d.related.iter().map(|(message, at)| {
        let mut related = place(at);
        related["message"] = message.raw().into();
        related
    });
    let related = related.collect::<Vec<_>>();
    if let (Some(map), Some(at)) = (value.as_object_mut(), place(&d.place).as_object()) {
        map.extend(at.clone());
        map.insert("related".to_owned(), related.into());
    }
    json::to_string(&value).map_err(io::Error::other)
}

fn write_costs(policy: &Policy, sample_chars: f64, as_json: bool, out: &mut dyn Write) -> io::Result<()> {
    let costs = cost::layouts(policy, sample_chars);
    let cheaper = if costs[0].per_sample <= costs[1].per_sample { costs[0].layout } else { costs[1].layout };
    if as_json {
        let rows = costs
            .map(|c| json!({"layout": c.layout.as_str(), "once": c.once.round(), "per_sample": c.per_sample.round()}));
        let value = json!({
            "v": 1, "policy": policy.id.as_str(), "layout": policy.layout.as_str(), "estimated_tokens": rows,
            "cheaper": cheaper.as_str(),
        });
        return writeln!(out, "{}", json::to_string(&value).map_err(io::Error::other)?);
    }
    writeln!(
        out,
        "{}: estimated tokens read anew (4 characters each, samples of {sample_chars:.0} characters)",
        policy.id
    )?;
    for c in costs {
        let used = if c.layout == policy.layout { "  (this policy)" } else { "" };
        let name = c.layout.as_str();
        writeln!(out, "  {name:<12} {:>7.0} a sample, {:>7.0} once{used}", c.per_sample, c.once)?;
    }
    if cheaper != policy.layout {
        let key = cheaper.as_str();
        writeln!(
            out,
            "  hint: layout = \"{key}\" reads less; it changes what the model sees, so compare verdicts first"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
