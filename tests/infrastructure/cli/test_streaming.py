"""What a terminal shows of an execution: each text beneath its name, as it comes."""

import json
from typing import Any

import pytest

from infrastructure.cli.streaming import show_streamed

FAILURE = {"code": "model.timeout", "message": "Nothing came."}


def chunk(field: str, offset: int, text: str, call: str = "1") -> dict[str, Any]:
    said = {"call": call, "node": "solve", "field": field, "offset": offset, "text": text}
    return {"event": "chunk", **said}


def node(state: str, failure: object = None) -> dict[str, Any]:
    return {"event": "node", "call": "1", "node": "solve", "state": state, "failure": failure}


def state(status: str) -> dict[str, Any]:
    ended = "2026-11-20T09:30:00Z" if status in {"completed", "failed"} else None
    return {
        "event": "state",
        "status": status,
        "finished_at": ended,
        "program_version": 1,
        "token_usage": {"calls": 1, "total_tokens": 7},
        "execution_id": "x",
        "failure": None,
        "warnings": [],
        "cancelled_because": None,
        "filled_by": None,
    }


MOMENTS = [
    state("running"),
    node("began"),
    chunk("plan", 0, "Look [red]"),
    chunk("plan", 10, " first."),
    chunk("answer", 0, "Be"),
    node("ended", FAILURE),
    {"event": "tool", "node": "solve", "tool": "search", "failure": None},
    chunk("answer", 0, "Because.", call="2"),
    state("completed"),
]


def test_each_text_stands_beneath_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_streamed(MOMENTS, as_json=False) == "completed"
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "solve.plan",
        "Look [red] first.",
        "solve.answer",
        "Be",
        "solve called search",
        "solve.answer",
        "Because.",
        "·  completed, version 1, 1 model call(s), 7 tokens, execution x",
    ]
    assert said.err.splitlines() == ["solve: Nothing came."]


def test_a_program_reads_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_streamed(MOMENTS[:2], as_json=True) == "running"
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == MOMENTS[:2]
