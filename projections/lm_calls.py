"""One row for each language-model call of every execution, optimization and evaluation.

Beside them lie the prices of models: what calls cost by the book is one question, of any time.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Literal, LiteralString
from uuid import UUID

from pydantic import Field

from domain.evaluation.events import EvaluationLmCalled, EvaluationRequested
from domain.execution.events import ExecutionLmCalled, ExecutionRequested
from domain.kernel import Event, Recorded
from domain.optimization.events import OptimizationLmCalled, OptimizationRequested
from domain.price.events import PriceSet, PriceWithdrawn
from domain.program.events import ProgramCreated
from domain.program.graph import module_nodes
from domain.values import Digest, Failure, LmCall, LmUsage, PayloadRef, RunRef
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, OLDEST_FIRST, Cursor, Page, Row, Select
from projections.past import grown
from projections.price_rows import SCHEMA as PRICES
from projections.price_rows import written

RunKind = Literal["execution", "optimization", "evaluation"]


class LmCallRow(Row):
    position: int = Field(description="Where in the log it was recorded; newer ones are greater.")
    run: RunKind = Field(description="What made the call.")
    run_id: UUID
    program_id: UUID
    program_version: int
    node: str = Field(description="The predictor that asked.")
    module_id: UUID | None = Field(description="The module it was taken from, if from one.")
    role: Literal["task", "optimizer"] = Field(
        description="The program's own call, or one that an optimizer made to think."
    )
    model: str
    model_served: str | None = Field(description="What the provider says it answered with.")
    key: Digest = Field(description="Equal for equal requests, rollouts and candidates.")
    rollout_id: int | None
    candidate: int
    request: PayloadRef
    response: PayloadRef | None
    usage: LmUsage
    cost_usd: Decimal | None = Field(description="US dollars, exact; null when not known.")
    latency_ms: float = Field(description="Wall time of all attempts.")
    attempts: int = Field(description="Tries at the provider.")
    finish_reason: str | None
    failure: Failure | None
    filled_by: RunRef | None = Field(
        description="The run whose call with this key was made, if the cache answered this one."
    )
    called_at: datetime = Field(description="When it was answered and recorded.")


class LmCalls(Projection):
    name: ClassVar[str] = "lm_calls"
    version: ClassVar[int] = 4
    schema: ClassVar[LiteralString] = (
        """
        CREATE TABLE lm_call_run (
            tenant          text NOT NULL,
            run_id          uuid NOT NULL,
            run             text NOT NULL,
            program_id      uuid NOT NULL,
            program_version integer NOT NULL,
            PRIMARY KEY (tenant, run_id)
        );
        CREATE TABLE lm_call_module (
            tenant     text NOT NULL,
            program_id uuid NOT NULL,
            node       text NOT NULL,
            module_id  uuid NOT NULL,
            PRIMARY KEY (tenant, program_id, node)
        );
        CREATE TABLE lm_call (
            tenant          text NOT NULL,
            position        bigint NOT NULL,
            run             text NOT NULL,
            run_id          uuid NOT NULL,
            program_id      uuid NOT NULL,
            program_version integer NOT NULL,
            node            text NOT NULL,
            module_id       uuid,
            role            text NOT NULL,
            model           text NOT NULL,
            model_served    text,
            key             text NOT NULL,
            rollout_id      bigint,
            candidate       integer NOT NULL,
            request         json NOT NULL,
            response        json,
            usage           json NOT NULL,
            cost_usd        numeric,
            latency_ms      double precision NOT NULL,
            attempts        integer NOT NULL,
            finish_reason   text,
            failure         json,
            filled_by       json,
            called_at       timestamptz NOT NULL,
            PRIMARY KEY (tenant, position)
        );
        CREATE INDEX lm_call_by_run ON lm_call (tenant, run_id, position);
        CREATE INDEX lm_call_by_program ON lm_call (tenant, program_id, position);
        CREATE INDEX lm_call_by_module ON lm_call (tenant, module_id, position);
        CREATE INDEX lm_call_by_model ON lm_call (tenant, model, position);
    """
        + PRICES
    )
    indexes: ClassVar[LiteralString] = """
        CREATE INDEX lm_call_cost ON lm_call (tenant, program_id, called_at) INCLUDE (cost_usd);
    """
    past: ClassVar[tuple[LiteralString, ...]] = (grown("lm_call"), grown("lm_price"))
    events: ClassVar[tuple[type[Event], ...]] = (
        ProgramCreated,
        ExecutionRequested,
        ExecutionLmCalled,
        OptimizationRequested,
        OptimizationLmCalled,
        EvaluationRequested,
        EvaluationLmCalled,
        PriceSet,
        PriceWithdrawn,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case ProgramCreated(graph=graph):
                for _, node in module_nodes(graph):
                    if node.module_id is not None:
                        columns = row(recorded, node=node.id, module_id=node.module_id)
                        yield Write(_MODULE, columns)
            case ExecutionRequested() as event:
                yield Write(_RUN, row(recorded, run="execution", **_program(event)))
            case OptimizationRequested() as event:
                yield Write(_RUN, row(recorded, run="optimization", **_program(event)))
            case EvaluationRequested() as event:
                yield Write(_RUN, row(recorded, run="evaluation", **_program(event)))
            case (
                ExecutionLmCalled(call=call)
                | OptimizationLmCalled(call=call)
                | EvaluationLmCalled(call=call)
            ):
                yield Write(_CALL, row(recorded, **_call(call)))
            case PriceSet() | PriceWithdrawn() as event:
                yield from written(recorded, event)
            case _:
                pass


def lm_calls(
    store: ReadStore,
    run_id: UUID,
    *,
    tenant: str,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[LmCallRow]:
    """The model calls of one execution, optimization or evaluation, in order."""
    select = Select(_SELECT, of=LmCalls, tenant=tenant).where("run_id = %(run_id)s", run_id=run_id)
    return select.page(store, LmCallRow, OLDEST_FIRST, limit=limit, after=after)


def recent_lm_calls(
    store: ReadStore,
    *,
    tenant: str,
    program_id: UUID | None = None,
    module_id: UUID | None = None,
    model: str | None = None,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[LmCallRow]:
    """The newest model calls first, whatever made them."""
    select = Select(_SELECT, of=LmCalls, tenant=tenant)
    select.where("program_id = %(program_id)s", program_id=program_id)
    select.where("module_id = %(module_id)s", module_id=module_id)
    select.where("model = %(model)s", model=model)
    return select.page(store, LmCallRow, NEWEST_FIRST, limit=limit, after=after)


def _program(
    event: ExecutionRequested | OptimizationRequested | EvaluationRequested,
) -> dict[str, object]:
    return {"program_id": event.program_id, "program_version": event.program_version}


def _call(call: LmCall) -> dict[str, object]:
    return {
        "node": call.node,
        "role": call.role,
        "model": call.model,
        "model_served": call.model_served,
        "key": call.key,
        "rollout_id": call.rollout_id,
        "candidate": call.candidate,
        "request": document(call.request),
        "response": document(call.response),
        "usage": document(call.usage),
        "cost_usd": call.cost_usd,
        "latency_ms": call.latency_ms,
        "attempts": call.attempts,
        "finish_reason": call.finish_reason,
        "failure": document(call.failure),
        "filled_by": document(call.filled_by),
    }


_SELECT: LiteralString = """
    SELECT position, run, run_id, program_id, program_version, node, module_id, role, model,
           model_served, key, rollout_id, candidate, request, response, usage, cost_usd, latency_ms,
           attempts, finish_reason, failure, filled_by, called_at
    FROM lm_call WHERE tenant = %(tenant)s"""

_RUN: LiteralString = """
    INSERT INTO lm_call_run (tenant, run_id, run, program_id, program_version)
    VALUES (%(tenant)s, %(id)s, %(run)s, %(program_id)s, %(program_version)s)
    ON CONFLICT DO NOTHING"""

_MODULE: LiteralString = """
    INSERT INTO lm_call_module (tenant, program_id, node, module_id)
    VALUES (%(tenant)s, %(id)s, %(node)s, %(module_id)s)
    ON CONFLICT DO NOTHING"""

_CALL: LiteralString = """
    INSERT INTO lm_call (tenant, position, run, run_id, program_id, program_version, node,
                         module_id, role, model, model_served, key, rollout_id, candidate, request,
                         response, usage, cost_usd, latency_ms, attempts, finish_reason, failure,
                         filled_by, called_at)
    SELECT r.tenant, %(position)s, r.run, r.run_id, r.program_id, r.program_version, %(node)s,
           m.module_id, %(role)s, %(model)s, %(model_served)s, %(key)s, %(rollout_id)s,
           %(candidate)s, %(request)s, %(response)s, %(usage)s, %(cost_usd)s, %(latency_ms)s,
           %(attempts)s, %(finish_reason)s, %(failure)s, %(filled_by)s, %(at)s
    FROM lm_call_run AS r LEFT JOIN lm_call_module AS m
        ON m.tenant = r.tenant AND m.program_id = r.program_id AND m.node = %(node)s
    WHERE r.tenant = %(tenant)s AND r.run_id = %(id)s
    ON CONFLICT DO NOTHING"""
