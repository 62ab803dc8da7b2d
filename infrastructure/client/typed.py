"""One program of a server, typed by what it takes and gives; generated clients are made of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal, TypedDict, TypeVar, cast

from infrastructure.client.resources import JsonObject, Programs

Inputs = TypeVar("Inputs", bound=Mapping[str, Any])
Outputs = TypeVar("Outputs", bound=Mapping[str, Any])


class Execution(TypedDict, Generic[Outputs]):
    """One run of a program version, as ``ExecutionView`` of the OpenAPI document describes it."""

    execution_id: str
    version: int
    position: int
    program_id: str
    program_version: int
    status: Literal["pending", "running", "completed", "failed", "cancelled"]
    outputs: Outputs | None
    model: str | None
    routing: JsonObject | None
    filled_by: str | None
    varies: str | None
    failure: JsonObject | None
    cancelled_because: str | None
    warnings: Sequence[JsonObject]
    token_usage: JsonObject
    tool_calls: int
    duration_ms: float | None
    attempts: int
    actor: str
    correlation_id: str
    requested_at: str
    deadline: str | None
    updated_at: str
    started_at: str | None
    finished_at: str | None
    allowed_actions: Sequence[str]
    replays: Sequence[JsonObject]


class Program(Generic[Inputs, Outputs]):
    """The program *id_or_name*, which takes ``Inputs`` and gives ``Outputs``."""

    def __init__(self, programs: Programs, id_or_name: str) -> None:
        self._programs, self.id_or_name = programs, id_or_name

    def execute(
        self,
        inputs: Inputs,
        *,
        program_version: int | None = None,
        wait_s: float | None = None,
        deadline_s: float | None = None,
        id: str | None = None,
    ) -> Execution[Outputs]:
        """Run it and wait for the end, for *wait_s* or until its deadline; see ``status``.

        Raises:
            StratalProblem: Among others ``execution.timed_out``: it was ended at its deadline.
        """
        ran = self._programs.execute(
            self.id_or_name,
            inputs,
            program_version=program_version,
            wait_s=wait_s,
            deadline_s=deadline_s,
            id=id,
        )
        return cast("Execution[Outputs]", ran)

    def compile(
        self,
        dataset: str,
        metric: str,
        *,
        optimizer: str | None = None,
        config: Mapping[str, object] | None = None,
        program_version: int | None = None,
        seed: int | None = None,
        adopt: str | None = None,
    ) -> JsonObject:
        """Look for a better version; follow it with ``optimizations.wait(reply["id"])``."""
        return self._programs.compile(
            self.id_or_name,
            dataset,
            metric,
            optimizer=optimizer,
            config=config,
            program_version=program_version,
            seed=seed,
            adopt=adopt,
        )
