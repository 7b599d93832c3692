//! Lockgate: a semantic cache and guardrails sidecar for LLM traffic.
//!
//! A canal lock has two gates and a basin between them: nothing passes unless a gate lets it, and the water in the basin is used again.
//!
//! # The life of a request
//!
//! ```text
//! app ─HTTP─▶ ingress ─▶ pipeline ──────────────────────────────────────────────▶ egress ─HTTP─▶ app
//!                        access   who calls: client key or credential, tenant
//!                        plan     its headers, its key and the operator's configs → which targets, in which order
//!                      1 guard    input gate: Screened request, or a Block
//!                      2 cache    exact hit; who misses joins a flight, and what follows happens once for all on it:
//!                                 semantic hit, miss with a Ticket, bypass with a reason
//!                      3 route    on a miss or a bypass: attempt a target, through outbound
//!                      4 guard    output gate: Cleared answer, or a Block; 3 and 4 take turns until the plan stops
//!                      5 cache    admit, only a Cleared and Complete answer
//!                        restore  each caller's own values back into placeholders, last of all
//! ```
//!
//! [`ingress`] listens, bounds what comes in and decodes it to a [`wire::Request`] that keeps the bytes as they were sent; who
//! speaks Anthropic's Messages or OpenAI's Responses is translated there, and back in [`egress`] ([`wire::dialect`]). [`access`] says who calls.
//! [`pipeline`] knows the order of the stages and nothing else does. The input gate of [`guard`] makes it [`guard::Screened`], after whom its rules ask ([`guard::Callouts`]) has had a say; [`cache`] looks it up. When the
//! exact tier misses, the request joins the flight ([`cache::flight`]) of those who ask for the same, or leads one, which asks [`embed`] for a vector,
//! has the nearest entries verified ([`cache::verify`]), and makes the one upstream call. [`route`] has planned where it goes ([`route::config`]), and attempts one target after the other over
//! [`outbound`], the only client socket, in the words of its provider ([`route::provider`]). The output gate makes the answer
//! [`guard::Cleared`], hits included, and mints [`guard::Complete`] when the model had said all; only with both does the cache admit it, and hand it to
//! its [`cache::store`], which keeps it across restarts. A stream is a [`guard::ClearedStream`], told as far as no match can reach back into it. What a caller gets is
//! [`guard::Restored`], and there is no way from there into the cache. [`egress`] turns answer or
//! refusal into HTTP, and [`ledger`] writes down how it ended.
//!
//! Around them: [`config`] reads the file and builds every room's settings, [`diagnostics`] criticises what people write, [`app`] composes the rooms,
//! [`console`] shows health, metrics, the rules and the cache to operators, who may also load rules again and take entries out, [`telemetry`] names what is measured, [`demo`] is an upstream to try things on, [`guard::authoring`] tells authors of rules what their rules do, and [`cli`] holds the verbs.
//!
//! # Invariants
//!
//! 1. The cache keys on `Screened` text and stores `Cleared` answers: what was redacted never reaches a key, a vector, a disk or another user.
//! 2. Output rules apply to hits and to followers too. An entry remembers the rule set it was cleared under; what is [`guard::Stored`] becomes `Cleared` only at the output gate.
//! 3. A block is a verdict, not an error.
//! 4. Cache trouble is a miss, never a 5xx.
//! 5. A stream is cleared event by event and enters the cache only with the `Complete` token that the output gate mints after its last event. A cancelled, truncated,
//!    refused or failed answer never does.
//! 6. Tenants do not share entries, flights or vectors. A client may tighten a threshold or a rule, never loosen it.
//! 7. Logs carry rule ids, never the matched text, never a key.
//! 8. Vectors of different models, engines, precisions or CPU kinds never meet in one index: [`embed::Fingerprint`] includes a probe vector, because int8
//!    arithmetic differs between CPUs.
//! 9. Nothing is served for its meaning that was not verified. A check can lower a score, and no check can raise it.
//! 10. A store that was filled by one engine keeps it: a shared library that appears does not silently empty the cache.

// In travel order; the blank lines keep the formatter from sorting them.

pub mod cli;

pub mod app;

pub mod pipeline;

pub mod exchange;

pub mod error;

pub mod clock;

pub mod diagnostics;

pub mod ingress;

pub mod access;

pub mod guard;

pub mod cache;

pub mod embed;

pub mod route;

pub mod egress;

pub mod outbound;

pub mod wire;

pub mod ledger;

pub mod console;

pub mod config;

pub mod telemetry;

pub mod demo;
