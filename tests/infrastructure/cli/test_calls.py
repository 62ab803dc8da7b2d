"""``stratal calls`` and ``stratal provider health``."""

from collections.abc import Callable

import pytest

from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import SYNTAX

Call = Callable[..., Said]


@pytest.mark.feature("LMP-18")
def test_lmp_18_the_last_calls_are_shown_newest_first(stratal: Call, bench: Bench) -> None:
    assert stratal("calls").out == "No model was called yet.\n"
    api = bench.connect()
    api.programs.create("triage", SYNTAX)
    for _ in range(2):
        api.programs.execute("triage", {"message": "It crashes."})
    told = stratal("calls", "-n", "3", "--json").json
    assert [each["request_text"]["ask"] for each in told] == ["second", "first", "second"]
    words = ("--model", "scripted", "--program", "triage")
    said = stratal("calls", "-n", "1", *words).out
    assert "scripted" in said
    assert "5 in, 2 out" in said
    assert stratal("calls", "--model", "another").out == "No model was called yet.\n"


@pytest.mark.feature("LMP-24")
def test_lmp_24_models_are_shown_with_how_they_fare(stratal: Call, bench: Bench) -> None:
    # The clock of this world stands in 2030: what was called then was called lately.
    assert stratal("provider", "health").out == "No model was called within the last 15 min.\n"
    api = bench.connect()
    api.programs.create("triage", SYNTAX)
    api.programs.execute("triage", {"message": "It crashes."})
    header, told = stratal("provider", "health", "--minutes", "5").out.splitlines()
    assert header.split()[:4] == ["model", "state", "calls", "failed"]
    assert told.split()[:4] == ["scripted", "answering", "2", "0%"]
    [found] = stratal("provider", "health", "--json").json
    assert (found["state"], found["failures"]) == ("answering", 0)
