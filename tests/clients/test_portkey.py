"""The portkey-ai package, alone and as the headers of an openai client."""

import openai
import pytest
from portkey_ai import Portkey, createHeaders
from portkey_ai._vendor import openai as bundled

from scenarios import HITS, PROMPTS, TIMEOUT, Answer, Scenarios

# What the package sends as a key when it was given none for the provider.
DUMMY = "OPENAI_API_KEY"


def answer_of(answer):
    choice = answer.choices[0]
    # `get_headers` shows only what starts with x-portkey-.
    return Answer(answer.id, choice.message.content, answer._headers, answer.usage, choice.finish_reason)


class TestPortkey(Scenarios):
    # The package brings its own copy of openai, whose errors it raises.
    RateLimitError = bundled.RateLimitError
    BadRequestError = bundled.BadRequestError

    def connect(self, url):
        return Portkey(api_key="x", base_url=url)

    def ask(self, client, model, text, **options):
        messages = [{"role": "user", "content": text}]
        return answer_of(client.chat.completions.create(model=model, messages=messages, **options))

    def test_headers_without_their_prefix(self, client, model):
        messages = [{"role": "user", "content": PROMPTS["question"]}]
        headers = client.chat.completions.create(model=model, messages=messages).get_headers()
        assert headers["trace-id"] and headers["cache-status"] == "MISS"

    def test_embeddings(self, client):
        # Unlike openai, the package does not decode base64.
        answer = client.embeddings.create(model="demo-embedding", input="one", encoding_format="float")
        assert len(answer.data[0].embedding) == 16

    def test_dummy_key_never_reaches_the_upstream(self, client, model, reached):
        self.ask(client, model, PROMPTS["question"])
        headers = reached()["headers"]
        assert DUMMY not in headers.get("authorization", "")
        assert not [name for name in headers if name.startswith("x-portkey-")]


class TestCreateHeaders:
    """`createHeaders` as the default headers of an openai client, which is how frameworks use Portkey."""

    @pytest.fixture
    def connect(self, url):
        def connect(**options):
            headers = createHeaders(api_key="x", **options)
            return openai.OpenAI(
                base_url=url, api_key="sk-test", default_headers=headers, max_retries=0, timeout=TIMEOUT
            )

        return connect

    def ask(self, client, model, text):
        messages = [{"role": "user", "content": text}]
        return client.chat.completions.with_raw_response.create(model=model, messages=messages)

    def test_trace_id_comes_back(self, connect, model):
        raw = self.ask(connect(trace_id="trace-7"), model, PROMPTS["question"])
        assert raw.headers["x-portkey-trace-id"] == "trace-7"

    def test_semantic_cache_by_name(self, connect, model):
        client = connect(config={"cache": {"mode": "semantic", "max_age": 3600}})
        texts = [PROMPTS["question"], PROMPTS["paraphrase"]]
        statuses = [self.ask(client, model, text).headers["x-portkey-cache-status"] for text in texts]
        assert statuses == ["SEMANTIC MISS", "SEMANTIC HIT"]

    def test_simple_cache_knows_no_paraphrase(self, connect, model):
        client = connect(config={"cache": {"mode": "simple"}})
        texts = [PROMPTS["question"], PROMPTS["paraphrase"], PROMPTS["question"]]
        statuses = [self.ask(client, model, text).headers["x-portkey-cache-status"] for text in texts]
        assert statuses == ["MISS", "MISS", "HIT"]

    def test_config_without_a_cache_caches_nothing(self, connect, model):
        client = connect(config={"retry": {"attempts": 1}})
        answers = [self.ask(client, model, PROMPTS["question"]) for _ in range(2)]
        assert answers[1].headers.get("x-portkey-cache-status") not in HITS
        assert answers[0].parse().id != answers[1].parse().id

    def test_denied_guardrail(self, connect, model):
        guardrail = {"default.contains": {"operator": "none", "words": ["forbidden"]}, "deny": True}
        client = connect(config={"input_guardrails": [guardrail]})
        assert self.ask(client, model, "Something allowed").parse().id
        with pytest.raises(openai.APIStatusError) as raised:
            self.ask(client, model, "Something forbidden")
        assert raised.value.status_code == 446
        body = raised.value.response.json()
        assert body["error"]["type"] == "hooks_failed"
        assert body["hook_results"]["before_request_hooks"][0]["verdict"] is False
