# What people do here every day. `just` alone lists it.

default:
    @just --list

# Everything that must hold.
test:
    scripts/test

# The fast loop: unit and integration tests on SQLite.
t *filter:
    cargo nextest run --workspace {{filter}}

# Format, lints, house rules.
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets -- -D warnings
    scripts/check-house

# Run the server on ./scaivault-data.
serve:
    cargo run --release -- server

# Which numbered cases of the contract have no test.
cases:
    scripts/check-cases
