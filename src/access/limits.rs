//! How much a caller may have: requests, tokens and money, by client key, virtual key, tenant, user and model.
//!
//! Requests are counted when they come in; tokens and money when an answer has cost some. An answer from the cache costs nothing, and so does one by
//! the call of another request. A limit says no once what was used has reached it; what is under way then is let through.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc, time::Duration};

use super::{
    Caller,
    meter::{Id, Meter, Window},
};
use crate::{
    clock,
    error::{Error, Kind, Result},
    exchange::Standing,
};

/// One bound: so much of something in a window of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// How much.
    pub most: f64,
    /// Of what.
    pub unit: Unit,
    /// In which time.
    pub window: Window,
    /// Whether who exceeds it is only written down.
    pub soft: bool,
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// Requests.
    Requests,
    /// Tokens, read and written.
    Tokens,
    /// US dollars.
    Usd,
}

/// Whose use is counted together, for limits that are not those of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Each tenant's.
    Tenant,
    /// Each user's of a tenant, as `_user` in the metadata names it.
    User,
    /// Each model's, whoever asks for it.
    Model,
}

/// Who may have how much.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Client keys, by name.
    pub client_keys: BTreeMap<String, Vec<Limit>>,
    /// Virtual keys, by name.
    pub virtual_keys: BTreeMap<String, Vec<Limit>>,
    /// Everybody else who can be told apart.
    pub shared: Vec<(By, Vec<Limit>)>,
}

impl Unit {
    /// The word in configuration, headers, log and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Usd => "usd",
        }
    }
}

impl FromStr for Limit {
    type Err = ();

    /// Reads `60 requests/minute`, `soft 40 usd/month`.
    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (soft, text) = text.trim().strip_prefix("soft ").map_or((false, text.trim()), |rest| (true, rest.trim_start()));
        let (most, what) = text.split_once(char::is_whitespace).ok_or(())?;
        let (unit, window) = what.trim().split_once('/').ok_or(())?;
        let most: f64 = most.replace('_', "").parse().map_err(|_| ())?;
        let unit = [Unit::Requests, Unit::Tokens, Unit::Usd].into_iter().find(|known| known.as_str() == unit.trim()).ok_or(())?;
        let window = Window::ALL.into_iter().find(|known| known.as_str() == window.trim()).ok_or(())?;
        (most.is_finite() && most >= 0.0).then_some(Self { most, unit, window, soft }).ok_or(())
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { most, unit, window, soft } = self;
        write!(f, "{}{most} {}/{}", if *soft { "soft " } else { "" }, unit.as_str(), window.as_str())
    }
}

/// The limits that hold for one request.
#[derive(Debug, Clone, Default)]
pub struct Bill(Vec<Item>);

#[derive(Debug, Clone)]
struct Item {
    limit: Limit,
    id: Id,
    /// Whose it is, for people: ``client key `app` ``.
    whose: Arc<str>,
}

/// Knows how much everybody has had.
#[derive(Debug, Clone)]
pub struct Limits {
    settings: Arc<Settings>,
    meter: Meter,
}

impl Limits {
    /// With nothing used yet.
    pub fn new(settings: &Settings) -> Self {
        Self { settings: Arc::new(settings.clone()), meter: Meter::default() }
    }

    /// What has been used, to be kept across restarts.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The limits of a request. `user` is what its metadata say.
    pub fn bill(&self, caller: &Caller, user: Option<&str>, model: &str) -> Bill {
        let mut bill = Bill::default();
        if let Some(key) = &caller.key {
            bill.add(self.settings.client_keys.get(key), "client key", key, key);
        }
        for (by, limits) in &self.settings.shared {
            let tenant = caller.tenant.to_string();
            match by {
                By::Tenant => bill.add(Some(limits), "tenant", &tenant, caller.tenant_name.as_deref().unwrap_or(&tenant[..8])),
                By::User => {
                    if let Some(user) = user {
                        bill.add(Some(limits), "user", &format!("{tenant}/{user}"), user);
                    }
                }
                By::Model => bill.add(Some(limits), "model", model, model),
            }
        }
        bill
    }

