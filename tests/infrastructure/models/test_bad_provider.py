"""F-30: whatever a server or the network does wrong ends typed, recorded, in time, and small."""

import json
import socket
import tracemalloc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import pytest

from application.lm_ports import JsonObject, ProgramFailed
from domain.text import json_faults
from domain.values import Failure, Reading
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.models.binding import ModelBinding
from infrastructure.models.catalog import build_engine
from tests.support import bad_provider as bad
from tests.support.bad_provider import BadProvider, Deed, completion, raw, refuses, says
from tests.support.dspy_programs import MemoryJournal, single

pytestmark = pytest.mark.feature("F-30")

QUESTION = {"question": "Why?"}
PROGRAM = replace(single(), reading=Reading(repair=True, feedback=0))
GOOD = json.dumps(completion()).encode()
ANSWERED = None
MB = 1_000_000


class Case(NamedTuple):
    deed: Deed
    code: str | None
    """What the execution fails with; ``None``: it completes."""
    calls: int


CASES: Mapping[str, Case] = {
    "reset": Case(bad.resets, "model.unreachable", 4),
    "broken off": Case(bad.breaks_off(GOOD[:50], len(GOOD)), "model.unreachable", 4),
    "no http": Case(raw(b"SSH-2.0-OpenSSH\r\n\r\n"), "model.unreachable", 4),
    "head without end": Case(
        raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000), "model.unreachable", 4
    ),
    "bad chunk": Case(
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "model.unreachable", 4
    ),
    "negative length": Case(
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), "model.unreachable", 4
    ),
    "unknown coding": Case(says(GOOD, Content_Encoding="br"), "model.unreachable", 4),
    "hang": Case(bad.hangs, "model.timeout", 1),
    "drip": Case(bad.drips, "model.timeout", 1),
    "dripping head": Case(bad.drips_headers, "model.timeout", 1),
    "flood": Case(bad.floods, "model.answer_too_large", 1),
    "flood in chunks": Case(bad.floods_chunked, "model.answer_too_large", 1),
    "gzip bomb": Case(bad.bombs("gzip"), "model.answer_too_large", 1),
    "deflate bomb": Case(bad.bombs("deflate"), "model.answer_too_large", 1),
    "html": Case(says(b"<html>Hi</html>", kind="text/html"), "model.answer_malformed", 4),
    "no json": Case(says(b"{'a': 1,}"), "model.answer_malformed", 4),
    "truncated json": Case(says(GOOD[:-30]), "model.answer_malformed", 4),
    "empty": Case(says(b""), "model.answer_malformed", 4),
    "no utf-8": Case(says(GOOD.replace(b"because", b"\xff")), "model.answer_malformed", 4),
    "json of another kind": Case(says(b"[]"), "model.answer_malformed", 1),
    "deep json": Case(says(b"[" * 100_000), "model.answer_malformed", 1),
    "negative usage": Case(
        says(completion(usage={"prompt_tokens": -5, "completion_tokens": 1, "total_tokens": -4})),
        "model.answer_malformed",
        1,
    ),
    "redirect": Case(says(b"", 302, Location="http://127.0.0.1:1/"), "model.redirected", 1),
    "permanent redirect": Case(says(b"", 308, Location="/v2"), "model.redirected", 1),
    "error in an answer": Case(
        says({"error": {"message": "overloaded", "code": "x"}}), "model.unavailable", 4
    ),
    "no choices": Case(says(completion(choices=[])), "output.unparseable", 2),
    "cut off": Case(
        says(completion(finish_reason="length", content="[[ ## answ")), "output.truncated", 2
    ),
    "withheld": Case(
        says(completion(finish_reason="content_filter", content=None)), "output.filtered", 1
    ),
    "another content type": Case(says(GOOD, kind="text/plain"), ANSWERED, 1),
    "missing usage": Case(says(completion(usage=...)), ANSWERED, 1),
    "endless usage": Case(
        says(completion(usage={"prompt_tokens": 10**30, "completion_tokens": 1})), ANSWERED, 1
    ),
    "another model": Case(says(completion(model="someone-else")), ANSWERED, 1),
    "missing model": Case(says(completion(model=...)), ANSWERED, 1),
    "unknown finish": Case(says(completion(finish_reason="banana")), ANSWERED, 1),
    "nul": Case(says(completion(content="[[ ## answer ## ]]\na\x00b")), ANSWERED, 1),
    "lone surrogate": Case(says(GOOD.replace(b"because", rb"\ud800")), ANSWERED, 1),
    "later": Case(refuses(429, Retry_After="0.01"), "model.rate_limited", 4),
    "much later": Case(refuses(429, Retry_After="86400"), "model.rate_limited", 1),
    "never": Case(refuses(429, Retry_After="-5"), "model.rate_limited", 4),
    "no time": Case(refuses(429, Retry_After="nan"), "model.rate_limited", 4),
    **{
        f"status {status}": Case(refuses(status), code, calls)
        for status, code, calls in (
            (400, "model.request_refused", 1),
            (401, "model.auth_refused", 1),
            (402, "model.billing_refused", 1),
            (403, "model.auth_refused", 1),
            (404, "model.request_refused", 1),
            (408, "model.timeout", 4),
            (409, "model.request_refused", 1),
            (413, "model.request_refused", 1),
            (422, "model.request_refused", 1),
            (429, "model.rate_limited", 4),
            (500, "model.unavailable", 4),
            (502, "model.unavailable", 4),
            (503, "model.unavailable", 4),
            (504, "model.timeout", 4),
            (529, "model.unavailable", 4),
        )
    },
}


