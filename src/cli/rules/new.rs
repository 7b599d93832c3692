//! `rules new`: a rule file to begin with.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use super::{Outcome, Said, Trouble, Which};
use crate::guard::{authoring::template, rules::is_id};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The kind of match to begin with; without it, which there are.
    kind: Option<String>,
    /// The rule's id: small letters, digits and dashes. Without it, the rule is printed.
    id: Option<String>,
}

pub(super) fn run(which: &Which, args: &Args) -> Outcome {
    let mut kinds: Vec<_> = template::kinds().collect();
    kinds.sort_unstable();
    let Some(kind) = &args.kind else {
        return Ok(Said::well(format!("{}\n\nNext: `lockgate rules new KIND ID` writes one.\n", kinds.join("\n"))));
    };
    let Some(text) = template::of(kind) else {
        return Err(format!("there is no kind `{}`; there are {}", kind.escape_default(), kinds.join(", ")).into());
    };
    match &args.id {
        None => Ok(Said::well(text.to_owned())),
        Some(id) if is_id(id) => write(&folder(which)?, id, text),
        Some(id) => {
            Err(format!("`{}` is no id; write small letters, digits and dashes: payment-card", id.escape_default()).into())
        }
    }
}

/// Where rules of one's own are: as the configuration says, or else here.
fn folder(which: &Which) -> Result<PathBuf, Trouble> {
    if let Some(folder) = &which.rules {
        return Ok(folder.clone());
    }
    let directory = if which.config.is_some() { which.settings()?.directory } else { None };
    Ok(directory.unwrap_or_default())
}

fn write(folder: &Path, id: &str, text: &str) -> Outcome {
    let file = folder.join(format!("{id}.yaml"));
    let failed = |error: &std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => format!("{} is there already; choose another id", file.display()),
        _ => format!("{}: {error}; check the folder and its permissions", file.display()),
    };
    if !folder.as_os_str().is_empty() {
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    let created = OpenOptions::new().write(true).create_new(true).open(&file);
    created.and_then(|mut to| to.write_all(text.as_bytes())).map_err(|error| failed(&error))?;
    let path = file.display();
    Ok(Said::well(format!("Wrote {path}.\nNext: make it yours, and run `lockgate rules test {path}`.\n")))
}