    /// The limits of a virtual key.
    pub fn bill_of_virtual_key(&self, name: &str) -> Bill {
        let mut bill = Bill::default();
        bill.add(self.settings.virtual_keys.get(name), "virtual key", name, name);
        bill
    }

    /// Counts a request, unless there have been too many.
    pub fn count(&self, bill: &Bill) -> Result<()> {
        let now = clock::unix_seconds();
        let mut taken: Vec<&Item> = Vec::new();
        for item in bill.of(Unit::Requests) {
            let most = if item.limit.soft { f64::INFINITY } else { item.limit.most };
            if !self.meter.take(item.id, item.limit.window, now, most) {
                for item in taken {
                    self.meter.add(item.id, item.limit.window, now, -1.0);
                }
                return Err(item.refusal(self.meter.used(item.id, item.limit.window, now), now));
            }
            self.warn(item, now);
            taken.push(item);
        }
        Ok(())
    }

    /// Whether there are tokens and money left for a call.
    pub fn may_spend(&self, bill: &Bill) -> Result<()> {
        let now = clock::unix_seconds();
        for item in bill.0.iter().filter(|item| item.limit.unit != Unit::Requests && !item.limit.soft) {
            let used = self.meter.used(item.id, item.limit.window, now);
            if used >= item.limit.most {
                return Err(item.refusal(used, now));
            }
        }
        Ok(())
    }

    /// Counts what a call has cost.
    pub fn spend(&self, bill: &Bill, tokens: u64, usd: Option<f64>) {
        let now = clock::unix_seconds();
        for item in &bill.0 {
            let amount = match item.limit.unit {
                Unit::Requests => continue,
                Unit::Tokens => tokens as f64,
                Unit::Usd => usd.unwrap_or(0.0),
            };
            self.meter.add(item.id, item.limit.window, now, amount);
            self.warn(item, now);
        }
    }

    /// What is left, of the limit of each unit that is nearest to its end.
    pub fn standing(&self, bill: &Bill) -> Vec<Standing> {
        let now = clock::unix_seconds();
        let standing = |item: &Item| {
            let left = (item.limit.most - self.meter.used(item.id, item.limit.window, now)).max(0.0);
            let reset = item.limit.window.left(now);
            Standing { unit: item.limit.unit.as_str(), most: item.limit.most, left, reset }
        };
        let nearest = |unit: Unit| {
            let hard = bill.of(unit).filter(|item| !item.limit.soft).map(standing);
            hard.min_by(|one, other| (one.left / one.most).total_cmp(&(other.left / other.most)))
        };
        [Unit::Requests, Unit::Tokens, Unit::Usd].into_iter().filter_map(nearest).collect()
    }

    /// Says once a window that a soft limit was passed.
    fn warn(&self, item: &Item, now: u64) {
        if item.limit.soft && self.meter.passed(item.id, item.limit.window, now, item.limit.most) {
            tracing::warn!(whose = %item.whose, limit = %item.limit, "A soft limit was passed; requests go on.");
        }
    }
}

impl Bill {
    fn add(&mut self, limits: Option<&Vec<Limit>>, kind: &str, id: &str, name: &str) {
        for limit in limits.into_iter().flatten() {
            let whose = format!("{kind} `{}`", &name[..name.floor_char_boundary(64)]).into();
            let id = Meter::id(&[kind, id, limit.unit.as_str(), limit.window.as_str(), if limit.soft { "soft" } else { "" }]);
            self.0.push(Item { limit: *limit, id, whose });
        }
    }

    /// These, and those of another.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    fn of(&self, unit: Unit) -> impl Iterator<Item = &Item> {
        self.0.iter().filter(move |item| item.limit.unit == unit)
    }
}

impl Item {
    fn refusal(&self, used: f64, now: u64) -> Error {
        let Self { limit, whose, .. } = self;
        let wait = limit.window.wait(now, used, limit.most);
        let told = humantime::format_duration(wait);
        match limit.unit {
            Unit::Usd => {
                let message = format!(
                    "The budget of {whose} is spent: {limit}. It is renewed in {told}; the operator may raise it under `limits`."
                );
                Error::new(Kind::OverBudget, message)
            }
            unit => {
                let message =
                    format!("The {whose} has had as many {} as it may have: {limit}. Try again in {told}.", unit.as_str());
                Error::new(Kind::Limited, message).retry_after(wait)
            }
        }
    }
}

