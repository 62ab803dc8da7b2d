"""What the closed process does with a request, seen without closing this one."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from infrastructure.closed import child
from infrastructure.closed.lock import CannotBeClosed


def ran(code: str, **given: Any) -> dict[str, Any]:
    request = {"code": code, "variables": {}, "tools": [], "outputs": None, **given}
    return child._ran(request, {"__builtins__": child._builtins()})


@pytest.fixture
def pipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """What to write for the child to read, and what to read of what it wrote."""
    (its_input, ours), (theirs, its_output) = os.pipe(), os.pipe()
    monkeypatch.setattr(child, "READ_FROM", its_input)
    monkeypatch.setattr(child, "WRITE_TO", its_output)
    yield ours, theirs
    for pipe in (its_input, theirs, its_output):
        os.close(pipe)


def framed(message: object) -> bytes:
    body = json.dumps(message).encode()
    return len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    ("code", "came"),
    [
        ("print(1)\n2", {"value": 2, "printed": "1\n"}),
        ("x = 1", {"value": None, "printed": ""}),
        ("SUBMIT(1)", {"final": 1}),
        ("SUBMIT(a=1)", {"final": {"a": 1}}),
        ("1 +", {"syntax": "invalid syntax (line 1)"}),
        ("\n1 / 0", {"error": "ZeroDivisionError: division by zero (line 2)"}),
        ("import os", None),
        ("open('x')", {"error": "PermissionError: there are no files here (line 1)"}),
        ("import math\nmath.inf", {"value": "inf", "printed": ""}),
    ],
)
def test_a_request_is_run_and_told(code: str, came: dict[str, Any] | None) -> None:
    told = ran(code)
    if came is None:
        assert told["error"].startswith("ImportError: os is not available here")
    else:
        assert told == came


def test_submissions_are_named_by_the_outputs() -> None:
    assert ran("SUBMIT(1, b=2)", outputs=["a", "b"]) == {"final": {"a": 1, "b": 2}}
    assert "SUBMIT takes a" in ran("SUBMIT(1, 2)", outputs=["a"])["error"]
    assert "SUBMIT takes one value" in ran("SUBMIT(1, 2)")["error"]


def test_what_is_printed_is_kept_up_to_a_point() -> None:
    told = ran("import json\nfor _ in range(3): print('x' * 150_000, flush=True)")
    assert len(told["printed"]) == child.MAX_OUTPUT


@pytest.mark.parametrize("answer", [{"result": [1]}, {"error": "it is shut"}])
def test_a_tool_is_asked_for_through_the_pipes(
    pipes: tuple[int, int], answer: dict[str, Any]
) -> None:
    ours, theirs = pipes
    os.write(ours, framed(answer))
    told = ran("look('a', by=2)", tools=["look"])
    asked = {"tool": "look", "args": ["a"], "kwargs": {"by": 2}}
    assert os.read(theirs, 1000) == framed(asked)
    if "result" in answer:
        assert told["value"] == [1]
    else:
        assert told["error"] == "_ToolFailed: it is shut (line 1)"
    os.close(ours)


def test_it_works_until_the_pipe_ends(
    pipes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pipes
    request = {"code": "n + 1", "variables": {"n": 1}, "tools": [], "outputs": None}
    os.write(ours, framed(request))
    os.close(ours)
    monkeypatch.setattr(child.sys, "argv", ["child", "1", "2"])
    monkeypatch.setattr(child, "close", lambda **_: None)
    monkeypatch.setattr(child.os, "environ", {})
    monkeypatch.setattr(child.random, "seed", lambda _: None)
    child.main()
    said = os.read(theirs, 1000)
    assert said == framed({"closed": True}) + framed({"value": 2, "printed": ""})


def test_it_says_what_is_open_and_reads_nothing(
    pipes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def close(**_: int) -> None:
        raise CannotBeClosed("Still open: network.")

    ours, theirs = pipes
    monkeypatch.setattr(child.sys, "argv", ["child", "1", "2"])
    monkeypatch.setattr(child, "close", close)
    child.main()
    assert os.read(theirs, 1000) == framed({"open": "Still open: network."})
    os.close(ours)
