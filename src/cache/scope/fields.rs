//! Which field of a request does what to its key: the tables that the cache reads, and that `fields.md` shows.

use crate::wire::Endpoint;

/// What a field does to a request's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It must match exactly.
    In,
    /// It does not matter.
    Out,
    /// A user's text in it is compared by meaning; what else it holds must match exactly.
    Compared,
}

impl Place {
    fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Compared => "compared",
        }
    }
}

/// One field of an endpoint's requests.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name; `messages[].name` is a field of each message.
    name: &'static str,
    place: Place,
    /// Why it is there, in a few words.
    why: &'static str,
}

const fn field(name: &'static str, place: Place, why: &'static str) -> Field {
    Field { name, place, why }
}

use Place::{Compared, In, Out};

const DELIVERY: &str = "how the answer is delivered; it is told again in either form";
const LABEL: &str = "a label for the provider's books";
const PROVIDERS_CACHE: &str = "steers the provider's own prompt cache, not what the model says";
const ANSWER: &str = "changes what the model says";
const SHAPE: &str = "changes what the answer holds";

const CHAT: [Field; 51] = [
    field("model", In, ANSWER),
    field("messages", Compared, "the words of the last one, where it is a user's and all text"),
    field("messages[].role", In, "who speaks"),
    field(
        "messages[].content",
        Compared,
        "of the last message, where it is a user's and all text; its numbers and all earlier turns are in",
    ),
    field("messages[].content[].type", In, "images, audio and files are never compared by meaning"),
    field("messages[].content[].text", Compared, "as `messages[].content`; a part with further fields is in"),
    field("messages[].content[].refusal", In, "an earlier turn"),
    field("messages[].content[].thinking", In, "an earlier turn"),
    field("messages[].name", In, "who speaks"),
    field("messages[].refusal", In, "an earlier turn"),
    field("messages[].reasoning", In, "an earlier turn"),
    field("messages[].reasoning_content", In, "an earlier turn"),
    field("messages[].audio", In, "an earlier turn"),
    field("messages[].tool_calls", In, "an earlier turn"),
    field("messages[].tool_call_id", In, "an earlier turn"),
    field("messages[].function_call", In, "an earlier turn"),
    field("audio", In, SHAPE),
    field("frequency_penalty", In, ANSWER),
    field("function_call", In, ANSWER),
    field("functions", In, ANSWER),
    field("logit_bias", In, ANSWER),
    field("logprobs", In, SHAPE),
    field("max_completion_tokens", In, ANSWER),
    field("max_tokens", In, ANSWER),
    field("metadata", Out, LABEL),
    field("modalities", In, SHAPE),
    field("moderation", In, ANSWER),
    field("n", In, SHAPE),
    field("parallel_tool_calls", In, ANSWER),
    field("prediction", In, "may be kept to"),
    field("presence_penalty", In, ANSWER),
    field("prompt_cache_key", Out, PROVIDERS_CACHE),
    field("prompt_cache_options", Out, PROVIDERS_CACHE),
    field("prompt_cache_retention", Out, PROVIDERS_CACHE),
    field("reasoning_effort", In, ANSWER),
    field("response_format", In, SHAPE),
    field("safety_identifier", Out, "names a person in the provider's books; the model does not see it"),
    field("seed", In, "asks for another sample"),
    field("service_tier", Out, "how soon the provider answers"),
    field("stop", In, ANSWER),
    field("store", Out, "whether the provider keeps the answer"),
    field("stream", Out, DELIVERY),
    field("stream_options", Out, DELIVERY),
    field("temperature", In, ANSWER),
    field("tool_choice", In, ANSWER),
    field("tools", In, ANSWER),
    field("top_logprobs", In, SHAPE),
    field("top_p", In, ANSWER),
    field("user", Out, "names a person in the provider's books; the model does not see it"),
    field("verbosity", In, ANSWER),
    field("web_search_options", In, "and with it nothing is compared by meaning: what is found depends on when it is looked for"),
];

