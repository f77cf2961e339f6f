//! The filters `crossexam models tokenize` and the like: one JSON object in, one JSON object out, line by line.
//!
//! Must write exactly one output line per input line, in order, in bounded memory, whatever the input holds.

use crate::domain::Cancel;
use crate::domain::sample_file::{MAX_LINE_BYTES, RawLine, RawLines};
use crate::judge::{JudgeError, chat};
use crate::llm::gguf::GgufFile;
use crate::llm::tokenizer::Tokenizer;
use serde_json::{Value, json};
use std::io::{self, BufRead, Write};
use std::path::Path;

/// Why a filter ended early.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] JudgeError),
    /// The input cannot be read.
    #[error("cannot read the input: {0}")]
    Read(#[source] io::Error),
    /// The output cannot be written.
    #[error("cannot write the output: {0}")]
    Write(#[source] io::Error),
}

/// What is wrong with one line, for its error record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// `bad_line`, or what the model says.
    pub kind: &'static str,
    /// In words; holds nothing of the line itself.
    pub message: String,
}

impl LineError {
    /// A line that is not what it should be.
    pub fn bad_line(message: impl Into<String>) -> Self {
        Self { kind: "bad_line", message: message.into() }
    }
}

/// Tokenises `{"text"}` lines as plain content: `{"ids"}` lines with nothing added, and `lost_bytes` if the vocabulary
/// has no token for some bytes of the text. Returns the exit code: 0, or 1 if a line was bad.
pub fn tokenize(
    model: &Path,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    cancel: &Cancel,
) -> Result<u8, FilterError> {
    let file = GgufFile::open(model, cancel).map_err(|e| JudgeError::from(e).in_file(model))?;
    // As the model would be asked, if its file says how.
    let tokenizer = match chat::open(file.metadata(), None) {
        Ok((tokenizer, _)) => tokenizer,
        Err(_) => Tokenizer::from_metadata(file.metadata()).map_err(|e| JudgeError::from(e).in_file(model))?,
    };
    each_line(input, output, cancel, &mut |line| {
        let text = line.get("text").ok_or_else(|| LineError::bad_line("the object has no `text`"))?;
        let text = text.as_str().ok_or_else(|| LineError::bad_line("`text` is not a string"))?;
        let mut out = json!({ "ids": tokenizer.encode_content(text) });
        match tokenizer.lost_bytes(text) {
            0 => {}
            lost => out["lost_bytes"] = json!(lost),
        }
        Ok(out)
    })
}

/// Calls `answer` with the object on every line and writes the result, or an error record with the line's number.
/// Returns the exit code: 0, or 1 if a line had an error.
pub fn each_line(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    cancel: &Cancel,
    answer: &mut dyn FnMut(&Value) -> Result<Value, LineError>,
) -> Result<u8, FilterError> {
    let mut code = 0;
    for line in RawLines::new(input) {
        if cancel.is_cancelled() {
            return Err(JudgeError::Cancelled.into());
        }
        let line = line.map_err(FilterError::Read)?;
        let record = object(&line).and_then(|object| answer(&object)).unwrap_or_else(|error| {
            code = 1;
            json!({ "error": { "kind": error.kind, "line": line.number, "message": error.message } })
        });
        writeln!(output, "{record}").map_err(FilterError::Write)?;
    }
    output.flush().map_err(FilterError::Write)?;
    Ok(code)
}

fn object(line: &RawLine) -> Result<Value, LineError> {
    if line.too_long {
        return Err(LineError::bad_line(format!("the line is longer than {MAX_LINE_BYTES} bytes")));
    }
    if line.is_blank() {
        return Err(LineError::bad_line("the line is empty"));
    }
    match serde_json::from_slice(&line.bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(LineError::bad_line("the line is no JSON object")),
        Err(error) => Err(LineError::bad_line(format!("not JSON: {} at column {}", fault(&error), error.column()))),
    }
}

/// What kind of fault it is, without any of the input.
fn fault(error: &serde_json::Error) -> &'static str {
    if error.is_eof() { "the line ends too early" } else { "a fault of syntax or encoding" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::gguf::write::GgufWriter;

    /// Runs `tokenize` with a vocabulary of the letters a and b and a few control tokens.
    fn run(input: &[u8]) -> (u8, String) {
        let file = GgufWriter::new()
            .str("tokenizer.ggml.model", "gpt2")
            .str("tokenizer.ggml.pre", "gpt-2")
            .strings("tokenizer.ggml.tokens", &["a", "b", "ab", "<s>"])
            .i32s("tokenizer.ggml.token_type", &[1, 1, 1, 3])
            .strings("tokenizer.ggml.merges", &["a b"])
            .bool("tokenizer.ggml.add_bos_token", true)
            .u32("tokenizer.ggml.bos_token_id", 3)
            .file();
        let mut output = Vec::new();
        let code = tokenize(file.path(), &mut &input[..], &mut output, &Cancel::new()).expect("runs to the end");
        (code, String::from_utf8(output).expect("JSON is UTF-8"))
    }

    #[test]
    fn every_line_gives_one_line_in_its_place_and_bad_ones_an_error_record() {
        let (code, output) = run(b"{\"text\":\"abba\"}\n\n{\"text\":3}\n{\"t\":\"a\"}\n[1]\n{\"text\":\"a\n{\"text\":\"\\ud800\"}\n{\"text\":\"\xff\"}\n{\"text\":\"a<s>\"}\r\n{\"text\":\"\"}");
        assert_eq!(code, 1);
        insta::assert_snapshot!(output, @r#"
        {"ids":[2,1,0]}
        {"error":{"kind":"bad_line","line":2,"message":"the line is empty"}}
        {"error":{"kind":"bad_line","line":3,"message":"`text` is not a string"}}
        {"error":{"kind":"bad_line","line":4,"message":"the object has no `text`"}}
        {"error":{"kind":"bad_line","line":5,"message":"the line is no JSON object"}}
        {"error":{"kind":"bad_line","line":6,"message":"not JSON: the line ends too early at column 10"}}
        {"error":{"kind":"bad_line","line":7,"message":"not JSON: a fault of syntax or encoding at column 16"}}
        {"error":{"kind":"bad_line","line":8,"message":"not JSON: a fault of syntax or encoding at column 10"}}
        {"ids":[0],"lost_bytes":3}
        {"ids":[]}
        "#);
    }

    #[test]
    fn good_lines_alone_end_with_code_0_and_no_input_gives_no_output() {
        assert_eq!(run(b"{\"text\":\"a\"}\n"), (0, "{\"ids\":[0]}\n".to_owned()));
        assert_eq!(run(b""), (0, String::new()));
    }

    #[test]
    fn a_line_of_many_megabytes_gives_an_error_record_and_the_next_line_its_ids() {
        let long = [vec![b'x'; MAX_LINE_BYTES + 1], b"\n{\"text\":\"b\"}".to_vec()].concat();
        let (code, output) = run(&long);
        assert_eq!(code, 1);
        assert!(output.starts_with("{\"error\":") && output.ends_with("\n{\"ids\":[1]}\n"), "{output}");
    }

    #[test]
    fn a_model_that_cannot_be_read_is_an_error_of_the_whole_run() {
        let result = tokenize(Path::new("none.gguf"), &mut &b""[..], &mut Vec::new(), &Cancel::new());
        assert!(matches!(result, Err(FilterError::Model(JudgeError::Unusable(_)))));
    }
}
