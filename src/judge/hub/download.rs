//! Downloads one file from the hub over HTTP, resuming where an earlier attempt ended.
//!
//! Must not send the token to any host but the hub itself, nor over an unencrypted connection, and must not write more
//! bytes than the server announced.

use super::fetched::SourceError;
use super::store::{Checked, Store, hash_into};
use super::{address, wait};
use crate::domain::{Cancel, Digest, Hasher};
use crate::judge::Progress;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use ureq::http::Uri;
use ureq::http::{HeaderMap, StatusCode, header};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder};

const REDIRECTS: usize = 8;
/// How many attempts in a row may fail to get further than any before. A server that starts over each time does not get
/// further.
const TRIES: u32 = 4;
const CHUNK: usize = 1 << 17;

/// Chunks that are read ahead of the disk.
const AHEAD: usize = 4;
/// Downloads `url`, and returns the file, not yet in its place.
pub(super) fn from_hub(
    store: &Store,
    url: &str,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<Checked, SourceError> {
    let mut download = Download::new(store, url, progress, cancel)?;
    let mut tries = 0;
    let mut furthest = download.have;
    loop {
        match download.go_on(progress, cancel) {
            Ok(claimed) => {
                let found = download.hasher.finish();
                let checked = store.check(&download.part, found, claimed, cancel)?;
                // Only of use beside a partial file; a leftover does no harm.
                let _removed = fs::remove_file(download.part.with_extension("etag")).is_ok();
                return Ok(checked);
            }
            Err(SourceError::Transient(why)) => {
                tries = if download.have > furthest { 1 } else { tries + 1 };
                furthest = furthest.max(download.have);
                if tries >= TRIES {
                    return Err(SourceError::Transient(why));
                }
                let what = format!("the next try ({why})");
                wait::pause(store.options.retry_wait * tries, &what, progress, cancel)?;
            }
            Err(e) => return Err(e),
        }
    }
}

struct Download<'a> {
    store: &'a Store<'a>,
    agent: Agent,
    url: Uri,
    part: PathBuf,
    /// Bytes of the partial file, all of them seen by `hasher`.
    have: u64,
    hasher: Hasher,
    /// The server has answered at least once.
    reached: bool,
    /// How often the download started over after a part was there.
    anew: u32,
}

/// The last answer of a chain of redirects.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
    /// The hub's name for the content; for large files their sha256. Empty if it gives none.
    etag: String,
}

impl<'a> Download<'a> {
    fn new(
        store: &'a Store<'a>,
        url: &str,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Self, SourceError> {
        let uri: Uri = url.parse().map_err(|e| SourceError::Final(format!("{url} is no address: {e}")))?;
        let limit = Some(store.options.timeout);
        let mut config = Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_resolve(limit)
            .timeout_connect(limit)
            .timeout_recv_response(limit)
            .timeout_per_read(limit);
        if address::is_loopback(&uri) {
            config = config.proxy(None);
        }
        // The partial file is named after its address, so that no two models or revisions share one.
        let key = Digest::of(url.as_bytes()).short();
        let part = store.partial(&format!("{}.{key}.part", store.manifest.file));
        let agent = config.build().into();
        let mut new = Self { store, agent, url: uri, part, have: 0, hasher: Hasher::new(), reached: false, anew: 0 };
        if let Token::KeptBack = new.token() {
            let host = new.url.host().unwrap_or_default();
            let text = format!(
                "the token is not sent to {host}: http is not encrypted; give an endpoint that begins with https"
            );
            progress(Progress::Note(text.into()));
        }
        if new.part.exists() {
            match hash_into(&new.part, &mut new.hasher, "reading what was downloaded before", progress, cancel) {
                Ok(Some(bytes)) => new.have = bytes,
                Ok(None) => return Err(SourceError::Cancelled),
                Err(e) => return Err(disk(&new.part, &e)),
            }
        }
        Ok(new)
    }

    /// Resumes at the end of the partial file; returns the digest that the hub claims, if any.
    fn go_on(&mut self, progress: &mut dyn FnMut(Progress), cancel: &Cancel) -> Result<Option<Digest>, SourceError> {
        if cancel.is_cancelled() {
            return Err(SourceError::Cancelled);
        }
        let tag_file = self.part.with_extension("etag");
        let mut answer = self.ask(progress, cancel)?;
        let other = self.have > 0 && fs::read_to_string(&tag_file).ok().as_ref() != Some(&answer.etag);
        let complete = answer.status == StatusCode::RANGE_NOT_SATISFIABLE && content_size(&answer) == Some(self.have);
        if self.have > 0 && (other || (answer.status == StatusCode::RANGE_NOT_SATISFIABLE && !complete)) {
            // The partial file belongs to other content, or is longer than the file: it is useless.
            self.truncate()?;
            answer = self.ask(progress, cancel)?;
        }
        let total = match answer.status {
            StatusCode::PARTIAL_CONTENT => {
                if content_start(&answer) != Some(self.have) {
                    return Err(SourceError::Final("the server sent another part than was asked for".to_owned()));
                }
                content_size(&answer)
            }
            StatusCode::OK => {
                // The server does not support ranges: the partial file is replaced, not appended to.
                self.truncate()?;
                answer.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok())
            }
            StatusCode::RANGE_NOT_SATISFIABLE if complete => Some(self.have),
            status => return Err(refused(status, self.token())),
        };
        let total =
            total.ok_or_else(|| SourceError::Final("the server does not say how large the file is".to_owned()))?;
        if let Some(size) = self.store.manifest.size.filter(|size| *size != total) {
            return Err(SourceError::Final(format!("the file there has {total} bytes, the right one has {size}")));
        }
        fs::write(&tag_file, &answer.etag).map_err(|e| disk(&tag_file, &e))?;
        if answer.status != StatusCode::RANGE_NOT_SATISFIABLE {
            self.read(answer.body, total, progress, cancel)?;
        }
        Ok(Digest::from_hex(&answer.etag))
    }

