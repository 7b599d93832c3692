//! A stream that waits until it is whole, for rules that cannot judge a part.

use bytes::Bytes;
use http_body::Body;

use super::{
    Broken, Clearing, OutputGate,
    transcript::{MAX_FOLLOWED_BYTES, Transcript},
};
use crate::{
    error::{Error, Kind},
    exchange::Exchange,
    wire::{
        Endpoint,
        collect::{self, NotWhole},
        halves::Halves,
        sse,
    },
};

/// Waits for a stream that cannot be told before it was judged.
pub async fn hold<B>(body: B, gate: &OutputGate, endpoint: Endpoint, exchange: &mut Exchange) -> Result<Clearing, Error>
where
    B: Body<Data = Bytes, Error = Error> + Unpin,
{
    let events = collect::whole(body, MAX_FOLLOWED_BYTES).await.map_err(|error| match error {
        NotWhole::TooLarge => Error::new(Kind::UpstreamMalformed, "The upstream's stream is too long to be judged as a whole."),
        NotWhole::Broken(error) => error,
    })?;
    let (mut transcript, mut halves) = (Transcript::default(), Halves::default());
    for data in sse::data_of(&events) {
        if data == sse::DONE {
            transcript.done();
        } else {
            let (chunk, _) = halves.read(data).map_err(|_| Broken::NotJson)?;
            transcript.push(chunk.bytes());
        }
    }
    let response = transcript.finish(endpoint).ok_or_else(|| {
        let message = "The upstream's stream ended early, so it could not be judged. Try again, or ask the provider.";
        Error::new(Kind::UpstreamReset, message)
    })?;
    Ok(gate.clear(&response, exchange))
}
