//! The whole house, from outside: real sockets on both sides, and an upstream that does what each test tells it to.
//!
//! Nothing here sleeps or measures time: a test waits for what it expects, and [`patient`] ends a wait that is in vain.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "tests open sockets of their own and read answers that they know")]

use std::{future::Future, time::Duration};

#[path = "../support/binary.rs"]
mod binary;
#[path = "../support/client.rs"]
mod client;
#[path = "../support/house.rs"]
mod house;
#[path = "../support/message.rs"]
mod message;
#[path = "../support/shapes.rs"]
mod shapes;
#[path = "../support/upstream.rs"]
mod upstream;

mod cache;
mod cache_operations;
mod callouts;
mod connections;
mod demo;
mod endpoints;
mod flights;
mod gates;
mod guard;
mod guard_meaning;
mod guarded_streams;
mod headers;
mod hooks;
mod labels;
mod limits;
mod meaning;
mod messages;
mod operations;
mod persistence;
mod process;
mod prompts;
mod reload;
mod requests;
mod responses;
mod router;
mod router_faults;
mod rules;
mod rules_guide;
mod start;
mod streams;
mod tls;
mod upstreams;
mod verbs;

use client::Answer;
use house::House;
use shapes::{CHAT, chat, said, streamed};
use upstream::{Talk, Upstream};

/// Long enough for the slowest machine; only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits, but not for ever.
async fn patient<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited in vain for {PATIENCE:?}"))
}
