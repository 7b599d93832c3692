//! What a body says beside the answer itself, for clients that do not keep to OpenAI's API to the letter.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde_json::{Value, json};

use crate::exchange::{Exchange, Standing};

/// The body of an answer, with what the cache did, what it cost, and the metadata that it was asked with.
pub(super) fn with(body: &Bytes, exchange: &Exchange) -> Bytes {
    let Some(open) = body.trim_ascii_end().strip_suffix(b"}") else { return body.clone() };
    let paid = exchange.entry.is_none() && !exchange.follower;
    let cost = if paid { exchange.usd.map(Value::from) } else { Some(0.into()) };
    let standing =
        |standing: &Standing| (standing.unit.to_owned(), json!({ "limit": standing.most, "remaining": standing.left }));
    let extensions = json!({
        "cache_status": exchange.cache.as_str(),
        "cost": cost,
        "cost_estimated": paid.then_some(exchange.estimated),
        "metadata": *exchange.metadata,
        "limits": exchange.standing.iter().map(standing).collect::<serde_json::Map<_, _>>(),
    })
    .to_string();
    let mut out = BytesMut::with_capacity(body.len() + extensions.len() + 20);
    out.put_slice(open);
    out.put_slice(if open.trim_ascii_end().ends_with(b"{") { b"\"extensions\":" } else { b",\"extensions\":" });
    out.put_slice(extensions.as_bytes());
    out.put_u8(b'}');
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{CacheStatus, Tenant};

    #[test]
    fn a_body_goes_on_with_what_it_had() {
        let mut exchange = Exchange::new("t".to_owned(), Tenant([0; 16]));
        (exchange.cache, exchange.usd) = (CacheStatus::Miss, Some(0.5));
        for (body, id) in [("{\"id\": 1}\n", json!(1)), (" { } ", Value::Null)] {
            let body: Value = serde_json::from_slice(&with(&Bytes::from(body), &exchange)).unwrap();
            assert_eq!((&body["id"], &body["extensions"]["cache_status"]), (&id, &json!("MISS")));
            assert_eq!(body["extensions"]["cost"], 0.5);
        }
        assert_eq!(with(&Bytes::from_static(b"[1]"), &exchange), "[1]");
    }

    #[test]
    fn what_came_from_the_cache_cost_nothing() {
        let exchange = Exchange { entry: Some([1; 32]), usd: None, ..Exchange::new("t".to_owned(), Tenant([0; 16])) };
        let body: Value = serde_json::from_slice(&with(&Bytes::from_static(b"{}"), &exchange)).unwrap();
        assert_eq!(body["extensions"]["cost"], 0);
    }
}
