//! `lockgate cache …`: looks into the cache of a Lockgate that runs, and takes out of it, over its admin port.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Subcommand;
use serde_json::{Map, Value, json};

mod text;
mod transfer;

use super::admin::{self, Admin, Outcome};

/// Look into the cache of a Lockgate that runs, and take out of it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The admin port; without it, the one of the configuration.
    #[arg(long, value_name = "ADDRESS", global = true, help_heading = "Anywhere")]
    admin: Option<SocketAddr>,
    /// The configuration that `serve` was started with.
    #[arg(long, short, value_name = "FILE", global = true, help_heading = "Anywhere")]
    config: Option<PathBuf>,
    /// Print what the admin port says, for machines.
    #[arg(long, global = true, help_heading = "Anywhere")]
    json: bool,
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Debug, Subcommand)]
enum Operation {
    /// How much is kept, for whom, and what it saved.
    Stats,
    /// The entries nearest to a text, what each check says, and what would be served.
    Lookup {
        /// The last message of a request.
        text: String,
        #[command(flatten)]
        among: Among,
        /// Only entries of this endpoint: chat or completions.
        #[arg(long, value_name = "NAME")]
        endpoint: Option<String>,
    },
    /// One entry: its prompt and its answer.
    Show {
        /// The id, or its first 8 digits or more.
        id: String,
    },
    /// Say which entries would go; with --yes, take them out, in memory and on disk.
    Purge {
        #[command(flatten)]
        selectors: Selectors,
        /// Do it.
        #[arg(long)]
        yes: bool,
    },
    /// Report that an answer was served to a request that asked for something else: the entry goes, and the two are told apart from then on.
    FalseHit {
        /// The id, as `x-lockgate-entry` says it.
        id: String,
        /// The prompt that was answered wrongly.
        text: String,
    },
    /// Write all entries as lines of JSON: prompts and answers in clear.
    Export {
        /// The file; without it, the output.
        file: Option<PathBuf>,
    },
    /// Read entries that an export wrote.
    Import {
        /// The file; - is the input.
        file: PathBuf,
    },
}

/// Whose entries.
#[derive(Debug, clap::Args)]
struct Among {
    /// Only entries of this tenant: the beginning of its hash.
    #[arg(long, value_name = "HEX")]
    tenant: Option<String>,
    /// Only entries of this namespace; '' is none.
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Only entries of this model.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
}

/// Which entries: those that all of these fit.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Selectors {
    /// The entry of this id, or of its first 8 digits or more.
    #[arg(long)]
    id: Option<String>,
    /// Entries of this tenant: the beginning of its hash.
    #[arg(long, value_name = "HEX")]
    tenant: Option<String>,
    /// Entries of this namespace; '' is none.
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Entries of this model.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Entries at least this old, such as 12h or 7d.
    #[arg(long, value_name = "AGE")]
    older_than: Option<String>,
    /// Entries whose prompt has this in it, in capitals or not.
    #[arg(long)]
    text: Option<String>,
    /// Every entry.
    #[arg(long)]
    all: bool,
}

/// Does what the command line says.
pub fn run(args: &Args) -> ExitCode {
    let done = admin::address(args.admin, args.config.as_deref()).and_then(|address| {
        let admin = Admin::at(address)?;
        super::serve::block_on(operate(&admin, args)).unwrap_or_else(|error| Err(error.to_string()))
    });
    match done {
        Ok(text) => {
            super::print(&text);
            ExitCode::SUCCESS
        }
        Err(failure) => super::fail(&failure),
    }
}

async fn operate(admin: &Admin, args: &Args) -> Outcome<String> {
    let (json, color) = (args.json, super::output_color());
    let told = |value: &Value, text: fn(&Value, bool) -> String| {
        if json { format!("{value:#}\n") } else { text(value, color) }
    };
    match &args.operation {
        Operation::Stats => Ok(told(&admin.get("cache/stats").await?, text::stats)),
        Operation::Lookup { text: words, among, endpoint } => {
            let Among { tenant, namespace, model } = among;
            let mut asked = named([("tenant", tenant), ("namespace", namespace), ("model", model), ("endpoint", endpoint)]);
            asked.insert("text".to_owned(), json!(words));
            Ok(told(&admin.post("cache/lookup", &asked.into()).await?, text::lookup))
        }
        Operation::Show { id } => Ok(told(&admin.get(&format!("cache/entries/{}", plain(id)?)).await?, text::show)),
        Operation::Purge { selectors, yes } => {
            let Selectors { id, tenant, namespace, model, older_than, text: part, all } = selectors;
            let select = named([
                ("id", id),
                ("tenant", tenant),
                ("namespace", namespace),
                ("model", model),
                ("older_than", older_than),
                ("text", part),
            ]);
            Ok(told(&admin.post("cache/purge", &json!({ "select": select, "all": all, "act": yes })).await?, text::purge))
        }
        Operation::FalseHit { id, text: words } => {
            Ok(told(&admin.post("cache/false-hit", &json!({ "id": id, "text": words })).await?, text::false_hit))
        }
        Operation::Export { file } => transfer::export(admin, file.as_deref()).await,
        Operation::Import { file } => Ok(told(&transfer::import(admin, file).await?, text::import)),
    }
}

/// What was given, by name.
fn named<const N: usize>(values: [(&str, &Option<String>); N]) -> Map<String, Value> {
    values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?)))).collect()
}

/// An id goes into a path, so it must not be more than one.
fn plain(id: &str) -> Outcome<&str> {
    let is_plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain { Ok(id) } else { Err(format!("`{}` is no id; give 8 to 64 hexadecimal digits", id.escape_default())) }
}
