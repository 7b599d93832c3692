//! What an answer cost that was just made: tokens, money, and whose they are.

use crate::{
    clock,
    exchange::{Cost, Exchange},
    guard::{Cleared, Complete},
    wire::{
        Request,
        response::{Usage, usage},
    },
};

use super::{Pipeline, flight::Asked};

/// Letters of a token, as far as one can say without knowing the model.
const LETTERS: usize = 4;

impl Pipeline {
    /// Notes what an answer cost, and counts it. One from the cache cost something when it was made.
    pub(super) fn charge(&self, asked: &Asked, cleared: &Cleared, complete: Option<&Complete>, exchange: &mut Exchange) {
        if exchange.entry.is_some() {
            return;
        }
        let told = complete.map_or_else(|| usage(cleared.body()), Complete::usage);
        let (tokens, estimated) = match told.prompt_tokens + told.completion_tokens {
            0 => (estimate(asked.screened.request(), cleared), true),
            _ => (told, false),
        };
        let took = clock::now().saturating_duration_since(exchange.started);
        exchange.cost = Some(Cost { usage: tokens, took });
        exchange.estimated = estimated;
        let route = exchange.route.clone().unwrap_or_default();
        exchange.usd = self.savings.price(&route.model, tokens);
        let limits = &self.access.limits;
        let bill = route.virtual_key.as_deref().map(|key| limits.bill_of_virtual_key(key)).unwrap_or_default();
        let used = tokens.prompt_tokens + tokens.completion_tokens;
        limits.spend(&asked.bill, used, exchange.usd);
        limits.spend(&bill, used, exchange.usd);
        self.branches.spent(exchange);
    }
}

/// The tokens of texts that no provider has counted.
fn estimate(request: &Request, cleared: &Cleared) -> Usage {
    let asked: usize = request.texts().iter().map(|text| text.text.len()).sum();
    let tokens = |letters: usize| letters.div_ceil(LETTERS) as u64;
    Usage { prompt_tokens: tokens(asked), completion_tokens: tokens(crate::wire::response::letters(cleared.body())) }
}