@contextmanager
def model_at(url: str) -> Iterator[ModelBinding]:
    binding = build_engine("openai/gpt-4o-mini", api_base=url, api_key="sk-canary", home=Path())
    yield binding
    binding.engine.close()


def asked(url: str, journal: MemoryJournal, *, deadline_s: float = 30.0) -> JsonObject | Failure:
    retries = Retries(waits_s=(0.0, 0.0, 0.0), deadline_s=deadline_s)
    with model_at(url) as model:
        try:
            return DspyRunner(model, retries=retries).run(PROGRAM, QUESTION, journal, live=True)
        except ProgramFailed as failed:
            return failed.failure


@pytest.mark.parametrize("name", CASES)
def test_f_30_each_fault_has_its_code_and_its_number_of_calls(name: str) -> None:
    case, journal = CASES[name], MemoryJournal()
    waits = case.code == "model.timeout" and case.calls == 1
    with BadProvider(case.deed) as server:
        ended = asked(server.url, journal, deadline_s=0.3 if waits else 30)
    if case.code is None:
        assert isinstance(ended, dict)
        assert "answer" in ended
    else:
        assert isinstance(ended, Failure)
        assert ended.code == case.code
        assert "canary" not in ended.message
    assert server.calls == case.calls
    assert sum(call.attempts for call in journal.calls) == case.calls
    recorded = [*journal.requests, *journal.responses, ended if isinstance(ended, dict) else None]
    assert not list(json_faults(recorded))
    tokens = [call.usage.prompt_tokens or 0 for call in journal.calls]
    assert max(tokens) < 2**31


@pytest.mark.parametrize("name", ["hang", "drip", "dripping head"])
def test_f_30_a_server_that_does_not_end_is_left_when_the_deadline_comes(name: str) -> None:
    began = monotonic()
    with BadProvider(CASES[name].deed) as server:
        asked(server.url, MemoryJournal(), deadline_s=0.2)
        assert monotonic() - began < 20, "each of these goes on for a minute"


@pytest.mark.parametrize("name", ["flood", "flood in chunks", "gzip bomb", "deflate bomb"])
def test_f_30_an_answer_without_end_takes_little_memory(name: str) -> None:
    with BadProvider(CASES[name].deed) as server:
        asked(server.url, MemoryJournal())  # what is loaded once is not counted
        tracemalloc.start()
        try:
            asked(server.url, MemoryJournal())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 50 * MB


def test_f_30_nobody_at_the_address_and_no_tls_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    refused = asked(f"http://127.0.0.1:{port}/v1", MemoryJournal())
    assert isinstance(refused, Failure)
    assert refused.code == "model.unreachable"
    with BadProvider(says(GOOD)) as server:
        plain = asked(server.url.replace("http:", "https:"), MemoryJournal())
    assert isinstance(plain, Failure)
    assert plain.code == "model.unreachable"
    assert server.calls == 0


def test_f_30_the_wait_that_a_server_asks_for_may_be_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    began = monotonic()
    with BadProvider(refuses(429, Retry_After=soon), says(GOOD)) as server:
        assert asked(server.url, MemoryJournal()) == {"answer": "because"}
    assert server.calls == 2
    assert monotonic() - began > 0.5


def test_f_30_the_model_that_answered_is_on_record_whatever_was_asked_for() -> None:
    journal = MemoryJournal()
    with BadProvider(says(completion(model="someone-else", usage=...))) as server:
        asked(server.url, journal)
    (call,) = journal.calls
    assert call.model == "openai/gpt-4o-mini"
    assert call.model_served == "someone-else"
    assert call.usage.total_tokens is None, "unknown, never 0"


def test_f_30_after_a_fault_that_passes_the_answer_is_used() -> None:
    journal = MemoryJournal()
    deeds = [bad.resets, refuses(503), says(GOOD[:-30]), says(GOOD)]
    with BadProvider(*deeds) as server:
        assert asked(server.url, journal) == {"answer": "because"}
    assert server.calls == 4
    assert [call.attempts for call in journal.calls] == [4]
