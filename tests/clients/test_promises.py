"""What the clients' own documentation promises, row by row; the number in a test's name is that of the row."""

import collections
import json
import time
import uuid

import openai
import pytest
from portkey_ai import Portkey, createHeaders

from scenarios import PROMPTS, TIMEOUT, assemble

MESSAGES = [{"role": "user", "content": PROMPTS["question"]}]


@pytest.fixture
def portkey(url):
    def portkey(**options):
        return Portkey(api_key="pk", base_url=url, **options)

    return portkey


def failing(directive, key="primary"):
    """A target that fails as it is told to."""
    return {"virtual_key": key, "override_params": {"model": f"demo:{directive}"}}


def headers_of(answer):
    return {name.lower(): value for name, value in answer._headers.items()}


def option(answer):
    return headers_of(answer)["x-portkey-last-used-option-index"]


def test_1_a_virtual_key_and_a_base_url(portkey, model, reached):
    answer = portkey(virtual_key="primary").chat.completions.create(model=model, messages=MESSAGES)
    assert answer.choices[0].message.content
    assert reached()["headers"]["authorization"] == "Bearer sk-primary"


def test_2_headers_for_an_openai_client(url, model):
    headers = createHeaders(api_key="pk", config={"virtual_key": "primary"})
    client = openai.OpenAI(base_url=url, api_key="x", default_headers=headers, max_retries=0, timeout=TIMEOUT)
    assert client.chat.completions.create(model=model, messages=MESSAGES).choices[0].message.content


@pytest.mark.parametrize("first", ["status=429", "status=500", "status=503", "error200", "reset=0", "malformed=5"])
@pytest.mark.parametrize("stream", [False, True])
def test_5_a_fallback_of_three(portkey, model, first, stream):
    targets = [failing(first), failing("status=502", "secondary"), {"virtual_key": "secondary"}]
    client = portkey(config={"strategy": {"mode": "fallback"}, "targets": targets})
    answer = client.chat.completions.create(model=model, messages=MESSAGES, stream=stream)
    if stream:
        answer = assemble(answer)
        assert answer.text and answer.headers["x-portkey-last-used-option-index"] == "config.targets[2]"
    else:
        assert answer.choices[0].message.content and option(answer) == "config.targets[2]"


def test_5_a_fallback_from_one_that_takes_too_long(portkey, model):
    targets = [{**failing("latency=5000"), "request_timeout": 50}, {"virtual_key": "secondary"}]
    client = portkey(config={"strategy": {"mode": "fallback"}, "targets": targets})
    assert option(client.chat.completions.create(model=model, messages=MESSAGES)) == "config.targets[1]"


def test_5_a_fallback_for_some_codes(url, model):
    config = {"strategy": {"mode": "fallback", "on_status_codes": [429]}}
    config["targets"] = [failing("status=401"), {"virtual_key": "secondary"}]
    client = openai.OpenAI(base_url=url, api_key="x", default_headers=createHeaders(config=config), max_retries=0)
    with pytest.raises(openai.AuthenticationError) as raised:
        client.chat.completions.create(model=model, messages=MESSAGES)
    assert raised.value.response.headers["x-portkey-last-used-option-index"] == "config.targets[0]"


@pytest.mark.parametrize("weights", [(50, 30, 20), (0.5, 0.3, 0.2)])
def test_6_shares_of_a_load_balancer(portkey, model, weights):
    targets = [{"virtual_key": "primary", "weight": weight} for weight in weights]
    client = portkey(config={"strategy": {"mode": "loadbalance"}, "targets": targets})
    picked = collections.Counter(option(client.chat.completions.create(model=model, messages=MESSAGES)) for _ in range(200))
    # Shares over 10,000 picks are held beside the code; here all three are picked, the heaviest most.
    assert len(picked) == 3 and picked.most_common(1)[0][0] == "config.targets[0]"


def test_6_a_failing_pick_moves_on(portkey, model):
    targets = [{**failing("status=503"), "weight": 99}, {"virtual_key": "secondary", "weight": 1}]
    client = portkey(config={"strategy": {"mode": "loadbalance", "on_status_codes": [503]}, "targets": targets})
    for _ in range(5):
        assert option(client.chat.completions.create(model=model, messages=MESSAGES)) == "config.targets[1]"


def test_7_a_fallback_with_a_retry_and_another_model(portkey, model, reached):
    retry = {"attempts": 2, "on_status_codes": [429, 500, 502, 503]}
    targets = [{**failing("status=500"), "retry": retry}, {"virtual_key": "secondary", "override_params": {"model": f"other-{model}"}}]
    answer = portkey(config={"strategy": {"mode": "fallback"}, "targets": targets}).chat.completions.create(
        model=model, messages=MESSAGES
    )
    assert option(answer) == "config.targets[1]"
    assert reached()["body"]["model"] == f"other-{model}"


def test_8_targets_without_a_strategy(portkey, model):
    client = portkey(config={"targets": [{"virtual_key": "primary"}, {"virtual_key": "secondary"}]})
    assert option(client.chat.completions.create(model=model, messages=MESSAGES)) == "config.targets[0]"


