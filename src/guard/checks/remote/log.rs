//! A copy of what passes, for somebody who keeps it.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, Method};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    super::Kind,
    Answer, Asking, Question, RemoteCheck,
    call::{self, Target},
    webhook,
};
use crate::{guard::rules::Site, outbound::Client};

/// Sends what a webhook is sent, and never matches. The request waits for it, up to the timeout.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Where it is sent, with POST. Private addresses only if `upstream.allow_private_addresses` is set.
    pub url: String,
    /// Headers of the call.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// How long the whole call may take.
    #[serde(default = "call::default_timeout")]
    pub timeout: String,
}

impl Kind for Log {
    fn build(&self, site: &mut Site<'_, '_>) {
        let timeout = call::timeout(site, &self.timeout);
        if let Some(sink) = site.built(Sink::new(&self.url, &self.headers, timeout)) {
            site.keep_remote(sink);
        }
    }
}

/// Where copies go.
#[derive(Debug)]
pub(in super::super) struct Sink {
    target: Target,
    headers: HeaderMap,
    timeout: Duration,
}

impl Sink {
    /// The error says which part of it cannot be used.
    pub(in super::super) fn new(url: &str, headers: &BTreeMap<String, String>, timeout: Duration) -> Result<Self, String> {
        Ok(Self { target: Target::of(url)?, headers: call::headers(headers)?, timeout })
    }
}

impl RemoteCheck for Sink {
    fn ask<'a>(&'a self, client: &'a Client, question: &'a Question<'a>) -> Asking<'a> {
        Box::pin(async {
            self.target.call(client, Method::POST, self.headers.clone(), webhook::body(question)).await?;
            Ok(Answer::default())
        })
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }
}