    /// Asks for everything from `have` on, following redirects. The headers that name the content come from the hub
    /// itself.
    fn ask(&mut self, progress: &mut dyn FnMut(Progress), cancel: &Cancel) -> Result<Answer, SourceError> {
        let mut uri = self.url.clone();
        let mut linked = None;
        for _ in 0..REDIRECTS {
            let at_hub = address::same_server(&uri, &self.url);
            let request = self.request(&uri);
            // A server that was never reached is not asked again: the next source is the better try.
            let unreached = if self.reached { SourceError::Transient } else { SourceError::Final };
            let what = format!("{} to answer", uri.host().unwrap_or_default());
            let response = wait::answer(move || request.call(), &what, progress, cancel)?;
            let response = response.map_err(|e| unreached(e.to_string()))?;
            self.reached = true;
            let (parts, body) = response.into_parts();
            let text = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok());
            if at_hub && linked.is_none() {
                linked = text("x-linked-etag").map(|tag| tag.trim_matches('"').to_owned());
            }
            if !parts.status.is_redirection() {
                let own = || text("etag").unwrap_or_default().trim_start_matches("W/").trim_matches('"').to_owned();
                return Ok(Answer {
                    etag: linked.unwrap_or_else(own),
                    status: parts.status,
                    headers: parts.headers,
                    body,
                });
            }
            let target = text("location").and_then(|location| address::follow(&uri, location));
            uri = target.ok_or_else(|| SourceError::Final("the server redirects to no address".to_owned()))?;
            if self.url.scheme_str() == Some("https") && uri.scheme_str() != Some("https") {
                return Err(SourceError::Final("the server redirects from https to an open connection".to_owned()));
            }
        }
        Err(SourceError::Final("the server redirects in circles".to_owned()))
    }

    /// A request for everything from byte `have` on, to the hub or to where it redirects.
    fn request(&self, uri: &Uri) -> RequestBuilder<WithoutBody> {
        let mut request = self.agent.get(uri.clone()).header(header::ACCEPT_ENCODING, "identity");
        request = request.header(header::USER_AGENT, concat!("crossexam/", env!("CARGO_PKG_VERSION")));
        if self.have > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", self.have));
        }
        if let (true, Token::Sent(token)) = (address::same_server(uri, &self.url), self.token()) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request
    }

    fn read(
        &mut self,
        body: Body,
        total: u64,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<(), SourceError> {
        let mut file =
            OpenOptions::new().create(true).append(true).open(&self.part).map_err(|e| disk(&self.part, &e))?;
        let host = self.url.host().unwrap_or_default();
        let anew = if self.anew > 0 { ", from the beginning again" } else { "" };
        let what = format!("{} from {host}{anew}", self.store.manifest.file);
        let silence = format!("more of {} from {host}", self.store.manifest.file);
        let chunks = chunks_of(body)?;
        loop {
            progress(Progress::Fetching { what: what.as_str().into(), done: self.have, total: Some(total) });
            let chunk = match wait::next(&chunks, &silence, self.store.options.patience, progress, cancel)? {
                Some(Ok(chunk)) => chunk,
                Some(Err(e)) => return Err(SourceError::Transient(format!("the connection broke off: {e}"))),
                None if self.have == total => return Ok(()),
                None => {
                    let why = format!("the connection ended after {} of {total} bytes", self.have);
                    return Err(SourceError::Transient(why));
                }
            };
            if self.have + chunk.len() as u64 > total {
                return Err(SourceError::Final("the server sent more than it announced".to_owned()));
            }
            file.write_all(&chunk).map_err(|e| disk(&self.part, &e))?;
            self.hasher.update(&chunk);
            self.have += chunk.len() as u64;
        }
    }

    /// What is done with the user's token at the hub: the one place that decides it.
    fn token(&self) -> Token<'_> {
        match &self.store.options.token {
            None => Token::None,
            Some(token) if address::is_private(&self.url) => Token::Sent(token),
            Some(_) => Token::KeptBack,
        }
    }

    fn truncate(&mut self) -> Result<(), SourceError> {
        File::create(&self.part).map_err(|e| disk(&self.part, &e))?;
        self.anew += u32::from(self.have > 0);
        self.have = 0;
        self.hasher = Hasher::new();
        Ok(())
    }
}

