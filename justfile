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