def test_9_a_condition_on_the_model_that_names_virtual_keys(portkey, reached):
    conditions = [{"query": {"model": "gpt-4"}, "then": "secondary"}]
    client = portkey(config={"strategy": {"mode": "conditional", "conditions": conditions, "default": "primary"}})
    for model, key in [("gpt-4", "secondary"), ("gpt-3.5-turbo", "primary")]:
        client.chat.completions.create(model=model, messages=MESSAGES)
        assert reached()["headers"]["authorization"] == f"Bearer sk-{key}"


def test_10_the_cache_that_a_config_names(portkey, model):
    client = portkey(config={"virtual_key": "primary", "cache": {"mode": "semantic", "max_age": 3600}})
    texts = [PROMPTS["question"], PROMPTS["paraphrase"], PROMPTS["question"]]
    answers = [client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}]) for text in texts]
    statuses = [headers_of(answer)["x-portkey-cache-status"] for answer in answers]
    assert statuses == ["SEMANTIC MISS", "SEMANTIC HIT", "HIT"]
    assert [answer.extensions["cache_status"] for answer in answers] == statuses


def test_10_a_simple_cache_compares_no_meaning(portkey, model):
    client = portkey(config={"virtual_key": "primary", "cache": {"mode": "simple"}})
    texts = [PROMPTS["question"], PROMPTS["paraphrase"], PROMPTS["question"]]
    answers = [client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}]) for text in texts]
    assert [headers_of(answer)["x-portkey-cache-status"] for answer in answers] == ["MISS", "MISS", "HIT"]


def test_12_options_make_a_client_of_their_own(portkey, model):
    client = portkey(virtual_key="primary")
    user = f"user-{uuid.uuid4().hex[:8]}"
    metadata = {"user_id": user, "session_id": "s", "environment": "test", "_prompt": "p", "_user": user}
    other = client.with_options(metadata=metadata)
    assert other.chat.completions.create(model=model, messages=MESSAGES).choices[0].message.content
    assert other is not client and client.chat.completions.create(model=model, messages=MESSAGES).choices[0].message.content


def test_14_what_must_be_fresh_is(portkey, model):
    client = portkey(config={"virtual_key": "primary"})
    statuses = [headers_of(client.chat.completions.create(model=model, messages=MESSAGES))["x-portkey-cache-status"] for _ in range(2)]
    assert statuses == ["DISABLED", "DISABLED"]
    cached = portkey(config={"virtual_key": "primary", "cache": {"mode": "simple"}})
    cached.chat.completions.create(model=model, messages=MESSAGES)
    fresh = cached.with_options(cache_force_refresh=True).chat.completions.create(model=model, messages=MESSAGES)
    assert headers_of(fresh)["x-portkey-cache-status"] == "REFRESH"


def test_17_retries_with_backoff(portkey, model):
    retry = {"attempts": 3, "on_status_codes": [429, 500, 502, 503, 504]}
    # Two of three calls fail, evenly spread.
    target = {**failing("status=503,rate=0.67"), "retry": retry}
    began = time.monotonic()
    answers = [portkey(config=target).chat.completions.create(model=model, messages=MESSAGES) for _ in range(3)]
    counts = [int(headers_of(answer)["x-portkey-retry-attempt-count"]) for answer in answers]
    assert sum(counts) >= 1, counts
    assert time.monotonic() - began >= 0.2 * sum(counts), "waits are kept"


def test_18_the_cost_of_every_answer(portkey, model):
    client = portkey(config={"virtual_key": "primary", "cache": {"mode": "simple"}})
    fresh, again = (client.chat.completions.create(model="priced-" + model, messages=MESSAGES) for _ in range(2))
    assert float(headers_of(fresh)["x-lockgate-cost"]) > 0
    assert headers_of(again)["x-lockgate-cost"] == "0"
    assert fresh.extensions["cost"] > 0 and again.extensions["cost"] == 0


@pytest.mark.parametrize("route, key", [("premium", "secondary"), ("standard", "primary")])
def test_19_routes_with_targets_of_their_own(url, model, reached, route, key):
    client = openai.OpenAI(base_url=url.replace("/v1", f"/{route}/v1"), api_key="x", max_retries=0, timeout=TIMEOUT)
    assert client.chat.completions.create(model=model, messages=MESSAGES).choices[0].message.content
    assert reached()["headers"]["authorization"] == f"Bearer sk-{key}"


def test_21_a_limited_virtual_key(url, model):
    client = openai.OpenAI(base_url=url, api_key="x", default_headers={"x-portkey-virtual-key": "capped"}, max_retries=0)
    text = [{"role": "user", "content": uuid.uuid4().hex}]
    client.chat.completions.create(model="priced-" + model, messages=text)
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model="priced-" + model, messages=[{"role": "user", "content": uuid.uuid4().hex}])
    assert raised.value.status_code == 412
    assert json.loads(raised.value.response.text)["error"]["code"] == "budget_exceeded"


def test_25_errors_of_a_config_name_the_place(url, model):
    headers = createHeaders(config={"targets": [{"virtual_key": "nobody"}]})
    client = openai.OpenAI(base_url=url, api_key="x", default_headers=headers, max_retries=0)
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=model, messages=MESSAGES)
    assert raised.value.param == "targets[0]" and "nobody" in raised.value.message