const COMPLETIONS: [Field; 20] = [
    field("model", In, ANSWER),
    field("prompt", Compared, "where it is one string of one paragraph; its numbers, several prompts and tokens are in"),
    field("best_of", In, ANSWER),
    field("echo", In, "and where it is true, nothing is compared by meaning: the answer repeats the prompt"),
    field("frequency_penalty", In, ANSWER),
    field("logit_bias", In, ANSWER),
    field("logprobs", In, SHAPE),
    field("max_tokens", In, ANSWER),
    field("metadata", Out, LABEL),
    field("n", In, SHAPE),
    field("presence_penalty", In, ANSWER),
    field("seed", In, "asks for another sample"),
    field("stop", In, ANSWER),
    field("store", Out, "whether the provider keeps the answer"),
    field("stream", Out, DELIVERY),
    field("stream_options", Out, DELIVERY),
    field("suffix", In, "what the answer leads up to"),
    field("temperature", In, ANSWER),
    field("top_p", In, ANSWER),
    field("user", Out, "names a person in the provider's books; the model does not see it"),
];

const EMBEDDINGS: [Field; 9] = [
    field("model", In, ANSWER),
    field("input", In, "a vector is that of one text, to the letter"),
    field("dimensions", In, SHAPE),
    field("encoding_format", In, SHAPE),
    field("metadata", Out, LABEL),
    field("store", Out, "whether the provider keeps the answer"),
    field("stream", Out, DELIVERY),
    field("stream_options", Out, DELIVERY),
    field("user", Out, "names a person in the provider's books; the model does not see it"),
];

const fn fields_of(endpoint: Endpoint) -> &'static [Field] {
    match endpoint {
        Endpoint::Chat => &CHAT,
        Endpoint::Completions => &COMPLETIONS,
        Endpoint::Embeddings => &EMBEDDINGS,
    }
}

/// Whether a field at the top of a request is part of its key. What the table does not name is: the provider may read it.
pub(super) fn in_scope(endpoint: Endpoint, name: &str) -> bool {
    fields_of(endpoint).iter().find(|field| field.name == name).is_none_or(|field| field.place != Out)
}

/// The tables in Markdown, as `fields.md` holds them.
pub fn tables() -> String {
    let row = |Field { name, place, why }: &Field| format!("| `{name}` | {} | {why} |\n", place.as_str());
    let table = |endpoint: Endpoint| {
        let rows: String = fields_of(endpoint).iter().map(row).collect();
        format!("\n## `/v1{}`\n\n| field | place | why |\n|---|---|---|\n{rows}", endpoint.path())
    };
    HEAD.to_owned() + &Endpoint::ALL.map(table).concat()
}

const HEAD: &str = "# What must match exactly

*in*: it must match exactly. *out*: it does not matter. *compared*: a user's text in it is compared by meaning, and what else it holds is in. A field that is
not listed is in. Tenant, namespace, upstream and the engine that made the vectors are in too.
";

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::wire::request::{OF_A_MESSAGE, OF_A_PART, TOP_LEVEL};

    #[test]
    fn the_committed_tables_are_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cache/scope/fields.md");
        if crate::config::environment("LOCKGATE_UPDATE_SCHEMA").is_some() {
            fs::write(&path, tables()).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == tables(), "stale: run LOCKGATE_UPDATE_SCHEMA=1 cargo test committed_tables");
    }

    fn is_listed(endpoint: Endpoint, name: &str) -> bool {
        fields_of(endpoint).iter().any(|field| field.name == name)
    }

    #[test]
    fn every_field_that_the_wire_reads_has_its_place() {
        for name in TOP_LEVEL {
            assert!(Endpoint::ALL.iter().any(|endpoint| is_listed(*endpoint, name)), "`{name}`");
        }
        for name in ["model", "stream", "stream_options"] {
            assert!(Endpoint::ALL.iter().all(|endpoint| is_listed(*endpoint, name)), "`{name}`");
        }
        let nested = OF_A_MESSAGE.map(|name| format!("messages[].{name}")).into_iter();
        for name in nested.chain(OF_A_PART.map(|name| format!("messages[].content[].{name}"))) {
            assert!(is_listed(Endpoint::Chat, &name), "`{name}`");
        }
    }

    #[test]
    fn no_field_has_two_places_and_only_a_whole_field_is_out() {
        for endpoint in Endpoint::ALL {
            let fields = fields_of(endpoint);
            for (n, field) in fields.iter().enumerate() {
                assert!(fields[..n].iter().all(|other| other.name != field.name), "`{}` twice", field.name);
                assert!(field.place != Out || !field.name.contains('['), "`{}` is inside a field that is in", field.name);
            }
        }
    }

    #[test]
    fn a_field_that_nobody_has_heard_of_is_in() {
        assert!(in_scope(Endpoint::Chat, "never_heard_of") && !in_scope(Endpoint::Chat, "stream"));
    }
}
