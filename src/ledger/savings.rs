//! What answers did not cost because they had been given before: tokens, time and money, by tenant and model.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use metrics::{Counter, Gauge, counter, gauge};
use serde::Serialize;

use crate::{
    diagnostics::{Document, Source},
    exchange::{Cost, Exchange},
    telemetry::{label, metric},
    wire::response::Usage,
};

/// Pairs of tenant and model that are told apart: who calls may write anything for a model, and each is a series of every metric.
const MAX_ACCOUNTS: usize = 256;
/// Where the others are counted.
const OTHER: &str = "other";
/// Digits of a tenant that has no name.
const TENANT_DIGITS: usize = 8;
/// Prices are per so many tokens.
const PER: f64 = 1e6;

/// What models cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// By model; a name that ends with `*` is that of all models that begin so.
    pub prices: Vec<(String, Price)>,
}

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Of tokens read.
    pub prompt: f64,
    /// Of tokens written.
    pub completion: f64,
}

/// The prices that ship with Lockgate.
const SHIPPED: &str = include_str!("prices.yaml");

impl Settings {
    /// The operator's prices, before those that ship with Lockgate.
    #[must_use]
    pub fn with_shipped(self) -> Self {
        let mut prices = shipped();
        prices.extend(self.prices);
        Self { prices }
    }

    /// The price of a model: its own, else that of the longest beginning.
    fn price(&self, model: &str) -> Option<Price> {
        let fitting = self.prices.iter().filter_map(|(name, price)| match name.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning).then_some((beginning.len(), price)),
            None => (name == model).then_some((usize::MAX, price)),
        });
        fitting.max_by_key(|(length, _)| *length).map(|(_, price)| *price)
    }
}

/// What the shipped list says; nothing if it is broken, which a test rules out.
fn shipped() -> Vec<(String, Price)> {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Written {
        prompt: f64,
        #[serde(default)]
        completion: f64,
    }
    let document = Document::parse(Source::new("prices.yaml", SHIPPED)).ok();
    let written = document.and_then(|document| document.read::<std::collections::BTreeMap<String, Written>>().value);
    let price = |written: Written| Price { prompt: written.prompt, completion: written.completion };
    written.unwrap_or_default().into_iter().map(|(model, written)| (model, price(written))).collect()
}

impl Price {
    fn of(self, prompt: u64, completion: u64) -> f64 {
        (self.prompt * prompt as f64 + self.completion * completion as f64) / PER
    }
}

/// What was saved since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Saved {
    /// Answers from the cache.
    pub hits: u64,
    /// Answers by the call of another request, which asked for the same at the same time.
    pub followers: u64,
    /// Tokens that were not read again.
    pub prompt_tokens: u64,
    /// Tokens that were not written again.
    pub completion_tokens: u64,
    /// Seconds for which nobody waited. Followers wait as long as their leader.
    pub seconds: f64,
    /// US dollars, of models whose price is configured.
    pub usd: f64,
}

/// Why an answer cost nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Cache,
    Flight,
}

impl By {
    fn as_str(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Flight => "flight",
        }
    }

    /// `None` if the answer was this request's own.
    fn of(exchange: &Exchange) -> Option<Self> {
        if exchange.entry.is_some() { Some(Self::Cache) } else { exchange.follower.then_some(Self::Flight) }
    }
}

/// The series of one tenant, one model and one reason.
struct Account {
    prompt_tokens: Counter,
    completion_tokens: Counter,
    seconds: Gauge,
    usd: Gauge,
}

impl Account {
    fn open(tenant: &str, model: &str, by: By) -> Self {
        let labels = [(label::TENANT, tenant.to_owned()), (label::MODEL, model.to_owned()), (label::BY, by.as_str().to_owned())];
        let tokens = |kind: &str| {
            let kind = (label::KIND, kind.to_owned());
            counter!(metric::SAVED_TOKENS, &labels.iter().cloned().chain([kind]).collect::<Vec<_>>())
        };
        Self {
            prompt_tokens: tokens("prompt"),
            completion_tokens: tokens("completion"),
            // Counters hold whole numbers alone.
            seconds: gauge!(metric::SAVED_SECONDS, &labels),
            usd: gauge!(metric::SAVED_USD, &labels),
        }
    }
}

/// Counts what is saved.
#[derive(Default)]
pub struct Savings {
    settings: Settings,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    total: Saved,
    accounts: HashMap<(String, String), [Account; 2]>,
}

impl std::fmt::Debug for Savings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Savings").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Savings {
    /// None yet, at these prices.
    pub fn new(settings: Settings) -> Self {
        Self { settings, book: Mutex::default() }
    }

    /// What these tokens of a model cost, in US dollars, where its price is known.
    pub fn price(&self, model: &str, usage: Usage) -> Option<f64> {
        Some(self.settings.price(model)?.of(usage.prompt_tokens, usage.completion_tokens))
    }

    /// All that was saved since the start.
    pub fn total(&self) -> Saved {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    /// Counts an answer, if it cost nothing. `took` is how long this request took.
    pub(super) fn count(&self, exchange: &Exchange, model: &str, took: Duration) {
        let (Some(by), Some(Cost { usage, took: before })) = (By::of(exchange), exchange.cost) else { return };
        // What is said to be saved was counted by a provider.
        let usage = if exchange.estimated { Usage::default() } else { usage };
        let seconds = if by == By::Cache { before.saturating_sub(took).as_secs_f64() } else { 0.0 };
        let price = self.settings.price(model);
        let saved = Saved {
            hits: u64::from(by == By::Cache),
            followers: u64::from(by == By::Flight),
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            seconds,
            usd: price.map_or(0.0, |price| price.of(usage.prompt_tokens, usage.completion_tokens)),
        };
        let tenant = exchange
            .tenant_name
            .as_deref()
            .map_or_else(|| exchange.tenant.to_string()[..TENANT_DIGITS].to_owned(), str::to_owned);
        self.book.lock().unwrap_or_else(PoisonError::into_inner).add((tenant, model.to_owned()), by, &saved);
    }
}

