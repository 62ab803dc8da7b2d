"""Recorded executions that something is made of: which ones, and what they took and gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, Protocol
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, PositiveInt

from application.authorization import Permission
from application.commands import Command, handles
from application.datasets import load_rows
from application.ports import Clock, PayloadStore, Receipt, Repository
from application.runnable import json_object
from domain.dataset.aggregate import Dataset
from domain.dataset.shape import METADATA
from domain.dataset.values import Split
from domain.errors import ConflictError
from domain.text import JsonObject
from domain.values import PayloadRef

MOST_RUNS: Final = 1000
"""So many executions are taken at once; further ones by their times."""

LINEAGE: Final = f"{METADATA}execution_id"
"""The field of a row that says which execution it is of. Never change it."""


class Which(BaseModel):
    """The newest completed executions of a program, as the list of executions is narrowed.

    Those that only ran another one another way are not among them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    program_id: UUID
    program_version: PositiveInt | None = None
    actor: str | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    tokens_above: int | None = Field(default=None, ge=0, lt=2**63)
    limit: int = Field(default=100, ge=1, le=MOST_RUNS)


class PastRun(NamedTuple):
    """A completed execution, and where what it took and gave lies."""

    execution_id: UUID
    inputs: PayloadRef
    outputs: PayloadRef


class PastRuns(Protocol):
    """The recorded executions of the current context's tenant."""

    def completed(self, which: Which) -> Sequence[PastRun]:
        """Those that *which* is about, oldest first, with all that ended before it was asked."""
        ...


class NoPastRuns(ConflictError):
    code: ClassVar[str] = "execution.none_recorded"

    def __init__(self) -> None:
        super().__init__(
            "No completed execution is on record for that, or their texts were erased. "
            "See which there are with GET /v1/executions?status=completed, then ask for more."
        )


class LoadExecutions(Command):
    """Append what completed executions took and gave to a part of a dataset, a row for each."""

    dataset_id: UUID
    split: Split
    which: Which
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class PastRunHandlers:
    datasets: Repository[Dataset]
    past: PastRuns
    payloads: PayloadStore
    clock: Clock

    @handles(LoadExecutions, Permission.AUTHOR)
    def load(self, command: LoadExecutions) -> Receipt:
        dataset = self.datasets.get(command.dataset_id)
        dataset.expect(command.expected_version)
        rows = _rows(self.past.completed(command.which), self.payloads)
        if not rows:
            raise NoPastRuns
        chunks = load_rows(dataset, command.split, rows, at=self.clock.now())
        return self.datasets.save(dataset, payloads=chunks)


def _rows(runs: Sequence[PastRun], payloads: PayloadStore) -> Sequence[JsonObject]:
    """A row for each of *runs* whose texts are there, all with the same fields, null without one.

    Versions of a program may take and give other fields.
    """
    texts = payloads.several([ref for run in runs for ref in (run.inputs, run.outputs)])
    told = [(run, _told(run, texts)) for run in runs]
    said = [(run, row) for run, row in told if row is not None]
    fields = dict.fromkeys(name for _, row in said for name in row)
    return [
        {**{name: row.get(name) for name in fields}, LINEAGE: str(run.execution_id)}
        for run, row in said
    ]


def _told(run: PastRun, texts: Mapping[str, JsonValue]) -> JsonObject | None:
    """What *run* took and gave; ``None`` where that was erased."""
    inputs, outputs = texts.get(run.inputs.digest), texts.get(run.outputs.digest)
    if inputs is None or outputs is None:
        return None
    return {**json_object(inputs), **json_object(outputs)}
