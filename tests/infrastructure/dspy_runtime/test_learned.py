"""What a program learned is its state: instructions and demos are all it needs to ask the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import JsonValue

from application.lm_ports import JsonObject, RunnableProgram
from infrastructure.dspy_runtime.compiler import build
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.dspy_runtime.state import dumped
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound
from tests.support.graphs import TOWERS, simplified_baleen

TEXTS = ("The tower was opened in 1889.", "A bridge is no tower.")
PRINT = (
    "import json, sys; from tests.infrastructure.dspy_runtime.test_learned import asked;"
    " print(json.dumps(asked(json.load(sys.stdin))))"
)


def baleen(state: JsonObject | None) -> RunnableProgram:
    return RunnableProgram("baleen@2", simplified_baleen(), state, corpora={TOWERS: TEXTS})


def learned() -> JsonObject:
    """The state of a program after somebody taught it; two of its predictors are in a loop."""
    program = build(baleen(None))
    query = program.generate_query.predict
    query.demos = [{"context": "", "question": "Who?", "query": "who", "augmented": True}]
    query.signature = query.signature.with_instructions("Search for what is missing.")
    state: dict[str, JsonValue] = json.loads(json.dumps(dumped(program)))
    return state


def asked(state: JsonObject) -> list[JsonValue]:
    """What the model is asked by a program with *state*."""
    journal = MemoryJournal()
    inputs: JsonObject = {"question": "When was the tower opened?", "max_hops": 2}
    DspyRunner(bound(FakeEngine())).run(baleen(state), inputs, journal, live=True)
    return journal.requests


@pytest.mark.feature("VIS-05")
def test_vis_05_what_was_learned_asks_the_same_in_another_process() -> None:
    state = learned()
    here = asked(state)
    assert "Search for what is missing." in json.dumps(here)
    assert here != asked(json.loads(json.dumps(dumped(build(baleen(None))))))
    there = subprocess.run(
        [sys.executable, "-c", PRINT],
        input=json.dumps(state),
        env={"PYTHONHASHSEED": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert json.loads(there) == here
