//! What breaks downloads in practice, and what a hostile server could try.
//!
//! Must not reach any other machine.

use super::*;

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

#[test]
fn a_server_without_ranges_that_always_breaks_off_is_given_up() {
    let (dir, content) = (dir(), content());
    let served = content.clone();
    // It starts over every time, so every attempt brings bytes, but no new ones.
    let hub = Hub::start(move |_, request| Reply {
        cut: request.path.starts_with("/cdn").then_some(100_000),
        ..usual(&Request { from: 0, ..request.clone() }, &served)
    });
    let e = get(&manifest(Some(&content), false), &options(dir.path(), Some(&hub))).expect_err("it never ends");
    says(e, "the connection broke off");
    assert_eq!(hub.ranges().len(), 4, "one try that brings bytes, and three that bring none");
}
