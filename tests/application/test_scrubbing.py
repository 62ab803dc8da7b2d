"""No secret leaves in what went wrong."""

import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.scrubbing import place_of, scrubbed, scrubbed_call, scrubbed_text
from domain.access.text import written
from domain.text import text_fault
from domain.values import Failure
from tests.support.runs import answered, refused

SECRETS = [
    ("Incorrect API key provided: sk-proj-AbC123_x-9zzzzzzz.", "AbC123"),
    ("Authorization: Bearer abc.def-ghi", "abc.def"),
    ("{'authorization': 'Basic dXNlcjpwYXNz'}", "dXNlcjpwYXNz"),
    ('{"api_key": "hunter2hunter2"}', "hunter2"),
    ("OPENAI_API_KEY=hunter2", "hunter2"),
    ("x-api-key: hunter2", "hunter2"),
    ("GET https://host/v1?key=hunter2&alt=json failed", "hunter2"),
    ("postgresql://stratal:hunter2@127.0.0.1:5432/db refused", "hunter2"),
    ("password = hunter2, user = x", "hunter2"),
    ("gsk_abcdefghij0123456789 is not valid", "abcdefghij"),
    ("AIzaSyA1234567890abcdefghijklmnop", "1234567890"),
    ("AKIAIOSFODNN7EXAMPLE is disabled", "IOSFODNN7"),
    ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc123 expired", "eyJzdWIi"),
    ("ghp_abcdefghijklmnop", "abcdefgh"),
    (f"No program is called {written('acme', UUID(int=7), bytes(32))}.", "0" * 32),
]


@pytest.mark.feature("EXE-07")
@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_exe_07_a_key_in_an_error_is_redacted(text: str, secret: str) -> None:
    found = scrubbed_text(text)
    assert secret not in found
    assert "[redacted]" in found


@pytest.mark.parametrize(
    "text",
    [
        "The model is overloaded. Try again in 20 s.",
        "Requested 9000 tokens, the limit is 8192 tokens.",
        "The request had max_tokens=9000, completion_tokens: 12.",
        "Line 3: a comma is missing.",
        "The skeleton of a task-force met at https://example.org/a:b.",
        "The role stratal_service of stratal_default_database may not change it.",
    ],
)
def test_an_ordinary_sentence_stays_as_it_is(text: str) -> None:
    assert scrubbed_text(text) == text


def test_an_endless_error_is_scrubbed_in_no_time() -> None:
    began = time.monotonic()
    for part in ("a-", "token ", "secret", "://", "eyJaaaaaaaa.", " "):
        assert len(scrubbed_text(part * 1_000_000)) <= 2000
    assert time.monotonic() - began < 5


@given(st.text(st.characters(exclude_categories=())))
def test_what_remains_can_be_stored(text: str) -> None:
    found = scrubbed_text(text)
    assert text_fault(found) is None
    assert len(found) <= 2000


def test_the_rest_of_a_failure_is_kept() -> None:
    failure = Failure(code="x", message="key=1 token=abc", retryable=True, provider_status=429)
    assert scrubbed(failure) == failure.model_copy(update={"message": "key=1 token=[redacted]"})


def test_a_refused_call_is_scrubbed_and_an_answered_one_left_alone() -> None:
    answer = answered("one")[0]
    assert scrubbed_call(answer) is answer
    refusal = scrubbed_call(refused("one", "Bearer abcdefgh")[0])
    assert refusal.failure is not None
    assert refusal.failure.message == "Bearer [redacted]"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (
            "https://t0ken@witness.example:8443/t0ken?key=t0ken#t0ken",
            "https://witness.example:8443",
        ),
        ("http://u:t0ken@[::1]:80/", "http://[::1]:80"),
        ("http://[::1/t0ken", "[redacted]"),
    ],
)
def test_of_an_address_the_place_alone_holds_no_secret(url: str, place: str) -> None:
    assert place_of(url) == place
