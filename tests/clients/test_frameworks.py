"""Frameworks and further SDKs as their own documentation has them used; the number in a test's name is that of the promise's row."""

import importlib
import json

import anthropic
import openai
import pytest
from agno.agent import Agent
from agno.models.portkey import Portkey as AgnoPortkey
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders

from scenarios import PROMPTS, TIMEOUT

QUESTION = PROMPTS["question"]


class TestAgno:
    """Row 15."""

    def agent(self, url, model, **options):
        return Agent(model=AgnoPortkey(id=model, base_url=url, portkey_api_key="pk", **options), telemetry=False)

    def test_15_a_run(self, url, model, reached):
        answer = self.agent(url, model, virtual_key="secondary").run(QUESTION)
        assert answer.content
        assert reached()["headers"]["authorization"] == "Bearer sk-secondary"

    def test_15_a_streamed_run(self, url, model):
        told = [event.content for event in self.agent(url, model).run(QUESTION, stream=True) if getattr(event, "content", None)]
        assert "".join(told)

    def test_15_a_config_with_a_fallback_and_two_virtual_keys(self, url, model, reached):
        targets = [{"virtual_key": "primary", "override_params": {"model": "demo:status=500"}}, {"virtual_key": "secondary"}]
        config = {"strategy": {"mode": "fallback"}, "targets": targets}
        assert self.agent(url, model, config=config).run(QUESTION).content
        assert reached()["headers"]["authorization"] == "Bearer sk-secondary"

    def test_15_keys_from_the_environment_and_no_dummy_upstream(self, url, model, reached, monkeypatch):
        monkeypatch.setenv("PORTKEY_VIRTUAL_KEY", "primary")
        assert self.agent(url, model).run(QUESTION).content
        assert reached()["headers"]["authorization"] == "Bearer sk-primary"


class TestFastAgentic:
    """Row 16: package 1.2.2 reaches a base URL through its proxy variable."""

    def connect(self, url, monkeypatch, **options):
        monkeypatch.setenv("PORTKEY_PROXY", url)
        # The package reads the variable when it is imported.
        for name in ("portkey_ai.api_resources.global_constants", "portkey_ai", "fastagentic.integrations.portkey"):
            if name in __import__("sys").modules:
                importlib.reload(__import__("sys").modules[name])
        module = importlib.import_module("fastagentic.integrations.portkey")
        integration = module.PortkeyIntegration(api_key="pk", **options)
        integration.setup(None)
        return integration

    def test_16_a_client_and_the_headers_of_a_call(self, url, model, monkeypatch):
        integration = self.connect(url, monkeypatch, virtual_key="primary", config={"retry": {"attempts": 3}, "cache": {"mode": "semantic"}})
        client = integration.get_client()
        if not str(client.base_url).startswith(url.rsplit("/v1", 1)[0]):
            pytest.fail(f"the package asks {client.base_url}")
        texts = [QUESTION, PROMPTS["paraphrase"]]
        answers = [client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}]) for text in texts]
        assert [answer.extensions["cache_status"] for answer in answers] == ["SEMANTIC MISS", "SEMANTIC HIT"]

    def test_16_metadata_with_nothing_in_it(self, url, model):
        headers = createHeaders(api_key="pk", virtual_key="primary", trace_id="fastagentic-1", metadata={"run_id": "r", "user_id": None})
        client = openai.OpenAI(base_url=url, api_key="x", default_headers=headers, max_retries=0, timeout=TIMEOUT)
        raw = client.chat.completions.with_raw_response.create(model=model, messages=[{"role": "user", "content": QUESTION}])
        assert raw.headers["x-portkey-trace-id"] == "fastagentic-1"


class TestAnthropic:
    """Row 25: Anthropic's own package, in front of a provider that speaks OpenAI's wire."""

    @pytest.fixture
    def client(self, url):
        return anthropic.Anthropic(base_url=url.removesuffix("/v1"), api_key="sk-ant", max_retries=0, timeout=TIMEOUT)

    def test_25_a_message_and_its_hit(self, client, model):
        ask = lambda: client.messages.with_raw_response.create(
            model=model, max_tokens=100, system="Be brief.", messages=[{"role": "user", "content": QUESTION}]
        )
        first, again = ask(), ask()
        message = first.parse()
        assert message.role == "assistant" and message.content[0].text and message.stop_reason == "end_turn"
        assert message.usage.input_tokens > 0
        assert [raw.headers["x-portkey-cache-status"] for raw in (first, again)] == ["MISS", "HIT"]

    def test_25_a_stream(self, client, model):
        with client.messages.stream(model=model, max_tokens=100, messages=[{"role": "user", "content": QUESTION}]) as stream:
            told = "".join(stream.text_stream)
            final = stream.get_final_message()
        assert told and final.content[0].text == told and final.stop_reason

    def test_25_an_error_is_in_its_own_shape(self, client):
        with pytest.raises(anthropic.RateLimitError) as raised:
            client.messages.create(model="demo:status=429", max_tokens=9, messages=[{"role": "user", "content": QUESTION}])
        assert raised.value.body["type"] == "error" and raised.value.body["error"]["type"] == "rate_limit_error"

    def test_25_what_is_wrong_is_named(self, client, model):
        with pytest.raises(anthropic.BadRequestError) as raised:
            client.messages.create(model=model, max_tokens=9, messages="no list")
        assert "messages" in raised.value.body["error"]["message"]


class TestLangChain:
    """Row 25."""

    def connect(self, url, model, **options):
        return ChatOpenAI(base_url=url, api_key="sk-test", model=model, max_retries=0, timeout=TIMEOUT, **options)

    def test_25_an_answer_and_a_stream(self, url, model):
        chat = self.connect(url, model)
        assert chat.invoke(QUESTION).content
        assert "".join(chunk.content for chunk in chat.stream(QUESTION))

    def test_25_portkeys_headers_and_a_config(self, url, model, reached):
        headers = createHeaders(api_key="pk", config={"virtual_key": "secondary", "cache": "simple"})
        chat = self.connect(url, model, default_headers=headers)
        assert chat.invoke(QUESTION).content and chat.invoke(QUESTION).content
        assert reached()["headers"]["authorization"] == "Bearer sk-secondary"
        assert "".join(chunk.content for chunk in chat.stream("Tell me of locks."))

    def test_25_tools_reach_the_provider(self, url, model, reached):
        @tool
        def weather(city: str) -> str:
            """The weather of a city."""
            return city

        self.connect(url, model).bind_tools([weather]).invoke(QUESTION)
        assert json.loads(json.dumps(reached()["body"]))["tools"][0]["function"]["name"] == "weather"