/// What waits for a window to end, rounded up to what people say.
pub(super) fn whole_seconds(seconds: f64) -> Duration {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped first")]
    let seconds = seconds.ceil().clamp(1.0, 1e9) as u64;
    Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Tenant;

    fn limits(of: &[&str]) -> Vec<Limit> {
        of.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn caller(key: &str) -> Caller {
        Caller {
            tenant: Tenant([7; 16]),
            tenant_name: None,
            key: Some(key.to_owned()),
            profiles: None,
            config: None,
            virtual_keys: None,
            credential: None,
        }
    }

    fn of_key(texts: &[&str]) -> (Limits, Bill) {
        let settings = Settings { client_keys: BTreeMap::from([("app".to_owned(), limits(texts))]), ..Settings::default() };
        let limits = Limits::new(&settings);
        let bill = limits.bill(&caller("app"), None, "m");
        (limits, bill)
    }

    #[test]
    fn a_limit_reads_as_people_say_it() {
        for text in ["60 requests/minute", "100000 tokens/day", "soft 40 usd/month", "0.5 usd/hour"] {
            assert_eq!(text.parse::<Limit>().unwrap().to_string(), text);
        }
        assert_eq!("1_000 tokens/day".parse::<Limit>().unwrap().most.to_string(), "1000");
        for text in ["", "60", "requests/minute", "-1 requests/minute", "60 calls/minute", "60 requests/week", "inf usd/day"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }

    #[test]
    fn requests_are_counted_when_they_come_in_and_refused_when_they_are_too_many() {
        let (limits, bill) = of_key(&["3 requests/day", "2 requests/month"]);
        assert!(limits.count(&bill).is_ok() && limits.count(&bill).is_ok());
        let error = limits.count(&bill).unwrap_err();
        assert_eq!(error.kind(), Kind::Limited);
        assert!(error.message().contains("client key `app`") && error.message().contains("2 requests/month"), "{error}");
        let left: Vec<_> = limits.standing(&bill).iter().map(|standing| (standing.unit, standing.left.to_string())).collect();
        assert_eq!(left, [("requests", "0".to_owned())]);
        let other = limits.bill(&caller("other"), None, "m");
        assert!(limits.count(&other).is_ok(), "another key has limits of its own, or none");
    }

    #[test]
    fn tokens_and_money_are_counted_when_they_are_spent() {
        let (limits, bill) = of_key(&["1000 tokens/day", "1 usd/month"]);
        assert!(limits.may_spend(&bill).is_ok());
        limits.spend(&bill, 999, Some(0.4));
        assert!(limits.may_spend(&bill).is_ok());
        limits.spend(&bill, 999, None);
        assert_eq!(limits.may_spend(&bill).unwrap_err().kind(), Kind::Limited);
        let (limits, bill) = of_key(&["1 usd/month", "soft 0.1 usd/month"]);
        limits.spend(&bill, 1, Some(0.5));
        assert!(limits.may_spend(&bill).is_ok(), "a soft limit refuses nobody");
        limits.spend(&bill, 1, Some(0.5));
        assert_eq!(limits.may_spend(&bill).unwrap_err().kind(), Kind::OverBudget);
    }

    #[test]
    fn users_tenants_and_models_are_told_apart() {
        let shared = vec![(By::User, limits(&["1 requests/day"])), (By::Model, limits(&["2 requests/day"]))];
        let limits = Limits::new(&Settings { shared, ..Settings::default() });
        let ask = |user: Option<&str>, model: &str| limits.count(&limits.bill(&caller("app"), user, model)).is_ok();
        assert!(ask(Some("ann"), "m") && !ask(Some("ann"), "m"));
        assert!(ask(Some("bob"), "m"), "what was refused was not counted for the model");
        assert!(!ask(Some("cho"), "m") && ask(Some("cho"), "n") && ask(None, "n"));
    }
}
