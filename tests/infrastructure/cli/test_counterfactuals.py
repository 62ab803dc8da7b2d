"""``stratal execution counterfactual``: what it costs comes first, and the report in the end."""

import sys
from collections.abc import Callable

import pytest
import typer

from infrastructure.cli import counterfactuals
from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import SYNTAX, ApiWorld

Call = Callable[..., Said]
VARY = ("execution", "counterfactual", "triage")


@pytest.fixture(autouse=True)
def _told_for_this_test_only(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the model is told to say here is not said to the tests that come next."""
    for name in ("asks", "outputs"):
        monkeypatch.setattr(world.runner, name, getattr(world.runner, name))


@pytest.fixture
def vary(stratal: Call, bench: Bench, world: ApiWorld) -> Call:
    """The command line of somebody whose program ran twice."""
    world.runner.error = None
    world.runner.asks, world.runner.outputs = ["first", "second"], {"queue": "bug"}
    client = bench.connect()
    client.programs.create("triage", SYNTAX)
    for message in ("One.", "Two."):
        client.programs.execute("triage", {"message": message})
    world.runner.asks, world.runner.outputs = ["first", "changed"], {"queue": "howto"}
    return stratal


def test_without_a_yes_it_only_says_what_it_would_cost(vary: Call) -> None:
    said = vary(*VARY)
    assert said.status == 0, said
    assert said.out == (
        "2 executions, 0 of them without a new call.\n"
        "Estimate: 2 calls from the record, 2 paid: 0.002 US dollars.\n"
        "Behind the first new call of an execution this is a guess: as many as it made then.\n"
    )
    assert "Nothing was run. To begin: stratal batch resume " in said.err
    batch = said.err.split()[-1]
    assert "2 calls from the record, 2 paid: 0.002 US dollars" in vary("batch", "show", batch).out
    followed = vary("batch", "follow", batch)
    assert (followed.status, "To begin: stratal batch resume" in followed.err) == (1, True)
    told = vary(*VARY, "--json").json
    assert (told["status"], told["estimate"]["paid"]) == ("estimated", 2)


def test_with_a_yes_it_runs_and_shows_what_came_of_it(vary: Call) -> None:
    said = vary(*VARY, "--yes", "--metric", "exact_match")
    assert said.status == 0, said
    assert "2 of 2 ended, 0 gave the same as before." in said.out
    assert "Calls reused: 2. Calls paid: 2, 0.002 US dollars." in said.out
    assert '{"queue": "bug"}' in said.out
    assert '{"queue": "howto"}' in said.out
    (score,) = [line.split() for line in said.out.splitlines() if line.startswith("exact_match")]
    assert score == ["exact_match", "1.000", "0.000"]
    done = vary(*VARY, "--yes", "--json").json
    assert (done["sums"]["ended"], done["status"]) == (2, "completed")
    assert vary("batch", "compare", done["batch_id"], "--json").json == done
    run = done["items"][0]["after"]["execution_id"]
    shown = vary("execution", "show", run, "--trace").out
    source = done["items"][0]["before"]["execution_id"]
    assert ["varies", source] in [line.split() for line in shown.splitlines()]
    assert "not asked, but answered as execution" in shown


@pytest.mark.parametrize("answer", [True, False, None])
def test_whoever_sits_at_a_terminal_is_asked(
    vary: Call, monkeypatch: pytest.MonkeyPatch, answer: bool | None
) -> None:
    def confirm(question: str, *, err: bool) -> bool:
        assert (question, err) == ("Begin?", True)
        if answer is None:
            raise typer.Abort
        return answer

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(counterfactuals.typer, "confirm", confirm)
    said = vary(*VARY)
    assert ("2 of 2 ended" in said.out) is (answer is True)
    assert ("Nothing was run." in said.err) is (answer is not True)


def test_only_some_are_varied(vary: Call) -> None:
    told = vary(*VARY, "--limit", "1", "--of-version", "1", "--json").json
    assert told["estimate"]["executions"] == 1
    none = vary(*VARY, "--of-version", "2")
    assert (none.status != 0, "No completed execution is on record" in none.err) == (True, True)


def test_what_costs_nothing_known_says_so(vary: Call, world: ApiWorld) -> None:
    world.runner.asks = ["first", "second", "third"]
    assert "1 paid: cost unknown and 1 calls of unknown price" in vary(*VARY, "--limit", "1").out
