"""Each field that the openai package can send has its place in the table of what must match exactly."""

import re
from pathlib import Path

import pytest
from openai.types import completion_create_params as completions
from openai.types import embedding_create_params as embeddings
from openai.types.chat import completion_create_params as chat

TABLE = Path(__file__).parents[2] / "src/cache/scope/fields.md"

REQUESTS = {
    "/v1/chat/completions": [chat.CompletionCreateParamsNonStreaming, chat.CompletionCreateParamsStreaming],
    "/v1/completions": [completions.CompletionCreateParamsNonStreaming, completions.CompletionCreateParamsStreaming],
    "/v1/embeddings": [embeddings.EmbeddingCreateParams],
}


def listed(path):
    for part in TABLE.read_text().split("\n## ")[1:]:
        title, _, rows = part.partition("\n")
        if title == f"`{path}`":
            return dict(re.findall(r"^\| `(.+?)` \| (\w+) \|", rows, re.MULTILINE))
    raise AssertionError(f"{TABLE.name} has no table of {path}")


@pytest.mark.parametrize("path", REQUESTS)
def test_every_field_of_the_package_has_its_place(path):
    known = set().union(*(request.__annotations__ for request in REQUESTS[path]))
    assert {"model", "user"} <= known, "they include those of the shared base"
    assert known - set(listed(path)) == set(), "decide whether they are in or out, in src/cache/scope/fields.rs"
    assert set(listed(path).values()) <= {"in", "out", "compared"}
