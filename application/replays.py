"""Repeating an execution from its log alone, to show that the log tells what happened."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from pydantic import PositiveInt

from application.attempts import RunInterrupted, Stopwatch, insist
from application.authorization import Permission
from application.commands import Command, handles
from application.divergences import Parting, parting
from application.errors import ConcurrentWrite
from application.journal import RecordedRefusal, ReplayJournal
from application.lm_ports import Diverged, Engine, JsonObject, ProgramFailed, RunStopped
from application.models import WORKERS_MODEL, Models
from application.payloads import Payload, canonical_json
from application.ports import Clock, Monotonic, PayloadStore, Receipt, Repository
from application.runnable import json_object
from application.scrubbing import scrubbed
from application.supplies import Supplies
from application.varying import told_by
from domain.errors import NotFoundError
from domain.execution.aggregate import Execution
from domain.execution.values import ReplayStatus
from domain.values import Failure


class RequestReplay(Command):
    execution_id: UUID
    expected_version: int | None = None


class RunReplay(Command):
    execution_id: UUID
    replay: PositiveInt


class _Figures(TypedDict):
    answered_from_log: int
    duration_ms: float
    at: datetime


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a repetition ended: with outputs or with a failure; ``difference`` from the original.

    ``parting`` is where it left the log, if it did.
    """

    outputs: Payload | None
    difference: Failure | None
    parting: Parting | None = None

    @property
    def texts(self) -> Sequence[Payload]:
        """What is not on record already."""
        if self.difference is None:
            return ()
        asked = self.parting and self.parting.asked
        return tuple(each for each in (self.outputs, asked) if each is not None)


@dataclass(frozen=True, slots=True)
class ReplayHandlers:
    executions: Repository[Execution]
    payloads: PayloadStore
    supplies: Supplies
    engine: Engine
    clock: Clock
    monotonic: Monotonic
    models: Models = WORKERS_MODEL

    @handles(RequestReplay, Permission.EXECUTE)
    def request(self, command: RequestReplay) -> Receipt:
        def decide(execution: Execution) -> None:
            execution.expect(command.expected_version)
            execution.request_replay(at=self.clock.now())

        return insist(self.executions, command.execution_id, decide)

    @handles(RunReplay, Permission.WORK)
    def run(self, command: RunReplay) -> Receipt:
        execution = self.executions.get(command.execution_id)
        if execution.replay_status(command.replay) is not ReplayStatus.PENDING:
            return Receipt(execution.id, execution.version, 0)
        stopwatch = Stopwatch.started(self.monotonic)
        journal = ReplayJournal(told_by(self.executions, execution), self.payloads)
        ending = self._repeat(execution, journal)
        took_ms, at = stopwatch.elapsed_ms, self.clock.now()

        def decide(ended: Execution) -> None:
            figures = _Figures(answered_from_log=journal.answered, duration_ms=took_ms, at=at)
            if ending.difference is None:
                ended.verify_replay(command.replay, **figures)
            else:
                ended.diverge_replay(
                    command.replay,
                    ending.difference,
                    outputs=ending.outputs.ref if ending.outputs else None,
                    divergence=ending.parting.divergence if ending.parting else None,
                    **figures,
                )

        try:
            decide(execution)
            return self.executions.save(execution, payloads=ending.texts)
        except ConcurrentWrite:  # somebody asked for another replay meanwhile
            return insist(self.executions, execution.id, decide, ending.texts)

    def _repeat(self, execution: Execution, journal: ReplayJournal) -> _Ending:
        try:
            inputs = json_object(self.payloads.get(execution.inputs))
            supplied = self.supplies.runnable(execution.program_id, execution.program_version)
            model = self.models.chosen(execution.model, live=False)
            work = replace(supplied, reading=execution.reading, model=model)
            outputs = self.engine.execute(work, inputs, journal, live=False)
            repeated = Payload.of(dict(outputs))
            return _Ending(repeated, self._answered_otherwise(execution, repeated, outputs))
        except (ProgramFailed, RecordedRefusal) as error:
            if isinstance(error, RecordedRefusal) and _is_cut_off(execution, journal):
                return _Ending(None, None)
            return _Ending(None, _failed_otherwise(execution.failure, error.failure))
        except NotFoundError as error:  # a text was erased: the log can no longer tell
            return _Ending(None, Failure(code=error.code, message=str(error)))
        except Diverged as stop:
            if _is_cut_off(execution, journal):
                return _Ending(None, None)
            return self._left_the_log(execution, journal, stop)
        except RunStopped as stop:
            if stop.failure.retryable:
                raise RunInterrupted("replay", execution.id, stop.failure) from stop
            return _Ending(None, scrubbed(stop.failure))

    def _left_the_log(
        self, execution: Execution, journal: ReplayJournal, stop: Diverged
    ) -> _Ending:
        where = parting(execution, stop.missed, journal.unasked, self.payloads)
        told = Failure(code=stop.failure.code, message=f"{stop.failure.message} {where.told}")
        return _Ending(None, scrubbed(told), where)

    def _answered_otherwise(
        self, execution: Execution, repeated: Payload, outputs: JsonObject
    ) -> Failure | None:
        if execution.outputs is None:
            message = f"The execution is {execution.status}, its replay gave outputs."
            return Failure(code="replay.outcome_differs", message=message)
        if execution.outputs == repeated.ref:
            return None
        before = json_object(self.payloads.get(execution.outputs))
        differing = sorted(
            field
            for field in before.keys() | outputs.keys()
            if canonical_json(before.get(field)) != canonical_json(outputs.get(field))
        )
        message = f"The replay gave other outputs: {', '.join(differing)}."
        return Failure(code="replay.outputs_differ", message=message)


def _is_cut_off(execution: Execution, journal: ReplayJournal) -> bool:
    """Whether what the log tells ends here: the execution was ended with no more calls answered."""
    return execution.was_cut_off and not journal.unasked


def _failed_otherwise(before: Failure | None, now: Failure) -> Failure | None:
    if before is not None and before.code == now.code:
        return None
    was = f"failed with {before.code}" if before else "completed"
    message = f"The execution {was}, its replay failed with {now.code}: {now.message}"
    return scrubbed(Failure(code="replay.outcome_differs", message=message))
