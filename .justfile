# What one types here. Everything is plain cargo; `.ci/run` is what must pass before a change goes in.

# Says what there is.
default:
    @just --list --unsorted

# Runs Lockgate, without a key against its own demo upstream.
run *arguments:
    cargo run --release -- {{ arguments }}

# Runs the tests that need nothing but cargo.
test *arguments:
    cargo test {{ arguments }}

# Formats the code.
fmt:
    cargo fmt

# Lints all targets, the ones behind features too.
clippy:
    cargo clippy --all-targets --all-features -- -D warnings

# Builds the documentation; broken links fail.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Measures; `just bench --bench rules` measures one room.
bench *arguments:
    cargo bench {{ arguments }}

# Judges what the dependencies are: licences, advisories, bans. Needs cargo-deny.
deny:
    cargo deny check

# Everything that must pass, as it runs for every change.
ci:
    .ci/run
