"""What the demo works on: a signature, labelled rows of our own, an optimizer and its settings."""

import json
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

ROWS: Final = files("infrastructure.demo").joinpath("tickets.jsonl")


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
        rows = [json.loads(line) for line in ROWS.read_text().splitlines()]
        return [
            {name: value for name, value in row.items() if name != "split"}
            for row in rows
            if row["split"] == split
        ]

    @property
    def edition(self) -> str:
        """Changes with anything of the task, so that nothing old is reused by mistake."""
        content = repr(self) + ROWS.read_text()
        return sha256(content.encode()).hexdigest()[:8]


TASK: Final = Task(
    name="ticket-fields",
    signature="message: str -> customer: str, order_number: str",
    kind="predict",
    metric="exact_match",
    optimizer="labeled_fewshot",
    config={"k": 8},
    question={"message": "Nadia asks when L-4821 will arrive"},
)
