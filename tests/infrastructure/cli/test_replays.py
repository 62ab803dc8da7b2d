"""``stratal execution replay --all``: many executions repeated, and what is said of them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infrastructure.cli import replays
from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import SYNTAX, ApiWorld

Call = Callable[..., Said]


@pytest.fixture(autouse=True)
def _asks(world: ApiWorld) -> Iterator[None]:
    asks = world.runner.asks
    yield
    world.runner.asks = asks


@pytest.fixture
def ran(bench: Bench) -> list[str]:
    """Three executions of one program and one of another, the oldest first."""
    client = bench.connect()
    for name in ("triage", "other"):
        client.programs.create(name, SYNTAX)
    names = ("triage", "triage", "triage", "other")
    return [client.programs.execute(each, {"message": "hi"})["execution_id"] for each in names]


def test_all_are_repeated_and_counted(stratal: Call, ran: list[str]) -> None:
    said = stratal("execution", "replay", "--all")
    told = "Replayed 4: 4 verified, 0 diverged, 0 pending. Model calls: 0.\n"
    assert (said.status, said.out) == (0, told)
    shown = stratal("execution", "show", ran[0]).out
    assert "replays       1 verified\n" in shown


def test_those_of_a_program_are_repeated(stratal: Call, ran: list[str]) -> None:
    del ran
    words = ("execution", "replay", "--all", "--program", "triage", "--version", "1", "--json")
    assert stratal(*words).json == {"verified": 3, "diverged": 0, "pending": 0, "others": []}
    assert stratal("execution", "replay", "--all", "--program", "nobody").status == 1


def test_those_of_a_time_are_repeated(stratal: Call, ran: list[str]) -> None:
    del ran
    for bounds in (("--since", "2999-01-01T00:00:00Z"), ("--until", "1999-01-01T00:00:00Z")):
        said = stratal("execution", "replay", "--all", *bounds)
        assert (said.status, said.out) == (0, "There is nothing to replay.\n")


def test_one_that_diverges_is_shown_with_its_call_and_ends_with_1(
    stratal: Call, ran: list[str], world: ApiWorld
) -> None:
    world.runner.asks = [world.runner.asks[0], "three"]
    said = stratal("execution", "replay", "--all", "--program", "other")
    assert said.status == 1
    assert said.out.splitlines() == [
        f"{ran[3]} diverged: three is not in the log. Call 2 of the log differs first at /ask.",
        "  @ /ask",
        '  - ask: "second"',
        '  + ask: "three"',
        "Replayed 1: 0 verified, 1 diverged, 0 pending. Model calls: 0.",
    ]
    told = stratal("execution", "replay", "--all", "--program", "other", "--json").json
    (other,) = told["others"]
    assert other["diverged_at"] == {"node": "answer", "call": 2}


class Interrupted:
    """Executions whose replays end when somebody presses Ctrl-C after *made*."""

    def __init__(self, made: Iterator[Any], after: int) -> None:
        self._made, self._left = made, after

    def __iter__(self) -> Iterator[Any]:
        for each in self._made:
            if not self._left:
                raise KeyboardInterrupt
            self._left -= 1
            yield each


@pytest.mark.parametrize("after", [0, 2])
def test_what_was_interrupted_goes_on_where_it_stopped(
    stratal: Call, bench: Bench, ran: list[str], monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    del ran
    executions = bench.connect().executions
    whole = executions.replay_all

    def interrupted(**wanted: Any) -> Interrupted:
        return Interrupted(whole(**wanted, at_once=1), after)

    with monkeypatch.context() as patched:
        patched.setattr(executions, "replay_all", interrupted)
        said = stratal("execution", "replay", "--all")
    assert said.status == 130
    how = [line for line in said.err.splitlines() if line.startswith("To go on")]
    assert len(how) == bool(after)
    if after:
        since = how[0].split()[-1].rstrip(".")
        rest = stratal("execution", "replay", "--all", "--unless-replayed-since", since)
        assert rest.out.startswith("Replayed 1: 1 verified")


def test_nobody_is_waited_for_without_end(
    stratal: Call, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    pending = {"outcome": "pending", "requested_at": "2026-11-20", "difference": None}

    def replay_all(**_: Any) -> Iterator[dict[str, Any]]:
        for number in range(100):
            asked.append(number)
            yield pending | {"execution_id": f"e{number}"}

    monkeypatch.setattr(bench.connect().executions, "replay_all", replay_all)
    said = stratal("execution", "replay", "--all")
    assert said.status == 1
    assert len(asked) == replays.MOST_PENDING
    assert said.out.splitlines()[0] == "e0 has no verdict within 60 s; it goes on."


@pytest.mark.parametrize("words", [(), ("7", "--all")])
def test_one_or_all_has_to_be_said(stratal: Call, words: tuple[str, ...]) -> None:
    said = stratal("execution", "replay", *words)
    assert said.status == 1
    assert said.err.startswith("Name an execution, or say --all, and not both.")
