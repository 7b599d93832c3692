//! Checks that call out.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::remote::{Follow, Hook, Sink, Terms, Token},
    Parameters, Translated,
};
use crate::guard::verdict::OnError;

type Result = std::result::Result<Translated, String>;

/// How long Portkey waits.
const TIMEOUT: Duration = Duration::from_secs(3);

fn on_error(parameters: &Parameters<'_>, default: bool) -> OnError {
    if parameters.flag("failOnError", default) { OnError::Closed } else { OnError::Open }
}

/// Headers as an object, or as the text of one.
fn headers(parameters: &Parameters<'_>) -> std::result::Result<BTreeMap<String, String>, String> {
    match parameters.read::<String>("headers") {
        Ok(Some(text)) if text.trim().is_empty() => Ok(BTreeMap::new()),
        Ok(Some(text)) => serde_json::from_str(&text).map_err(|error| format!("the parameter `headers` is no JSON: {error}")),
        _ => Ok(parameters.read("headers")?.unwrap_or_default()),
    }
}

pub(super) fn webhook(parameters: &Parameters<'_>) -> Result {
    let url: String = parameters.required("webhookURL")?;
    let forward = parameters.texts("forwardHeaders")?;
    let on_error = on_error(parameters, false);
    let hook = Hook::new(&url, &headers(parameters)?, &forward, parameters.timeout(TIMEOUT)?)?;
    Ok(Translated::Remote(Box::new(hook), on_error))
}

pub(super) fn log(parameters: &Parameters<'_>) -> Result {
    let url: String = parameters.required("logURL")?;
    let sink = Sink::new(&url, &headers(parameters)?, parameters.timeout(TIMEOUT)?)?;
    Ok(Translated::Remote(Box::new(sink), OnError::Open))
}

/// An answer without any link fails.
pub(super) fn valid_urls(parameters: &Parameters<'_>) -> Result {
    let (only_dns, not) = (parameters.flag("onlyDNS", false), parameters.flag("not", false));
    Ok(Translated::Remote(
        Box::new(Follow { only_dns, required: true, not, timeout: parameters.timeout(TIMEOUT)? }),
        OnError::Open,
    ))
}

pub(super) fn jwt(parameters: &Parameters<'_>) -> Result {
    let url: String = parameters.required("jwksUri")?;
    let header = parameters.read("headerKey")?.unwrap_or_else(|| "authorization".to_owned());
    let seconds = |name: &str, default| Ok::<_, String>(Duration::from_secs(parameters.read(name)?.unwrap_or(default)));
    let max_age = parameters.read("maxTokenAge")?.unwrap_or_else(|| "1d".to_owned());
    let max_age =
        humantime::parse_duration(&max_age).map_err(|error| format!("the parameter `maxTokenAge` is no time: {error}"))?;
    let terms = Terms { tolerance: seconds("clockTolerance", 5)?, max_age };
    let cache = seconds("cacheMaxAge", 86_400)?;
    let on_error = on_error(parameters, true);
    let token = Token::new(&url, &header, cache, terms, parameters.timeout(TIMEOUT)?)?;
    Ok(Translated::Remote(Box::new(token), on_error))
}
