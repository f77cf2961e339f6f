# Everyday commands. `just` lists them.
default:
    @just --list

# Format, lint, test: what CI runs.
check:
    bash .ci/run

# The test command of the README.
test:
    cargo test

# Look at changed snapshots.
snap:
    cargo insta review

# Write the transcripts of testdata/scripts anew; read the difference before it is committed.
transcripts:
    UPDATE_TRANSCRIPTS=1 cargo test --test program scripts

# The demo, as the README has it.
demo:
    cargo run --release -- demo

# Licences, sources and bans of the dependencies.
deny:
    cargo deny --all-features check licenses bans sources

# Known faults in the dependencies; fetches the advisory database, so it needs the network.
advisories:
    cargo deny --all-features check advisories

# What the program is made of, as CycloneDX JSON: crossexam.cdx.json (`cargo install cargo-cyclonedx` once).
sbom:
    cargo cyclonedx --format json --all-features --target all --override-filename crossexam.cdx

# The fuzz targets on a stable compiler; docs/FUZZING.md has more.
fuzz seconds="60":
    cargo run --example fuzz -- --seconds {{seconds}}
