//! `lint`: checks policies, samples and folders of both, and reports to a person, a pipe or a program; draws the tree;
//! compares prompt layouts.
//!
//! Must hold no checks of its own (those are in `policy` and `domain::sample_file`) and must print untrusted text in
//! escaped form only.

mod folder;
mod graphical;
mod samples;

use crate::domain::sample_file::SampleError;
use crate::domain::{Cancel, path_text};
use crate::engine::policy_file::{read_include, read_text};
use crate::policy::{Diagnostic, GraphFormat, Location, Parsed, Policy, cost, graph, parse};
use crate::report::number::plural;
use crate::report::theme::Theme;
use crate::text::{Untrusted, json};
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
    /// A file of samples for which the prompt layouts are compared.
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
    let sample_chars = match options.samples.as_deref().map(samples::mean_chars) {
        Some(Err(message)) => {
            writeln!(err, "error: {}", Untrusted::from(message).escaped())?;
            return Ok(UNREADABLE);
        }
        Some(Ok(mean)) => Some(mean),
        None => None,
    };
    let paths = match folder::files(paths) {
        Ok(paths) => paths,
        Err(message) => {
            writeln!(err, "error: {}", Untrusted::from(message).escaped())?;
            return Ok(UNREADABLE);
        }
    };
    let mut worst = CLEAN;
    let (mut errors, mut warnings, mut policies) = (0, 0, 0);
    for path in &paths {
        if folder::is_samples(path) {
            let faults = samples::faults(path, &mut |fault| {
                let line = if options.json { sample_json(path, fault)? } else { sample_line(path, fault) };
                writeln!(sink_for(options, out, err), "{line}")
            })?;
            match faults {
                Ok(count) => {
                    errors += count;
                    worst = worst.max(if count > 0 { ERRORS } else { CLEAN });
                }
                Err(message) => {
                    writeln!(err, "error: {}", Untrusted::from(message).escaped())?;
                    worst = worst.max(UNREADABLE);
                }
            }
            continue;
        }
        policies += 1;
        let parsed = match parse_file(path) {
            Ok(parsed) => parsed,
            Err(message) => {
                writeln!(err, "error: {}", Untrusted::from(message).escaped())?;
                worst = worst.max(UNREADABLE);
                continue;
            }
        };
        let here = parsed.errors().count();
        errors += here;
        warnings += parsed.diagnostics.len() - here;
        worst = worst.max(if here > 0 { ERRORS } else { CLEAN });
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
        if let Some(policy) = &parsed.policy {
            if let Some(format) = options.graph {
                out.write_all(graph::render(policy, format).as_bytes())?;
            }
            if let Some(chars) = sample_chars {
                write_costs(policy, chars, options.json, sink_for(options, out, err))?;
            }
        }
    }
    if !options.json {
        let checked = match (policies, paths.len() - policies) {
            (_, 0) => plural(policies, "policy file"),
            (0, samples) => plural(samples, "samples file"),
            (_, samples) => format!("{} and {}", plural(policies, "policy file"), plural(samples, "samples file")),
        };
        writeln!(err, "{checked} checked: {}, {}", plural(errors, "error"), plural(warnings, "warning"))?;
    }
    Ok(worst)
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

/// A bad line of samples as [`plain_line`] shows a fault of a policy.
fn sample_line(path: &Path, fault: &SampleError) -> String {
    let at = format!("{}:{}:{}", Untrusted::from(path_text::of(path)).escaped(), fault.line, fault.col);
    format!("{at}: error[{SAMPLE_CODE}]: {}", fault.complaint.in_one_line())
}

/// The code shown for a fault in a line of samples.
const SAMPLE_CODE: &str = "S001";

fn sample_json(path: &Path, fault: &SampleError) -> io::Result<String> {
    let value = json!({
        "v": 1, "code": SAMPLE_CODE, "name": "invalid-sample", "severity": "error",
        "message": fault.complaint.message.raw(), "hint": fault.complaint.hint, "file": path_text::of(path), "line": fault.line, "col": fault.col, "related": [],
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
