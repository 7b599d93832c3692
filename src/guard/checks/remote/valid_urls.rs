//! Links that lead somewhere.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    super::{Kind, urls::links},
    Answer, Asking, Question, RemoteCheck,
    call::{self, Target},
};
use crate::{
    guard::{rules::Site, verdict::Gate},
    outbound::Client,
    wire::response::Response,
};

/// Links of one answer that are followed; what comes after them is not looked at.
const MAX_LINKS: usize = 16;

/// Matches an answer with a link that leads nowhere: its host has no address, or does not answer HEAD with success or a redirect. This machine and private
/// addresses are nowhere, unless `upstream.allow_private_addresses` is set.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ValidUrls {
    /// Whether it is enough that a link's host has an address.
    pub only_dns: bool,
    /// Whether an answer without any link matches, too.
    pub required: bool,
    /// How long all links together may take; one that is not known by then leads nowhere.
    pub timeout: String,
}

impl Default for ValidUrls {
    fn default() -> Self {
        Self { only_dns: false, required: false, timeout: call::default_timeout() }
    }
}

impl Kind for ValidUrls {
    fn build(&self, site: &mut Site<'_, '_>) {
        if site.stands_at(Gate::Input) {
            site.problem_at("/stage", "`valid_urls` judges answers", "write `stage: output`");
        }
        let timeout = call::timeout(site, &self.timeout);
        site.keep_remote(Follow { only_dns: self.only_dns, required: self.required, not: false, timeout });
    }
}

/// Follows links.
#[derive(Debug)]
pub(in super::super) struct Follow {
    pub(in super::super) only_dns: bool,
    pub(in super::super) required: bool,
    /// Whether it matches what it else does not.
    pub(in super::super) not: bool,
    pub(in super::super) timeout: Duration,
}

impl Follow {
    async fn leads_nowhere(&self, client: &Client, question: &Question<'_>) -> bool {
        let texts = question.response.map_or_else(|| question.request.texts(), Response::texts);
        let found: BTreeSet<String> =
            texts.iter().flat_map(|text| links(&text.text)).map(|link| link.text.to_owned()).take(MAX_LINKS).collect();
        if found.is_empty() {
            return self.required;
        }
        let followed = join_all(found.iter().map(|link| self.leads_somewhere(client, link))).await;
        !followed.into_iter().all(|leads| leads)
    }

    async fn leads_somewhere(&self, client: &Client, link: &str) -> bool {
        let Ok(target) = Target::of_a_stranger(link) else { return false };
        let knock = async {
            if self.only_dns {
                return target.resolves(client).await;
            }
            let status = target.knock(client).await;
            status.is_ok_and(|status| status.is_success() || status.is_redirection())
        };
        // Whoever does not answer in time is nowhere: that is an answer, and no failure of the check.
        tokio::time::timeout(self.timeout, knock).await.unwrap_or(false)
    }
}

impl RemoteCheck for Follow {
    fn ask<'a>(&'a self, client: &'a Client, question: &'a Question<'a>) -> Asking<'a> {
        Box::pin(async { Ok(Answer::of(self.leads_nowhere(client, question).await != self.not)) })
    }

    fn timeout(&self) -> Duration {
        self.timeout.saturating_mul(2)
    }
}
