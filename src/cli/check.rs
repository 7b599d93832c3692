//! `lockgate check`: says what is wrong with the files, or what would run.

use std::path::Path;

use bytesize::ByteSize;

use crate::{
    cache::{self, verify::enough},
    config::{Config, Environment},
    diagnostics::Report,
    embed,
    guard::rules::{self, Pack},
    route::prompts::Prompts,
};

/// What was found, ready to be printed.
#[derive(Debug)]
pub struct Checked {
    /// Whether Lockgate would start.
    pub ok: bool,
    /// The reports, or a summary of what would run.
    pub text: String,
}

/// Checks a configuration file by the code that `serve` starts with; `color` adds terminal colours.
pub fn run(file: &Path, environment: Environment<'_>, color: bool) -> Checked {
    match Config::load(file, environment) {
        Ok(config) => match rules::load(&config.guard).and_then(|pack| prompts(&config).map(|()| pack)) {
            Ok(pack) => match model(&config) {
                Ok(()) => Checked { ok: true, text: summary(file, &config, &pack) },
                Err(error) => Checked { ok: false, text: format!("error: {error}\n") },
            },
            Err(reports) => refused(&reports, color),
        },
        Err(report) => refused(&[report], color),
    }
}

/// Loads the prompts that `serve` would load.
fn prompts(config: &Config) -> Result<(), Vec<Report>> {
    let folder = config.route.as_ref().and_then(|route| route.prompts.as_deref());
    folder.map_or(Ok(()), |folder| Prompts::load(folder).map(drop))
}

/// Loads what `serve` would load.
fn model(config: &Config) -> Result<(), embed::EmbedError> {
    if !config.cache.mode.compares_meaning() {
        return Ok(());
    }
    embed::load(&config.embed).map(drop)
}

fn refused(reports: &[Report], color: bool) -> Checked {
    let text = reports.iter().map(|report| report.render(color)).collect::<Vec<_>>().join("\n");
    Checked { ok: false, text }
}

fn summary(file: &Path, config: &Config, pack: &Pack) -> String {
    format!(
        "{}: fine\n  listen    {}, {}\n  admin     {}\n  upstream  {}\n  cache     {}\n  rules     {}\n",
        file.display(),
        config.ingress.listen,
        callers(config),
        config.console.admin,
        config.route.as_ref().map_or_else(|| "demo".to_owned(), |route| route.base_url.to_string()),
        cache_line(&config.cache),
        rules_line(config, pack),
    )
}

fn callers(config: &Config) -> String {
    match config.access.client_keys.len() {
        0 => "without client keys".to_owned(),
        1 => "1 client key".to_owned(),
        several => format!("{several} client keys"),
    }
}

fn cache_line(cache: &cache::Settings) -> String {
    let kept = format!("{} for {}", ByteSize(cache.max_bytes), humantime::format_duration(cache.ttl));
    match cache.mode {
        cache::Mode::Off => "off".to_owned(),
        cache::Mode::Exact => format!("exact, {kept}"),
        cache::Mode::Semantic => format!("semantic from {}, {kept}{}", cache.threshold, estimate(cache)),
        cache::Mode::Shadow => {
            format!("exact; semantic from {} is only written down, {kept}{}", cache.threshold, estimate(cache))
        }
    }
}

/// What stands behind a threshold that nobody wrote, and how labels replace it.
fn estimate(cache: &cache::Settings) -> String {
    let Some(max_error) = cache.max_error else { return String::new() };
    let labels = enough(max_error);
    format!(
        "\n            {} is an estimate for max_error {max_error} until {labels} labels of your own traffic are there: run \
         `mode: shadow` for a while,\n            and report false hits; `lockgate cache stats` tells",
        cache.threshold
    )
}

fn rules_line(config: &Config, pack: &Pack) -> String {
    let active = pack.input.rules().len() + pack.output.rules().len();
    let folder = config.guard.directory.as_ref().map(|folder| folder.display().to_string());
    let from = match (config.guard.builtin, folder) {
        (true, Some(folder)) => format!("built in, and {folder}"),
        (true, None) => "built in".to_owned(),
        (false, Some(folder)) => folder,
        (false, None) => "no folder".to_owned(),
    };
    format!("{active} active, {from}")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::{Checked, run};

    fn check(text: &str) -> (Checked, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lockgate.yaml");
        fs::write(&file, text).unwrap();
        (run(&file, &|_| None, false), file)
    }

    #[test]
    fn a_file_that_is_fine_is_summed_up() {
        let (checked, file) = check("upstream: {url: https://a.b/v1}\n");
        assert!(checked.ok);
        let summary = format!(
            "{}: fine\n  listen    127.0.0.1:8787, without client keys\n  admin     127.0.0.1:8788\n  \
             upstream  https://a.b/v1\n  cache     semantic from 0.94, 256.0 MiB for 1day\n  rules     ",
            file.display()
        );
        // How many ship is no business of this test.
        let rules = checked.text.strip_prefix(&summary).and_then(|rest| rest.strip_suffix(" active, built in\n"));
        assert!(rules.is_some_and(|count| count.parse::<usize>().is_ok_and(|count| count > 0)), "{}", checked.text);
    }

    #[test]
    fn a_max_error_is_said_to_be_an_estimate_and_how_it_becomes_more() {
        for mode in ["semantic", "shadow"] {
            let (checked, _) = check(&format!("upstream: {{url: https://a.b/v1}}\ncache: {{mode: {mode}, max_error: 0.02}}\n"));
            let words = ["semantic from 0.95", "an estimate for max_error 0.02 until 189 labels", "`mode: shadow`", "false hits"];
            assert!(checked.ok && words.iter().all(|word| checked.text.contains(word)), "{}", checked.text);
        }
    }

    #[test]
    fn a_file_that_is_not_is_reported() {
        let (checked, _) = check("upstream: {url: https://a.b/v1}\ncache: {mode: fuzzy}\n");
        assert!(!checked.ok);
        assert!(checked.text.contains("lockgate.yaml:2:15") && checked.text.contains("1 problem in "), "{}", checked.text);
    }
}
