"""Asking a provider without a program of one's own: each command, and beneath it its handler.

A generation is an execution like any other, of the one program that hands prompts over as they
stand, so all that holds for executions holds for it. The tenant gets that program with its first.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Final, TypeVar
from uuid import UUID, uuid5

from pydantic import Field, JsonValue

from application.authorization import Permission
from application.batches import RequestBatch
from application.commands import Command, handles
from application.context import current, within
from application.errors import AggregateNotFound, ConcurrentWrite, NameIsTaken
from application.executions import RequestExecution
from application.ports import Claim, Clock, Receipt, Repository
from domain.batch.values import USUAL_AT_ONCE, Concurrency
from domain.module.generation import GENERATE, PROMPT
from domain.program.aggregate import Program
from domain.program.deadline import DeadlineS
from domain.program.graph import single
from domain.provider.aggregate import Provider
from domain.provider.values import MaxTokens, ModelId, Temperature
from domain.text import SafeText
from domain.values import Cache

W = TypeVar("W", RequestExecution, RequestBatch)

_PROGRAMS: Final = UUID("0f1d2f6e-9b0b-4d43-9a51-6a6b0f4b3c11")
"""Namespace of the ids of the programs that generate, one for each tenant. Never change it."""

_NAME: Final = "generate"
_DESCRIPTION: Final = (
    "Hands a prompt to a model as it stands: what is asked of providers runs here."
)

Prompt = Annotated[SafeText, Field(min_length=1)]
Prompts = Annotated[tuple[Prompt, ...], Field(min_length=1, max_length=1000)]


class _Question(Command):
    """What is asked how; what nobody says is as the model is offered.

    Only with ``uses_cache`` an equal call of before answers, and this one those after it.
    """

    provider_id: UUID
    model: ModelId | None = None
    system: SafeText | None = None
    temperature: Temperature | None = None
    max_tokens: MaxTokens | None = None
    uses_cache: bool = False
    deadline_s: DeadlineS | None = None


class Generate(_Question):
    """Ask a model of a provider once; the execution tells what it answered."""

    execution_id: UUID
    prompt: Prompt
    usual_deadline_s: DeadlineS | None = None


class GenerateBatch(_Question):
    """Ask the same way for each of ``prompts``; the batch has a result for each of them."""

    batch_id: UUID
    prompts: Prompts
    concurrency: Concurrency = USUAL_AT_ONCE
    fail_fast: bool = False


@dataclass(frozen=True, slots=True)
class GenerationHandlers:
    """``request`` asks for an execution, and ``request_batch`` for many, as anybody else may."""

    providers: Repository[Provider]
    programs: Repository[Program]
    request: Callable[[RequestExecution], Receipt]
    request_batch: Callable[[RequestBatch], Receipt]
    clock: Clock

    @handles(Generate, Permission.EXECUTE)
    def generate(self, command: Generate) -> Receipt:
        model, settings = self._chosen(command)
        wish = RequestExecution(
            execution_id=command.execution_id,
            program_id=program_id(),
            program_version=1,
            inputs={PROMPT: command.prompt, **settings},
            deadline_s=command.deadline_s,
            usual_deadline_s=command.usual_deadline_s,
            model=model,
            caches=_caches(command),
        )
        return self._asked(self.request, wish)

    @handles(GenerateBatch, Permission.EXECUTE)
    def generate_batch(self, command: GenerateBatch) -> Receipt:
        model, settings = self._chosen(command)
        rows = [json.dumps({PROMPT: prompt, **settings}) for prompt in command.prompts]
        wish = RequestBatch(
            batch_id=command.batch_id,
            program_id=program_id(),
            program_version=1,
            rows="\n".join(rows),
            concurrency=command.concurrency,
            deadline_s=command.deadline_s,
            model=model,
            caches=_caches(command),
            fail_fast=command.fail_fast,
        )
        return self._asked(self.request_batch, wish)

    def _chosen(self, question: _Question) -> tuple[str, Mapping[str, JsonValue]]:
        """The model that is asked, by its full name, and how.

        Raises:
            ProviderIsDisabled, ModelIsNotOffered: It cannot be asked.
        """
        provider = self.providers.get(question.provider_id)
        provider.require_enabled()
        offered = provider.model(question.model)
        told: dict[str, JsonValue] = {
            "temperature": _or(question.temperature, offered.temperature),
            "max_tokens": _or(question.max_tokens, offered.max_tokens),
        }
        if question.system is not None:
            told["system"] = question.system
        return f"{provider.name}/{offered.name}", told

    def _asked(self, ask: Callable[[W], Receipt], wish: W) -> Receipt:
        with suppress(AggregateNotFound):  # it is the first time
            return ask(wish)
        # The command's own receipt is that of what it asks for.
        with within(replace(current(), fingerprint=None)):
            self._write_program(wish.program_id)
        return ask(wish)

    def _write_program(self, id: UUID) -> None:
        try:
            self._save_program(id, _NAME)
        except NameIsTaken:  # by a program of somebody's own
            self._save_program(id, f"{_NAME}-{id.hex[:8]}")

    def _save_program(self, id: UUID, name: str) -> None:
        program = Program.create(
            id, name, single(GENERATE), description=_DESCRIPTION, at=self.clock.now()
        )
        with suppress(ConcurrentWrite):  # somebody else asked for the first time, too
            self.programs.save(program, claim=Claim(Program.KIND, name, id))


def program_id() -> UUID:
    """The id of the program that generations of the current tenant are runs of."""
    return uuid5(_PROGRAMS, current().tenant)


def _caches(question: _Question) -> tuple[Cache, ...]:
    return (Cache.ANSWERS,) if question.uses_cache else ()


def _or(told: float | None, usual: float) -> float:
    return usual if told is None else told
