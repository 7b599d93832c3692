"""What must hold for every Python client, written once; each client's file says how it asks."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

import pytest

PROMPTS = json.loads((Path(__file__).parent / "prompts.json").read_text())
HITS = {"HIT", "SEMANTIC HIT"}
TIMEOUT = 30


@dataclass(frozen=True)
class Answer:
    """An answer, however the client hands it out."""

    id: str
    text: str
    headers: Mapping[str, str]
    usage: Any = None
    finish: str | None = None

    @property
    def cache(self):
        return self.headers.get("x-portkey-cache-status")


def assemble(stream):
    """Reads a stream of chunks to its end."""
    ids, text, usage, finish = set(), "", None, None
    for chunk in stream:
        # A chunk without choices carries the usage, or what a guardrail found.
        usage = getattr(chunk, "usage", None) or usage
        for choice in chunk.choices or []:
            ids.add(chunk.id)
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    assert len(ids) == 1, "all chunks are of one answer"
    return Answer(ids.pop(), text, stream.response.headers, usage, finish)


class Scenarios:
    """A client's test class inherits this, and says in `connect` how it is set up."""

    RateLimitError: type
    BadRequestError: type

    def connect(self, url):
        """A client of Lockgate."""
        raise NotImplementedError

    def ask(self, client, model, text, **options) -> Answer:
        """One answer, with the headers it came under."""
        raise NotImplementedError

    def stream(self, client, model, text, **options) -> Answer:
        messages = [{"role": "user", "content": text}]
        options = {"stream_options": {"include_usage": True}, **options}
        return assemble(client.chat.completions.create(model=model, messages=messages, stream=True, **options))

    @pytest.fixture
    def client(self, url):
        return self.connect(url)

    def test_completion(self, client, model):
        answer = self.ask(client, model, PROMPTS["question"])
        assert PROMPTS["question"] in answer.text
        assert answer.id.startswith("chatcmpl-")
        assert answer.usage.total_tokens > 0
        assert answer.finish == "stop"
        assert answer.headers["x-portkey-trace-id"]

    def test_stream(self, client, model):
        answer = self.stream(client, model, PROMPTS["question"])
        assert PROMPTS["question"] in answer.text
        assert answer.usage.total_tokens > 0
        assert answer.finish == "stop"
        assert answer.headers["x-portkey-trace-id"]
        assert answer.headers["content-type"].startswith("text/event-stream")

    def test_rate_limit_of_the_upstream(self, client, model):
        with pytest.raises(self.RateLimitError, match="asked for a 429") as raised:
            self.ask(client, f"{model}:status=429,retry-after=0", PROMPTS["question"])
        assert raised.value.response.headers["x-portkey-trace-id"]
        assert raised.value.response.headers["retry-after"] == "0"

    def test_refusal_of_the_upstream(self, client, model):
        with pytest.raises(self.BadRequestError, match="Unknown directive `nonsense`") as raised:
            self.ask(client, f"{model}:nonsense", PROMPTS["question"])
        assert raised.value.response.headers["x-portkey-trace-id"]

    def test_paraphrase_is_a_semantic_hit(self, client, model):
        first = self.ask(client, model, PROMPTS["question"])
        second = self.ask(client, model, PROMPTS["paraphrase"])
        assert first.cache == "MISS"
        assert second.cache == "SEMANTIC HIT"
        assert 0 < float(second.headers["x-lockgate-similarity"]) <= 1
        assert int(second.headers["age"]) >= 0
        assert (second.id, second.text) == (first.id, first.text)
        assert second.headers["x-portkey-trace-id"] != first.headers["x-portkey-trace-id"]

    def test_repeat_is_a_hit(self, client, model):
        first = self.ask(client, model, PROMPTS["question"])
        second = self.ask(client, model, PROMPTS["question"])
        assert (first.cache, second.cache) == ("MISS", "HIT")
        assert int(second.headers["age"]) >= 0
        assert (second.id, second.text) == (first.id, first.text)

    def test_another_model_is_a_miss(self, client, model):
        self.ask(client, model, PROMPTS["question"])
        assert self.ask(client, f"{model}-2", PROMPTS["question"]).cache == "MISS"

    def test_stored_answer_replays_as_a_stream(self, client, model):
        first = self.ask(client, model, PROMPTS["question"])
        second = self.stream(client, model, PROMPTS["question"])
        assert second.cache == "HIT"
        assert (second.id, second.text, second.finish) == (first.id, first.text, first.finish)
        assert second.usage.total_tokens == first.usage.total_tokens

    def test_stored_stream_answers_a_plain_request(self, client, model):
        first = self.stream(client, model, PROMPTS["question"])
        second = self.ask(client, model, PROMPTS["question"])
        assert (first.cache, second.cache) == ("MISS", "HIT")
        assert (second.id, second.text) == (first.id, first.text)

    def test_failure_is_not_stored(self, client, model):
        for _ in range(2):
            with pytest.raises(self.BadRequestError) as raised:
                self.ask(client, f"{model}:status=400", PROMPTS["question"])
            assert raised.value.response.headers.get("x-portkey-cache-status") not in HITS

    def test_injection_is_warned_about(self, client, model):
        answer = self.ask(client, model, PROMPTS["injection"])
        assert answer.headers["x-lockgate-rules"]
        assert PROMPTS["injection"] in answer.text

    def test_card_number_never_reaches_the_upstream(self, client, model, reached):
        answer = self.ask(client, f"{model}:echo", PROMPTS["card"])
        assert answer.headers["x-lockgate-rules"]
        body = json.loads(reached()["body"])
        assert body["model"] == f"{model}:echo"
        sent = body["messages"][-1]["content"]
        assert sent.startswith("Please charge my card") and sent.endswith("for the order.")
        assert "1111" not in sent

    def test_models(self, client):
        assert "demo" in [model.id for model in client.models.list().data]