/// What is done with the user's token.
enum Token<'a> {
    /// There is none.
    None,
    /// It is sent.
    Sent(&'a str),
    /// Others could read it on the way.
    KeptBack,
}

/// The body in chunks, read on a separate thread, so that a silent server does not block a cancel.
fn chunks_of(body: Body) -> Result<Receiver<io::Result<Vec<u8>>>, SourceError> {
    let (out, chunks) = sync_channel(AHEAD);
    let mut reader = body.into_reader();
    let mut buffer = vec![0; CHUNK];
    wait::spawn(move || {
        loop {
            let read = reader.read(&mut buffer).map(|n| buffer.get(..n).unwrap_or_default().to_vec());
            let last = read.as_ref().map_or(true, Vec::is_empty);
            // An empty chunk is the end; closing the channel signals it.
            let gone = !read.as_ref().is_ok_and(Vec::is_empty) && out.send(read).is_err();
            if last || gone {
                return;
            }
        }
    })?;
    Ok(chunks)
}

/// `bytes START-END/SIZE` or `bytes */SIZE`.
fn content_range(answer: &Answer) -> Option<(&str, &str)> {
    answer.headers.get(header::CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')
}

fn content_size(answer: &Answer) -> Option<u64> {
    content_range(answer)?.1.parse().ok()
}

fn content_start(answer: &Answer) -> Option<u64> {
    content_range(answer)?.0.split_once('-')?.0.parse().ok()
}

fn refused(status: StatusCode, token: Token) -> SourceError {
    let why = format!("the server answers {status}");
    match (status.as_u16(), token) {
        (401 | 403, Token::Sent(_)) => SourceError::Final(format!("{why}: the token has no access")),
        (401 | 403, Token::None) => SourceError::Final(format!("{why}: it wants a token")),
        (401 | 403, Token::KeptBack) => {
            SourceError::Final(format!("{why}: it wants a token, and none is sent over http, which is not encrypted"))
        }
        (408 | 429 | 500..=599, _) => SourceError::Transient(why),
        _ => SourceError::Final(why),
    }
}

fn disk(path: &Path, e: &std::io::Error) -> SourceError {
    SourceError::Final(format!("cannot write {}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::hub::Options;
    use crate::judge::manifest::Manifest;

    #[test]
    fn a_token_goes_into_requests_to_the_hub_itself_over_https_or_within_this_machine_and_into_no_other() {
        let manifest = Manifest::find(crate::judge::manifest::DEFAULT).expect("built in");
        let dir = tempfile::tempdir().expect("a folder for the test");
        let options = Options { token: Some("secret".to_owned()), ..Options::new(dir.path()) };
        let store = Store::new(&manifest, &options);
        for (hub, at, sent) in [
            ("https://hub.example/m", "https://hub.example/m", true),
            ("https://hub.example/m", "https://hub.example/other?x=1", true),
            ("https://hub.example/m", "https://cdn.example/m", false),
            ("https://hub.example/m", "http://hub.example/m", false),
            ("https://hub.example/m", "https://hub.example:8443/m", false),
            ("http://hub.example/m", "http://hub.example/m", false),
            ("http://10.0.0.1/m", "http://10.0.0.1/m", false),
            ("http://127.0.0.1:8000/m", "http://127.0.0.1:8000/m", true),
            ("http://localhost:8000/m", "http://localhost:8000/m", true),
            ("http://127.0.0.1:8000/m", "http://localhost:8000/m", false),
            ("http://hub.example/m", "http://127.0.0.1/m", false),
        ] {
            let mut notes = 0;
            let mut count = |p: Progress| notes += usize::from(matches!(p, Progress::Note(_)));
            let download = Download::new(&store, hub, &mut count, &Cancel::new()).expect("an address");
            let request = download.request(&at.parse().expect("an address"));
            let headers = request.headers_ref().expect("a good request");
            assert_eq!(headers.contains_key(header::AUTHORIZATION), sent, "{hub} -> {at}");
            let kept_back = matches!(download.token(), Token::KeptBack);
            assert_eq!(notes, usize::from(kept_back), "{hub}: told once where it is kept back");
        }
    }
}
