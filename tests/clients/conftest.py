"""Where the Lockgate under test listens, and a clean environment for the SDKs."""

import json
import os
import urllib.request
import uuid

import pytest

pytest.register_assert_rewrite("scenarios")

RUN_THROUGH_CARGO = "run `cargo test --features clients --test clients`, which starts Lockgate and sets it"


def required(name):
    value = os.environ.get(name)
    if not value:
        pytest.exit(f"{name} is not set: {RUN_THROUGH_CARGO}", returncode=2)
    return value


@pytest.fixture(scope="session")
def url():
    """Lockgate's base URL, as an application would set it."""
    return required("LOCKGATE_URL")


@pytest.fixture
def model():
    """A model that no other test asks, so that no other test's answers are in its cache."""
    return f"demo-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def reached():
    """Reads what reached the upstream last, past anything that Lockgate does to an answer."""
    last = required("LOCKGATE_DEMO_URL") + "/demo/last"

    def read():
        with urllib.request.urlopen(last, timeout=10) as response:
            return json.load(response)

    return read


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch):
    """The SDKs read keys, base URLs and configs from the environment, which belongs to whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "PORTKEY_")):
            monkeypatch.delenv(name)
