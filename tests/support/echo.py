"""Graphs that are run on an engine which says what it was asked."""

import json
import re
from typing import Any

from dspy import lm15
from pydantic import JsonValue

from application.lm_ports import RunnableProgram
from domain.program.graph import ProgramGraph
from infrastructure.dspy_runtime.runtime import DspyRunner
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound
from tests.support.graphs import TOWERS

TEXTS = [
    "A bridge is no tower.",
    "The tower was opened in 1889.",
    "The tower was begun in 1887 and is still there.",
    "Nothing else is known.",
]


class Echo(FakeEngine):
    """Answers each field with the inputs of the prompt; *fixed* ones with what they are given."""

    def __init__(self, **fixed: JsonValue) -> None:
        super().__init__()
        self._fixed = fixed

    def answer(self, request: lm15.Request) -> str:
        last = request.messages[-1].text or ""
        said, _, wanted = last.partition("Respond with the corresponding output fields")
        given = " ".join(re.findall(r"\[\[ ## \w+ ## \]\]\n(.*?)(?=\n\n|$)", said, re.DOTALL))
        parts = [
            f"[[ ## {name} ## ]]\n{_spoken(self._fixed.get(name, f'<{name} of {given}>'))}"
            for name in re.findall(r"`\[\[ ## (\w+) ## \]\]`", wanted)
            if name != "completed"
        ]
        return "\n\n".join([*parts, "[[ ## completed ## ]]"])


def _spoken(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def run(
    it: ProgramGraph, engine: FakeEngine | None = None, /, **inputs: JsonValue
) -> tuple[dict[str, Any], MemoryJournal]:
    journal = MemoryJournal()
    runner = DspyRunner(bound(engine or Echo(), concurrency=4))
    runnable = RunnableProgram("it@1", it, None, corpora={TOWERS: TEXTS})  # pyright: ignore[reportUnhashable]  # frozen
    return dict(runner.run(runnable, inputs, journal, live=True)), journal
