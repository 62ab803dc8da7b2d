"""How the application has programs run and optimized, without knowing DSPy.

A run answers its model calls from the journal first and goes live where the journal ends: the same
path serves a first run, a run after a kill, and a replay (``live=False``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from pydantic import JsonValue

from application.payloads import Payload
from application.streaming import NOBODY, Audience
from domain.execution.values import TIMED_OUT
from domain.module.values import ModuleSpec
from domain.program.edits import Edits, PredictorEdit
from domain.program.graph import ProgramGraph
from domain.program.values import Adapter
from domain.tool.allowance import Reach
from domain.tool.values import Corpus
from domain.values import AS_DSPY, Digest, Failure, LmCall, Reading, RunRef, ToolCall

JsonObject = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class RunnableProgram:
    """A program version with all that is needed to run it.

    ``key`` names it for caches (``<program id>@<version>``); ``state`` is the DSPy state that the
    optimizer found, ``None`` for a version that was written by hand. ``edits`` go over both.
    Without an ``adapter`` prompts are written as suits the model. ``programs`` are those that its
    tools name, by id and version; ``corpora`` are the texts that it searches, in their order,
    ``examples`` the rows to learn from of the datasets in which it looks examples up. ``reading``
    is what is done about answers that are not in the form asked for. ``learned_under`` is the DSPy
    that the state was found with, where there is one and it is known. Without a ``model`` that of
    the workers answers.
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
    reading: Reading = AS_DSPY
    learned_under: str | None = None
    model: "ModelChoice | None" = None


@dataclass(frozen=True, slots=True)
class SharedAnswer:
    """The response to a call that another run made, and that run."""

    response: JsonObject
    filled_by: RunRef


class CallJournal(Protocol):
    """The calls of one run to models and tools, by their key. Safe to use from several threads.

    Whether it ``shares`` says if answers come from the cache and go there: only then ``shared`` and
    ``settle`` have to be asked.
    """

    @property
    def shares(self) -> bool: ...

    @property
    def audience(self) -> Audience:
        """Who is told what models say while they say it."""
        ...

    def shared(self, key: Digest, *, within_s: float) -> SharedAnswer | None:
        """What an equal call of another run was answered, after waiting for one under way.

        Without an answer the call is to be made, and ``settle`` is owed once it is recorded, or
        when it came to nothing. The call has *within_s* seconds.
        """
        ...

    def settle(self, key: Digest, *, is_read: bool) -> None:
        """Let other runs have the recorded answer to *key*, if it could be read."""
        ...

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


class NotShared:
    """What a journal says that neither takes answers of other runs nor gives its own.

    Nobody follows what its run does, either.
    """

    audience: Audience = NOBODY

    @property
    def shares(self) -> bool:
        return False

    def shared(self, key: Digest, *, within_s: float) -> SharedAnswer | None:
        """Nothing."""
        del key, within_s
        return None

    def settle(self, key: Digest, *, is_read: bool) -> None:
        """Nobody waits."""
        del key, is_read


class RunStopped(BaseException):
    """The run must end now and score nothing: cancelled, fenced off, diverged, or out of budget.

    A ``BaseException``, because optimizers score an ``Exception`` as 0 and go on spending.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class TimeIsOver(RunStopped):
    """The run was given so much time and no more."""

    def __init__(self) -> None:
        super().__init__(TIMED_OUT)


DIVERGED: Final = "replay.diverged"
"""A replay came to a call that is not in the log."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A call of a replay that is not in the log: what it asks, or hands to *tool*, if it is one."""

    key: Digest
    node: str
    request: JsonValue
    tool: str | None = None


class Diverged(RunStopped):
    """A replay came to the call *missed*, which is not in the log."""

    def __init__(self, message: str, missed: Missed) -> None:
        super().__init__(Failure(code=DIVERGED, message=message))
        self.missed = missed


class ProgramFailed(Exception):
    """The program ended badly: the model or network refused, or the answer could not be used."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What a program answered to one of several inputs; without outputs there is a failure."""

    outputs: JsonObject | None
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model answers: its name as in ``STRATAL_LM``, where it is, and the key to it.

    The ``fallback`` answers executions where the model itself fails. Addresses beyond ``reach`` are
    not asked; whoever runs the workers may have any address asked.
    """

    name: str
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    reach: Reach | None = None
    fallback: "ModelChoice | None" = None


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


class NotCarried(ProgramFailed):
    """The engine does not carry what it was asked for: choose another with ``STRATAL_ENGINE``."""

    def __init__(self, engine: str, what: str) -> None:
        message = f"The engine {engine} does not carry {what}. Run this program on the engine dspy."
        super().__init__(Failure(code="engine.not_carried", message=message))


class Engine(Protocol):
    """What carries DSPy work out, under the six words that the papers have for it.

    ``execute``, ``forward`` and ``optimize`` are what the handlers ask for; an engine makes of the
    programs in them what it needs, and says by the other words what it can make.
    """

    def configure(self, model: ModelChoice) -> None:
        """Have *model* answer whatever is asked from now on; without one nothing can be.

        Its weights load, and connections open, at the first call.
        """
        ...

    def create_module(self, module: ModuleSpec) -> None:
        """Make sure that *module* can be made.

        Raises:
            ProgramFailed: It cannot be; ``NotCarried`` if another engine might.
        """
        ...

    def create_program(self, program: RunnableProgram) -> None:
        """Make *program*, and keep it for a while under its key.

        Raises:
            ProgramFailed: It cannot be made, or its state does not fit it.
        """
        ...

    def execute(
        self,
        program: RunnableProgram,
        inputs: JsonObject,
        journal: CallJournal,
        *,
        live: bool,
        within_s: float | None = None,
    ) -> JsonObject:
        """Run *program* once and return its outputs, validated against its signature.

        With ``live=False`` no call goes to the model: the journal has to answer every one. After
        *within_s* seconds no call begins any more, and the one under way is given up where the
        engine can do that.

        Raises:
            ProgramFailed: The model call or its answer failed for good.
            RunStopped: The journal refused; or the time is over (``execution.timed_out``); or with
                ``live=False`` a call was not in the journal (``replay.diverged``).
        """
        ...

    def forward(
        self, program: RunnableProgram, batch: Sequence[JsonObject], journal: CallJournal
    ) -> Sequence[Forwarded]:
        """Run *program* on each inputs of *batch*; the results keep their order.

        Raises:
            ProgramFailed: The program cannot be made.
            RunStopped: The journal refused, or the provider is down: nothing is known of any.
        """
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

    def pins(self, seed: int) -> dict[str, str]:
        """Library versions and seeds that a resumed optimization must find unchanged."""
        ...
