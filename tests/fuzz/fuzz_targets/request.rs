//! Any bytes as a request's body: decoded or refused, never a panic; what is accepted is JSON to others, too.
//!
//! `cargo fuzz run --fuzz-dir tests/fuzz request`
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use lockgate::wire::{Endpoint, Request};

fuzz_target!(|body: &[u8]| {
    for endpoint in Endpoint::ALL {
        if let Ok(request) = Request::decode(endpoint, Bytes::copy_from_slice(body)) {
            assert!(serde_json::from_slice::<serde_json::Value>(body).is_ok());
            for text in request.texts() {
                assert!(body.get(text.span).is_some());
            }
        }
    }
});
