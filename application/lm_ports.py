"""How the application has programs run, optimized and scored, without knowing DSPy.

A run answers its model calls from the journal first and goes live where the journal ends: the same
path serves a first run, a run after a kill, and a replay (``live=False``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from pydantic import JsonValue

from application.payloads import Payload
from domain.program.edits import Edits, PredictorEdit
from domain.program.graph import ProgramGraph
from domain.program.values import Adapter
from domain.tool.values import Corpus
from domain.values import Digest, Failure, LmCall, ToolCall

JsonObject = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class RunnableProgram:
    """A program version with all that is needed to run it.

    ``key`` names it for caches (``<program id>@<version>``); ``state`` is the DSPy state that the
    optimizer found, ``None`` for a version that was written by hand. ``edits`` go over both.
    Without an ``adapter`` prompts are written as suits the model. ``programs`` are those that its
    tools name, by id and version; ``corpora`` are the texts that it searches, in their order,
    ``examples`` the rows to learn from of the datasets in which it looks examples up.
    """

    key: str
    graph: ProgramGraph
    state: JsonObject | None
    edits: Edits = field(default_factory=dict[str, PredictorEdit])
    adapter: Adapter | None = None
    programs: "Mapping[tuple[UUID, int], RunnableProgram]" = field(
        default_factory=dict["tuple[UUID, int]", "RunnableProgram"]
    )
    corpora: Mapping[Corpus, Sequence[str]] = field(default_factory=dict[Corpus, Sequence[str]])
    examples: Mapping[UUID, Sequence[JsonObject]] = field(
        default_factory=dict[UUID, Sequence[JsonObject]]
    )


class CallJournal(Protocol):
    """The calls of one run to models and tools, by their key. Safe to use from several threads."""

    def find(self, key: Digest) -> JsonObject | None:
        """The recorded response to *key*, or ``None`` when the call was never made."""
        ...

    def record(self, call: LmCall, request: Payload, response: Payload | None) -> None:
        """Book *call*: it is durable before another one is looked up, and before the run ends.

        Raises:
            RunStopped: The run was cancelled or taken over meanwhile.
        """
        ...

    def record_tool_call(self, call: ToolCall, arguments: Payload, result: Payload) -> None:
        """Book *call* like ``record``: it is durable before a model or tool is asked again.

        Raises:
            RunStopped: The run was cancelled or taken over meanwhile.
        """
        ...


class RunStopped(BaseException):
    """The run must end now and score nothing: cancelled, fenced off, diverged, or out of budget.

    A ``BaseException``, because optimizers score an ``Exception`` as 0 and go on spending.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class ProgramFailed(Exception):
    """The program ended badly: the model or network refused, or the answer could not be used."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class ProgramRunner(Protocol):
    def run(
        self, program: RunnableProgram, inputs: JsonObject, journal: CallJournal, *, live: bool
    ) -> JsonObject:
        """Run *program* once and return its outputs, validated against its signature.

        With ``live=False`` no call goes to the model: the journal has to answer every one.

        Raises:
            ProgramFailed: The model call or its answer failed for good.
            RunStopped: The journal refused, or with ``live=False`` a call was not in it (code
                ``replay.diverged``).
        """
        ...


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One dataset row, what the program answered, and the score in 0..1; a failure scores 0."""

    row: JsonObject
    outputs: JsonObject | None
    score: float
    failure: Failure | None


class Evaluator(Protocol):
    def evaluate(
        self,
        program: RunnableProgram,
        rows: Sequence[JsonObject],
        metric: str,
        journal: CallJournal,
    ) -> Sequence[ScoredRow]:
        """Run *program* on every row and score the answers; the result keeps the rows' order.

        Raises:
            RunStopped: The journal refused, or the provider is down: nothing was scored.
        """
        ...


@dataclass(frozen=True, slots=True)
class OptimizerJob:
    """What an optimizer works on. ``config`` is complete and valid for *optimizer*."""

    program: RunnableProgram
    optimizer: str
    config: JsonObject
    metric: str
    seed: int
    rows: Sequence[JsonObject]


@dataclass(frozen=True, slots=True)
class OptimizedProgram:
    """The state the optimizer settled on, and its score on the rows it learned from."""

    state: JsonObject
    training_score: float | None


class OptimizerRunner(Protocol):
    def pins(self, seed: int) -> dict[str, str]:
        """Library versions and seeds that a resumed attempt must find unchanged."""
        ...

    def optimize(
        self,
        job: OptimizerJob,
        journal: CallJournal,
        on_trial: Callable[[int, float, JsonObject], None],
    ) -> OptimizedProgram:
        """Run the optimizer from its beginning; recorded calls are answered from the journal.

        ``on_trial`` gets the trial's number from 1, its score in 0..1 and the candidate's state; a
        resumed run reports the earlier trials again.

        Raises:
            RunStopped: Cancelled, fenced off, or the provider is down.
            ProgramFailed: The optimizer itself or the metric failed.
        """
        ...