impl Book {
    fn add(&mut self, mut who: (String, String), by: By, saved: &Saved) {
        let total = &mut self.total;
        total.hits += saved.hits;
        total.followers += saved.followers;
        total.prompt_tokens += saved.prompt_tokens;
        total.completion_tokens += saved.completion_tokens;
        total.seconds += saved.seconds;
        total.usd += saved.usd;
        if self.accounts.len() >= MAX_ACCOUNTS && !self.accounts.contains_key(&who) {
            who = (OTHER.to_owned(), OTHER.to_owned());
        }
        let accounts = self.accounts.entry(who);
        let accounts =
            accounts.or_insert_with_key(|(tenant, model)| [By::Cache, By::Flight].map(|by| Account::open(tenant, model, by)));
        let account = &accounts[by as usize];
        account.prompt_tokens.increment(saved.prompt_tokens);
        account.completion_tokens.increment(saved.completion_tokens);
        account.seconds.increment(saved.seconds);
        account.usd.increment(saved.usd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Tenant;

    fn exchange(entry: bool, follower: bool) -> Exchange {
        let mut exchange = Exchange::new("t".to_owned(), Tenant([0xab; 16]));
        let usage = Usage { prompt_tokens: 1000, completion_tokens: 200 };
        exchange.cost = Some(Cost { usage, took: Duration::from_secs(3) });
        exchange.entry = entry.then_some([1; 32]);
        exchange.follower = follower;
        exchange
    }

    fn priced(prices: &[(&str, f64)]) -> Savings {
        let price = |&(name, prompt): &(&str, f64)| (name.to_owned(), Price { prompt, completion: 10.0 * prompt });
        Savings::new(Settings { prices: prices.iter().map(price).collect() })
    }

    #[test]
    fn a_hit_saves_what_the_answer_cost_less_the_time_it_took() {
        let savings = priced(&[("m", 2.0)]);
        savings.count(&exchange(true, false), "m", Duration::from_secs(1));
        let Saved { hits, followers, prompt_tokens, completion_tokens, seconds, usd } = savings.total();
        assert_eq!((hits, followers, prompt_tokens, completion_tokens), (1, 0, 1000, 200));
        assert!((seconds - 2.0).abs() < 1e-9 && (usd - 0.006).abs() < 1e-12, "{seconds} {usd}");
    }

    #[test]
    fn a_follower_saves_a_call_and_no_time_and_a_miss_saves_nothing() {
        let savings = priced(&[]);
        savings.count(&exchange(false, false), "m", Duration::ZERO);
        assert_eq!(savings.total(), Saved::default());
        savings.count(&exchange(false, true), "m", Duration::ZERO);
        let expected = Saved { followers: 1, prompt_tokens: 1000, completion_tokens: 200, ..Saved::default() };
        assert_eq!(savings.total(), expected);
        savings.count(&exchange(true, true), "m", Duration::ZERO);
        assert_eq!(savings.total().hits, 1, "who followed to a hit was answered from the cache");
    }

    #[test]
    fn a_models_own_price_goes_before_that_of_a_beginning_and_the_longest_of_those_first() {
        let settings = priced(&[("*", 1.0), ("gpt-5*", 2.0), ("gpt-5-mini*", 3.0), ("gpt-5-mini", 4.0)]).settings;
        let price = |model| settings.price(model).map(|price| price.prompt);
        assert_eq!((price("gpt-5-mini"), price("gpt-5-mini-2026")), (Some(4.0), Some(3.0)));
        assert_eq!((price("gpt-5"), price("other")), (Some(2.0), Some(1.0)));
        assert_eq!(priced(&[("gpt-5", 2.0)]).settings.price("gpt-5-mini"), None);
    }

    #[test]
    fn the_shipped_prices_are_read_and_the_operators_go_before_them() {
        assert!(shipped().len() > 40, "{} models", shipped().len());
        let own = Settings { prices: vec![("gpt-5-mini*".to_owned(), Price { prompt: 9.0, completion: 9.0 })] };
        let settings = own.with_shipped();
        let price = |model| settings.price(model).map(|price| price.prompt.to_string());
        assert_eq!((price("gpt-5-mini-2025"), price("gpt-5-2025")), (Some("9".to_owned()), Some("1.25".to_owned())));
        assert_eq!(price("a-model-of-ones-own"), None);
    }

    #[test]
    fn however_many_models_are_named_the_series_stay_few() {
        let savings = priced(&[]);
        for n in 0..2 * MAX_ACCOUNTS {
            savings.count(&exchange(true, false), &format!("model-{n}"), Duration::ZERO);
        }
        let book = savings.book.lock().unwrap();
        assert!(book.accounts.len() == MAX_ACCOUNTS + 1 && book.accounts.contains_key(&(OTHER.to_owned(), OTHER.to_owned())));
        assert!(book.accounts.contains_key(&("abababab".to_owned(), "model-0".to_owned())));
        assert_eq!(book.total.hits, 2 * MAX_ACCOUNTS as u64);
    }
}
