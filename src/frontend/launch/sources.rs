//! Where judges come from: local models by name or path, and scripted ones for tests.
//!
//! Must not open anything before it is asked to.

use crate::cli::{Environment, ModelArgs, ModelsArgs};
use crate::domain::Cancel;
use crate::judge::scripted::Scripted;
use crate::judge::source::LocalSource;
use crate::judge::{Judge, JudgeError, JudgeSource, Progress, hub, local};
use crate::llm::device;

/// Opens models by name; `scripted:P` and `scripted:FILE` are judges without a model.
struct Sources(LocalSource);

impl JudgeSource for Sources {
    fn open(
        &mut self,
        name: &str,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Box<dyn Judge>, JudgeError> {
        match name.strip_prefix("scripted:") {
            Some(script) => Scripted::from_argument(script, cancel).map(|judge| Box::new(judge) as Box<dyn Judge>),
            None => self.0.open(name, progress, cancel),
        }
    }
}

/// A source of judges according to the arguments.
///
/// # Errors
/// If this build does not support the device: reported at once, not after a download.
pub fn new(args: &ModelArgs, env: &Environment) -> Result<Box<dyn JudgeSource>, JudgeError> {
    device::check_built(args.device.device)?;
    let local = local::Options {
        chat: args.chat_template.clone(),
        threads: args.threads.unwrap_or(0),
        device: args.device.device,
        ..local::Options::default()
    };
    Ok(Box::new(Sources(LocalSource::gguf(hub_options(&args.place, env), local))))
}

/// How models are fetched: arguments before environment before defaults.
pub fn hub_options(args: &ModelsArgs, env: &Environment) -> hub::Options {
    let mut options = hub::Options::new(args.models_dir.clone().unwrap_or_else(|| env.models_dir.clone()));
    options.offline = args.offline;
    options.token = env.hub_token.clone();
    options.programs = env.programs.clone();
    if let Some(endpoint) = args.hub_endpoint.clone().or_else(|| env.hub_endpoint.clone()) {
        endpoint.trim_end_matches('/').clone_into(&mut options.endpoint);
    }
    options
}
