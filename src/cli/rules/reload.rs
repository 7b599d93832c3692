//! `rules reload`: tells a Lockgate that runs to load its rules again, over its admin port.

use std::net::SocketAddr;

use serde_json::json;

use super::{Outcome, Said, Trouble, Which};
use crate::cli::{
    admin::{self, Admin},
    serve::block_on,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The admin port; without it, the one of the configuration.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
}

pub(super) fn run(which: &Which, args: &Args) -> Outcome {
    let admin = Admin::at(admin::address(args.admin, which.config.as_deref())?)?;
    let told = block_on(admin.post("rules/reload", &json!({}))).map_err(|error| Trouble::Failure(error.to_string()))??;
    let (status, generation) = (&told["status"], &told["status"]["generation"]);
    let text = if told["reload"] == "unchanged" {
        format!("Nothing has changed: generation {generation} stays.\n")
    } else {
        format!("Generation {generation} is in place: {} input and {} output rules.\n", status["input"], status["output"])
    };
    Ok(Said::well(text))
}
