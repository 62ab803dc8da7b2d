"""What language models were used for, by day, program, model and predictor: calls, tokens, cost."""

from collections.abc import Iterable
from datetime import UTC, date
from decimal import Decimal
from typing import ClassVar, Literal, LiteralString
from uuid import UUID

from pydantic import Field

from domain.evaluation.events import EvaluationLmCalled, EvaluationRequested
from domain.execution.events import ExecutionLmCalled, ExecutionRequested
from domain.kernel import Event, Recorded
from domain.optimization.events import OptimizationLmCalled, OptimizationRequested
from domain.values import LmCall
from projections.folding import row
from projections.kernel import Projection, ReadStore, Write
from projections.lm_calls import RunKind
from projections.paging import DEFAULT_LIMIT, Cursor, Key, Order, Page, Row, Select


class LmUsageSums(Row):
    """Sums over some calls. What a provider did not say is left out and counted as unknown."""

    calls: int
    failed_calls: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    total_tokens: int
    calls_with_unknown_tokens: int = Field(description="Calls without a total token count.")
    cost_usd: Decimal = Field(description="US dollars, exact: the calls of known cost alone.")
    calls_with_unknown_cost: int = Field(description="Calls that are missing from the cost.")
    average_latency_ms: float = Field(description="0 where there are no calls.")


class LmUsageRow(LmUsageSums):
    day: date = Field(description="In UTC.")
    run: RunKind
    program_id: UUID
    model: str
    node: str = Field(description="The predictor that asked.")
    role: Literal["task", "optimizer"]


