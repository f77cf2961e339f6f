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

# The demo, as the README has it.
demo:
    cargo run --release -- demo

# Licences, sources and bans of the dependencies; `cargo deny check advisories` needs the network.
deny:
    cargo deny --all-features check licenses bans sources
