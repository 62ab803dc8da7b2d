"""What the demo works on: signatures, labelled rows of our own, optimizers and their settings.

The tasks were chosen by measuring several on the local models. SmolLM2 answers classifications with
one class whatever is asked, but learns from examples to copy what it is asked for. Qwen copies
without being shown, and learns to tell queues apart.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Task:
    """One task. ``question`` is what the deployed version is asked in the end."""

    name: str
    signature: str
    kind: str
    metric: str
    optimizer: str
    config: dict[str, Any]
    question: dict[str, str]

    def rows(self, split: str) -> list[dict[str, str]]:
        """The labelled rows of one part."""
        rows = [json.loads(line) for line in self._text().splitlines()]
        return [
            {name: value for name, value in row.items() if name != "split"}
            for row in rows
            if row["split"] == split
        ]

    @property
    def edition(self) -> str:
        """Changes with anything of the task, so that nothing old is reused by mistake."""
        return sha256((repr(self) + self._text()).encode()).hexdigest()[:8]

    def _text(self) -> str:
        return files("infrastructure.demo").joinpath(f"{self.name}.jsonl").read_text()


TICKETS: Final = Task(
    name="tickets",
    signature="message: str -> customer: str, order_number: str",
    kind="predict",
    metric="exact_match",
    optimizer="labeled_fewshot",
    config={"k": 8},
    question={"message": "Nadia asks when L-4821 will arrive"},
)

TRIAGE: Final = Task(
    name="triage",
    signature="message: str -> queue: Literal['bug', 'billing', 'howto', 'feature']",
    kind="predict",
    metric="exact_match",
    optimizer="bootstrap_random_search",
    config={
        "num_candidate_programs": 2,
        "max_bootstrapped_demos": 2,
        "max_labeled_demos": 12,
    },
    question={"message": "The export button does nothing when I click it."},
)


def task_for(model: str) -> Task:
    """The task on which *model* (as ``STRATAL_LM`` names it) has something to learn."""
    return TICKETS if model == "local" else TRIAGE
