//! What a call may ask of the demo upstream: how late, how long, and how broken the answer is.
//!
//! Written `latency=200,status=429`, in the `x-demo` header or in the model's name after a colon (`demo:status=429`).
//! `TABLE` is the one list of them: parsing, the refusal of an unknown one and the help of `lockgate demo` read it.

use std::{fmt::Write as _, time::Duration};

use http::StatusCode;

/// The longest answer that may be asked for: enough for any limit worth testing, and no way to exhaust memory.
const MOST_TOKENS: usize = 100_000;

/// Latency and failure, as asked for; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Directives {
    /// Wait before the head of the answer.
    pub latency: Option<Duration>,
    /// Wait between the events of a stream.
    pub interval: Option<Duration>,
    /// Answer with an OpenAI-shaped error of this status.
    pub status: Option<StatusCode>,
    /// Seconds in the `retry-after` header of an error; a 429 has one anyway.
    pub retry_after: Option<u32>,
    /// The share of calls that the failures apply to; all of them if absent.
    pub rate: Option<f64>,
    /// Reset the connection after so many events, or bytes of a JSON body.
    pub reset: Option<usize>,
    /// Go silent after so many events, or bytes of a JSON body.
    pub stall: Option<usize>,
    /// Send a broken event after so many events, or cut a JSON body to so many bytes.
    pub malformed: Option<usize>,
    /// Answer 200 with an `error` object as the body.
    pub error200: bool,
    /// Send half: fewer bytes than `content-length` says, or a stream that ends without `[DONE]`.
    pub truncate: bool,
    /// The length of the answer, in words.
    pub tokens: Option<usize>,
    /// Answer with the request as it arrived.
    pub echo: bool,
}

/// One directive: how it is written, what it does, and how its value is read.
struct Directive {
    name: &'static str,
    /// The name of its value, empty where it takes none.
    value: &'static str,
    help: &'static str,
    set: fn(&mut Directives, &str) -> Result<(), String>,
}

#[rustfmt::skip] // A table reads best with one row a line.
const TABLE: &[Directive] = &[
    Directive { name: "latency", value: "MS", help: "wait before the head of the answer", set: |d, v| put(&mut d.latency, millis(v)) },
    Directive { name: "interval", value: "MS", help: "wait between the events of a stream", set: |d, v| put(&mut d.interval, millis(v)) },
    Directive { name: "status", value: "CODE", help: "answer with an error of this status (429 has a retry-after)", set: |d, v| put(&mut d.status, status(v)) },
    Directive { name: "retry-after", value: "S", help: "seconds in the retry-after header of an error", set: |d, v| put(&mut d.retry_after, whole(v)) },
    Directive { name: "rate", value: "SHARE", help: "share of calls that fail, from 0 to 1, evenly spread (default: 1)", set: |d, v| put(&mut d.rate, rate(v)) },
    Directive { name: "reset", value: "N", help: "reset the connection after N events, or N bytes of a JSON body", set: |d, v| put(&mut d.reset, whole(v)) },
    Directive { name: "stall", value: "N", help: "go silent after N events, or N bytes of a JSON body", set: |d, v| put(&mut d.stall, whole(v)) },
    Directive { name: "malformed", value: "N", help: "send a broken event after N, or cut a JSON body to N bytes", set: |d, v| put(&mut d.malformed, whole(v)) },
    Directive { name: "error200", value: "", help: "answer 200 with an error object as the body", set: |d, _| { d.error200 = true; Ok(()) } },
    Directive { name: "truncate", value: "", help: "send half: less than content-length says, or a stream without [DONE]", set: |d, _| { d.truncate = true; Ok(()) } },
    Directive { name: "tokens", value: "N", help: "length of the answer in words", set: |d, v| put(&mut d.tokens, tokens(v)) },
    Directive { name: "echo", value: "", help: "answer with the request as it arrived: method, path, headers, body", set: |d, _| { d.echo = true; Ok(()) } },
];

impl Directives {
    /// Reads a comma-separated list; the error is a sentence for the caller.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut directives = Self::default();
        for written in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            let (name, value) = written.split_once('=').unwrap_or((written, ""));
            let Some(row) = TABLE.iter().find(|row| row.name == name) else {
                return Err(format!("Unknown directive `{name}`. The known ones are: {}.", known()));
            };
            if row.value.is_empty() != value.is_empty() {
                return Err(format!("Directive `{written}` is written `{}`.", row.form()));
            }
            (row.set)(&mut directives, value).map_err(|expected| format!("Directive `{written}` needs {expected}."))?;
        }
        Ok(directives)
    }

    /// These directives, with whatever `over` says in their place.
    ///
    /// A failure that `over` names comes at the rate that `over` names: a call that asks for a 429 gets it, however
    /// rarely the failures of the defaults strike.
    #[must_use]
    pub fn overridden_by(&self, over: &Self) -> Self {
        Self {
            latency: over.latency.or(self.latency),
            interval: over.interval.or(self.interval),
            status: over.status.or(self.status),
            retry_after: over.retry_after.or(self.retry_after),
            rate: if over.names_a_failure() { over.rate } else { over.rate.or(self.rate) },
            reset: over.reset.or(self.reset),
            stall: over.stall.or(self.stall),
            malformed: over.malformed.or(self.malformed),
            error200: over.error200 || self.error200,
            truncate: over.truncate || self.truncate,
            tokens: over.tokens.or(self.tokens),
            echo: over.echo || self.echo,
        }
    }

    /// What remains for a call that the rate spares.
    pub(super) fn without_failures(&self) -> Self {
        Self { latency: self.latency, interval: self.interval, tokens: self.tokens, echo: self.echo, ..Self::default() }
    }

    pub(super) fn names_a_failure(&self) -> bool {
        let Self { status, reset, stall, malformed, error200, truncate, .. } = self;
        status.is_some() || [reset, stall, malformed].iter().any(|n| n.is_some()) || *error200 || *truncate
    }

    /// Does the `nth` call that names a failure get it? Counted, not drawn: a tenth is every tenth, so tests repeat.
    pub(super) fn strikes(&self, nth: u64) -> bool {
        let due = |calls: u64| (calls as f64 * self.rate.unwrap_or(1.0)).floor();
        due(nth) > due(nth.saturating_sub(1))
    }

    /// The table as text, one directive a line, for the help of the command.
    pub fn help() -> String {
        TABLE.iter().fold(String::new(), |mut text, row| {
            let _ = writeln!(text, "  {:<14} {}", row.form(), row.help);
            text
        })
    }
}

