"""The portkey-ai package, alone and as the headers of an openai client."""

import openai
import pytest
from portkey_ai import Portkey, createHeaders
from portkey_ai._vendor import openai as bundled

from scenarios import PROMPTS, TIMEOUT, Answer, Scenarios

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

    def test_paraphrase_hit(self, connect, model):
        client = connect()
        texts = [PROMPTS["question"], PROMPTS["paraphrase"], PROMPTS["question"]]
        statuses = [self.ask(client, model, text).headers["x-portkey-cache-status"] for text in texts]
        assert statuses == ["MISS", "SEMANTIC HIT", "HIT"]
