"""The openai package, with nothing changed but its base URL."""

import openai
from pydantic import BaseModel

from scenarios import PROMPTS, TIMEOUT, Answer, Scenarios

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class City(BaseModel):
    name: str
    people: int


class TestOpenAI(Scenarios):
    RateLimitError = openai.RateLimitError
    BadRequestError = openai.BadRequestError

    def connect(self, url):
        return openai.OpenAI(base_url=url, api_key="sk-test", max_retries=0, timeout=TIMEOUT)

    def ask(self, client, model, text, **options):
        messages = [{"role": "user", "content": text}]
        raw = client.chat.completions.with_raw_response.create(model=model, messages=messages, **options)
        answer = raw.parse()
        choice = answer.choices[0]
        return Answer(answer.id, choice.message.content, raw.headers, answer.usage, choice.finish_reason)

    def test_stream_ends_with_done(self, client, model):
        create = client.chat.completions.with_streaming_response.create
        messages = [{"role": "user", "content": PROMPTS["question"]}]
        # Twice, because the second comes from the cache.
        for _ in range(2):
            with create(model=model, messages=messages, stream=True) as response:
                lines = [line for line in response.iter_lines() if line]
            assert lines[-1] == "data: [DONE]"
            assert all(line.startswith("data: ") for line in lines)

    def test_embeddings(self, client):
        # The package asks for base64, and decodes it.
        answer = client.embeddings.create(model="demo-embedding", input=["one", "two"])
        one, two = (item.embedding for item in answer.data)
        assert len(one) == len(two) == 16
        assert all(isinstance(x, float) for x in one) and one != two

    def test_tool_call_in_a_stream(self, client, model):
        messages = [{"role": "user", "content": "Call a tool: how is the weather in Paris?"}]
        options = {"model": model, "messages": messages, "tools": [WEATHER]}
        for _ in range(2):
            with client.chat.completions.stream(**options) as stream:
                call = stream.get_final_completion().choices[0].message.tool_calls[0]
            assert (call.function.name, call.function.arguments) == ("get_weather", '{"city":"Paris"}')

    def test_structured_output(self, client, model):
        messages = [{"role": "user", "content": "Name a city."}]
        answer = client.chat.completions.parse(model=model, messages=messages, response_format=City)
        assert answer.choices[0].message.parsed == City(name="Paris", people=1)