impl Directive {
    fn form(&self) -> String {
        if self.value.is_empty() { self.name.to_owned() } else { format!("{}={}", self.name, self.value) }
    }
}

fn known() -> String {
    TABLE.iter().map(Directive::form).collect::<Vec<_>>().join(", ")
}

fn put<T>(place: &mut Option<T>, read: Result<T, String>) -> Result<(), String> {
    *place = Some(read?);
    Ok(())
}

/// Milliseconds, as directives and flags write them.
pub fn millis(text: &str) -> Result<Duration, String> {
    whole(text).map(Duration::from_millis)
}

/// A status that means failure; any other would be an answer, and those are not made up here.
pub fn status(text: &str) -> Result<StatusCode, String> {
    let code = text.parse().ok().filter(|code: &StatusCode| code.is_client_error() || code.is_server_error());
    code.ok_or_else(|| "an error status, 400 to 599".to_owned())
}

/// A share of all calls.
pub fn rate(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share from 0 to 1".to_owned())
}

/// The length of an answer.
pub fn tokens(text: &str) -> Result<usize, String> {
    let words = text.parse().ok().filter(|words| (1..=MOST_TOKENS).contains(words));
    words.ok_or_else(|| format!("a number of words, 1 to {MOST_TOKENS}"))
}

fn whole<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "a whole number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No directive but what `set` does.
    fn only(set: impl FnOnce(&mut Directives)) -> Directives {
        let mut directives = Directives::default();
        set(&mut directives);
        directives
    }

    #[test]
    fn each_directive_sets_its_own_field() {
        let ms = |n| Some(Duration::from_millis(n));
        let cases = [
            ("", only(|_| {})),
            (" , ,", only(|_| {})),
            ("latency=200", only(|d| d.latency = ms(200))),
            ("interval=5", only(|d| d.interval = ms(5))),
            ("status=429", only(|d| d.status = Some(StatusCode::TOO_MANY_REQUESTS))),
            ("retry-after=7", only(|d| d.retry_after = Some(7))),
            ("rate=0.1", only(|d| d.rate = Some(0.1))),
            ("reset=3", only(|d| d.reset = Some(3))),
            ("stall=0", only(|d| d.stall = Some(0))),
            ("malformed=2", only(|d| d.malformed = Some(2))),
            ("error200", only(|d| d.error200 = true)),
            ("truncate", only(|d| d.truncate = true)),
            ("tokens=9", only(|d| d.tokens = Some(9))),
            ("echo", only(|d| d.echo = true)),
            ("latency=1, echo", only(|d| (d.latency, d.echo) = (ms(1), true))),
        ];
        for (text, expected) in cases {
            assert_eq!(Directives::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_remedy() {
        let cases = [
            ("latency", "Directive `latency` is written `latency=MS`."),
            ("echo=1", "Directive `echo=1` is written `echo`."),
            ("latency=soon", "Directive `latency=soon` needs a whole number."),
            ("status=200", "Directive `status=200` needs an error status, 400 to 599."),
            ("rate=2", "Directive `rate=2` needs a share from 0 to 1."),
            ("tokens=0", "Directive `tokens=0` needs a number of words, 1 to 100000."),
        ];
        for (text, expected) in cases {
            assert_eq!(Directives::parse(text), Err(expected.to_owned()), "{text}");
        }
        let unknown = Directives::parse("latencyy=1").unwrap_err();
        assert!(unknown.starts_with("Unknown directive `latencyy`. The known ones are: latency=MS, "), "{unknown}");
    }

    #[test]
    fn a_rate_strikes_evenly() {
        let struck = |text: &str| {
            let directives = Directives::parse(text).unwrap();
            (1..=20).filter(|nth| directives.strikes(*nth)).collect::<Vec<u64>>()
        };
        assert_eq!(struck("rate=0.1"), [10, 20]);
        assert_eq!(struck("rate=0.5").len(), 10);
        assert!(struck("rate=0").is_empty());
        assert_eq!(struck("").len(), 20);
    }

    #[test]
    fn a_calls_own_failure_ignores_the_rate_of_the_defaults() {
        let defaults = Directives::parse("status=503,rate=0.1,latency=5").unwrap();
        let own = defaults.overridden_by(&Directives::parse("status=429").unwrap());
        assert_eq!(own, Directives::parse("status=429,latency=5").unwrap());
        let spared = defaults.overridden_by(&Directives::parse("echo").unwrap());
        assert_eq!(spared.without_failures(), Directives::parse("latency=5,echo").unwrap());
    }
}
