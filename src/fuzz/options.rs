//! The options of the seeded loop in `examples/fuzz.rs`.
//!
//! Must refuse invalid options, so that a mistyped target name does not pass as a target without findings.

use super::{TARGETS, Target};

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The targets.
    pub targets: Vec<Target>,
    /// How long, all targets together.
    pub seconds: u64,
    /// How often, each target.
    pub runs: u64,
    /// Which row of inputs.
    pub seed: u64,
    /// The file with the one input that the one target is to read instead.
    pub input: Option<String>,
}

impl Options {
    /// Reads arguments.
    ///
    /// # Errors
    /// Says what makes no sense.
    pub fn read(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { targets: TARGETS.to_vec(), seconds: 60, runs: u64::MAX, seed: 1, input: None };
        while let Some(arg) = args.next() {
            let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{arg} needs a number"));
            match arg.as_str() {
                "--seconds" => options.seconds = number()?,
                "--runs" => (options.runs, options.seconds) = (number()?, u64::MAX / 1000),
                "--seed" => options.seed = number()?,
                "--target" => options.targets.retain(|target| target.name == value),
                "--input" => options.input = Some(value),
                _ => return Err(format!("there is no {arg}")),
            }
        }
        match (&options.targets[..], &options.input) {
            ([], _) => Err(format!("there is no such target; there are {}", TARGETS.map(|t| t.name).join(", "))),
            ([_, _, ..], Some(_)) => Err("--input needs --target NAME: which one is to read it".to_owned()),
            _ => Ok(options),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_target_and_an_input_that_nobody_reads_are_refused() {
        let read = |line: &str| Options::read(line.split_whitespace().map(str::to_owned));
        for (line, why) in [
            ("--target polcy", "there is no such target; there are policy, samples"),
            ("--target policy --target samples", "there is no such target"),
            ("--input f", "--input needs --target NAME"),
            ("--runs many", "--runs needs a number"),
            ("--runs", "--runs needs a value"),
            ("policy", "policy needs a value"),
            ("--tarjet policy", "there is no --tarjet"),
        ] {
            assert!(read(line).expect_err(line).starts_with(why), "{line}");
        }
        let options = read("--target gguf --input f").expect("one target, one input");
        assert_eq!((options.targets[0].name, options.targets.len(), options.input.as_deref()), ("gguf", 1, Some("f")));
        assert_eq!(read("").expect("nothing is needed").targets.len(), TARGETS.len());
    }
}