class LmUsage(Projection):
    name: ClassVar[str] = "lm_usage"
    version: ClassVar[int] = 1
    schema: ClassVar[LiteralString] = """
        CREATE TABLE lm_usage_run (
            tenant     text NOT NULL,
            run_id     uuid NOT NULL,
            run        text NOT NULL,
            program_id uuid NOT NULL,
            booked     bigint NOT NULL,
            PRIMARY KEY (tenant, run_id)
        );
        CREATE TABLE lm_usage (
            tenant                    text NOT NULL,
            day                       date NOT NULL,
            run                       text NOT NULL,
            program_id                uuid NOT NULL,
            model                     text NOT NULL,
            node                      text NOT NULL,
            role                      text NOT NULL,
            calls                     bigint NOT NULL,
            failed_calls              bigint NOT NULL,
            prompt_tokens             bigint NOT NULL,
            completion_tokens         bigint NOT NULL,
            cached_tokens             bigint NOT NULL,
            reasoning_tokens          bigint NOT NULL,
            total_tokens              bigint NOT NULL,
            calls_with_unknown_tokens bigint NOT NULL,
            cost_usd                  numeric NOT NULL,
            calls_with_unknown_cost   bigint NOT NULL,
            latency_ms                double precision NOT NULL,
            PRIMARY KEY (tenant, day, run, program_id, model, node, role)
        );
        CREATE INDEX lm_usage_program ON lm_usage (tenant, program_id, day);
    """
    events: ClassVar[tuple[type[Event], ...]] = (
        ExecutionRequested,
        ExecutionLmCalled,
        OptimizationRequested,
        OptimizationLmCalled,
        EvaluationRequested,
        EvaluationLmCalled,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case ExecutionRequested(program_id=program_id):
                yield Write(_RUN, row(recorded, run="execution", program_id=program_id))
            case OptimizationRequested(program_id=program_id):
                yield Write(_RUN, row(recorded, run="optimization", program_id=program_id))
            case EvaluationRequested(program_id=program_id):
                yield Write(_RUN, row(recorded, run="evaluation", program_id=program_id))
            case (
                ExecutionLmCalled(call=call)
                | OptimizationLmCalled(call=call)
                | EvaluationLmCalled(call=call)
            ):
                day = recorded.timestamp.astimezone(UTC).date()
                yield Write(_BOOK, row(recorded, day=day, **_sums(call)))
            case _:
                pass


def lm_usage(
    store: ReadStore,
    *,
    tenant: str,
    since: date | None = None,
    until: date | None = None,
    program_id: UUID | None = None,
    model: str | None = None,
    run: RunKind | None = None,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[LmUsageRow]:
    """The newest days first, from the day *since* to before the day *until*, in UTC."""
    select = Select(_SELECT, of=LmUsage, tenant=tenant)
    _narrow(select, since=since, until=until, program_id=program_id, model=model, run=run)
    return select.page(store, LmUsageRow, _BY_DAY, limit=limit, after=after)


def lm_usage_total(
    store: ReadStore,
    *,
    tenant: str,
    since: date | None = None,
    until: date | None = None,
    program_id: UUID | None = None,
    model: str | None = None,
    run: RunKind | None = None,
) -> LmUsageSums:
    """The sums over everything that ``lm_usage`` would list; zeros when it lists nothing."""
    select = Select(_TOTAL, of=LmUsage, tenant=tenant)
    _narrow(select, since=since, until=until, program_id=program_id, model=model, run=run)
    return select.only(store, LmUsageSums)


def _narrow(
    select: Select,
    *,
    since: date | None,
    until: date | None,
    program_id: UUID | None,
    model: str | None,
    run: RunKind | None,
) -> None:
    select.where("day >= %(since)s", since=since)
    select.where("day < %(until)s", until=until)
    select.where("program_id = %(program_id)s", program_id=program_id)
    select.where("model = %(model)s", model=model)
    select.where("run = %(run)s", run=run)


def _sums(call: LmCall) -> dict[str, object]:
    return {
        "model": call.model,
        "node": call.node,
        "role": call.role,
        "failed": int(call.failure is not None),
        "prompt_tokens": call.usage.prompt_tokens or 0,
        "completion_tokens": call.usage.completion_tokens or 0,
        "cached_tokens": call.usage.cached_tokens or 0,
        "reasoning_tokens": call.usage.reasoning_tokens or 0,
        "total_tokens": call.usage.total_tokens or 0,
        "unknown_tokens": int(call.usage.total_tokens is None),
        "cost_usd": call.cost_usd or Decimal(0),
        "unknown_cost": int(call.cost_usd is None),
        "latency_ms": call.latency_ms,
    }


_BY_DAY = Order(
    "day DESC, run DESC, program_id DESC, model DESC, node DESC, role DESC",
    "(day, run, program_id, model, node, role) < (%(after_day)s, %(after_run)s,"
    " %(after_program_id)s, %(after_model)s, %(after_node)s, %(after_role)s)",
    (
        Key("day", date.fromisoformat),
        Key("run", str),
        Key("program_id", UUID),
        Key("model", str),
        Key("node", str),
        Key("role", str),
    ),
)

_SELECT: LiteralString = """
    SELECT day, run, program_id, model, node, role, calls, failed_calls, prompt_tokens,
           completion_tokens, cached_tokens, reasoning_tokens, total_tokens,
           calls_with_unknown_tokens, cost_usd, calls_with_unknown_cost,
           latency_ms / calls AS average_latency_ms
    FROM lm_usage WHERE tenant = %(tenant)s"""

_TOTAL: LiteralString = """
    SELECT coalesce(sum(calls), 0)::bigint AS calls,
           coalesce(sum(failed_calls), 0)::bigint AS failed_calls,
           coalesce(sum(prompt_tokens), 0)::bigint AS prompt_tokens,
           coalesce(sum(completion_tokens), 0)::bigint AS completion_tokens,
           coalesce(sum(cached_tokens), 0)::bigint AS cached_tokens,
           coalesce(sum(reasoning_tokens), 0)::bigint AS reasoning_tokens,
           coalesce(sum(total_tokens), 0)::bigint AS total_tokens,
           coalesce(sum(calls_with_unknown_tokens), 0)::bigint AS calls_with_unknown_tokens,
           coalesce(sum(cost_usd), 0) AS cost_usd,
           coalesce(sum(calls_with_unknown_cost), 0)::bigint AS calls_with_unknown_cost,
           coalesce(sum(latency_ms ORDER BY latency_ms) / sum(calls), 0) AS average_latency_ms
    FROM lm_usage WHERE tenant = %(tenant)s"""

_RUN: LiteralString = """
    INSERT INTO lm_usage_run (tenant, run_id, run, program_id, booked)
    VALUES (%(tenant)s, %(id)s, %(run)s, %(program_id)s, %(version)s)
    ON CONFLICT DO NOTHING"""

_BOOK: LiteralString = """
    WITH of AS (
        UPDATE lm_usage_run SET booked = %(version)s
        WHERE tenant = %(tenant)s AND run_id = %(id)s AND booked < %(version)s
        RETURNING run, program_id)
    INSERT INTO lm_usage AS total (
        tenant, day, run, program_id, model, node, role, calls, failed_calls, prompt_tokens,
        completion_tokens, cached_tokens, reasoning_tokens, total_tokens,
        calls_with_unknown_tokens, cost_usd, calls_with_unknown_cost, latency_ms)
    SELECT %(tenant)s, %(day)s, of.run, of.program_id, %(model)s, %(node)s, %(role)s, 1,
           %(failed)s, %(prompt_tokens)s, %(completion_tokens)s, %(cached_tokens)s,
           %(reasoning_tokens)s, %(total_tokens)s, %(unknown_tokens)s, %(cost_usd)s,
           %(unknown_cost)s, %(latency_ms)s
    FROM of
    ON CONFLICT (tenant, day, run, program_id, model, node, role) DO UPDATE
    SET calls = total.calls + 1,
        failed_calls = total.failed_calls + excluded.failed_calls,
        prompt_tokens = total.prompt_tokens + excluded.prompt_tokens,
        completion_tokens = total.completion_tokens + excluded.completion_tokens,
        cached_tokens = total.cached_tokens + excluded.cached_tokens,
        reasoning_tokens = total.reasoning_tokens + excluded.reasoning_tokens,
        total_tokens = total.total_tokens + excluded.total_tokens,
        calls_with_unknown_tokens = total.calls_with_unknown_tokens
            + excluded.calls_with_unknown_tokens,
        cost_usd = total.cost_usd + excluded.cost_usd,
        calls_with_unknown_cost = total.calls_with_unknown_cost + excluded.calls_with_unknown_cost,
        latency_ms = total.latency_ms + excluded.latency_ms"""
