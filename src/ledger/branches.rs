//! What each target of a config answered, cost and took, so that two of them can be compared.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use metrics::{Label, counter, gauge, histogram};

use crate::{
    exchange::{Exchange, RouteNote},
    telemetry::{label, metric},
};

/// Targets that are told apart: configs come from clients, and each target is a series of every metric.
const MAX_BRANCHES: usize = 256;
/// Where the others are counted.
const OTHER: &str = "other";

/// The targets that have a series of their own.
#[derive(Debug, Clone, Default)]
pub struct Branches(Arc<Mutex<HashSet<[String; 3]>>>);

impl Branches {
    /// Counts an attempt, and the status that stands for what came of it.
    pub fn attempted(&self, route: &RouteNote, status: u16, took: Duration) {
        let mut labels = self.labels(route);
        histogram!(metric::TARGET_SECONDS, labels.iter()).record(took);
        labels.push(Label::new(label::STATUS, status.to_string()));
        counter!(metric::TARGET_ANSWERS, labels.iter()).increment(1);
    }

    /// Counts what an answer has cost.
    pub fn spent(&self, exchange: &Exchange) {
        let (Some(route), Some(cost)) = (&exchange.route, exchange.cost) else { return };
        let labels = self.labels(route);
        for (kind, tokens) in [("prompt", cost.usage.prompt_tokens), ("completion", cost.usage.completion_tokens)] {
            let labels = labels.iter().cloned().chain([Label::new(label::KIND, kind)]).collect::<Vec<_>>();
            counter!(metric::TARGET_TOKENS, labels.iter()).increment(tokens);
        }
        if let Some(usd) = exchange.usd {
            // Counters hold whole numbers alone.
            gauge!(metric::TARGET_USD, labels.iter()).increment(usd);
        }
    }

    fn labels(&self, route: &RouteNote) -> Vec<Label> {
        let own = [route.option.clone(), route.provider.clone(), route.virtual_key.clone().unwrap_or_default()];
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.contains(&own) || seen.len() < MAX_BRANCHES && seen.insert(own.clone());
        let [option, provider, key] = if known { own } else { [OTHER; 3].map(str::to_owned) };
        vec![Label::new(label::TARGET, option), Label::new(label::PROVIDER, provider), Label::new(label::VIRTUAL_KEY, key)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_targets_are_named_the_series_stay_few() {
        let branches = Branches::default();
        let name = |n: usize| {
            branches.labels(&RouteNote { option: format!("config.targets[{n}]"), ..RouteNote::default() })[0].value().to_owned()
        };
        assert_eq!(name(0), "config.targets[0]");
        (0..2 * MAX_BRANCHES).for_each(|n| drop(name(n)));
        assert_eq!((name(0).as_str(), name(2 * MAX_BRANCHES).as_str()), ("config.targets[0]", OTHER));
    }
}
