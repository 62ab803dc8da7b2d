"""How models fare, by the newest calls: whether they answer, how often they do not, and why."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, LiteralString

from pydantic import Field

from projections.kernel import ReadStore
from projections.lm_calls import LmCalls
from projections.paging import Row

NEWEST: Final = 1000
"""So many calls of the tenant are looked at, all models together."""


class ModelHealth(Row):
    """A model as its newest calls show it; those that the cache answered say nothing of it."""

    model: str = Field(description="As calls of it are recorded.")
    state: Literal["answering", "failing", "left_alone"] = Field(
        description="By its latest call. left_alone: it failed so often in a row that a worker made"
        " no call; it is tried again within half a minute."
    )
    calls: int
    failures: int = Field(description="Calls that it did not answer; a refusal is an answer.")
    error_rate: float
    median_latency_ms: float
    last_answered_at: datetime | None
    last_failed_at: datetime | None
    last_failure: str | None = Field(description="The code of the latest failure.")


def model_health(store: ReadStore, *, tenant: str, since: datetime) -> Sequence[ModelHealth]:
    """Every model that was called *since* then, as far as the newest calls reach back."""
    told = {"tenant": tenant, "since": since, "newest": NEWEST}
    return [ModelHealth.model_validate(row) for row in store.rows(_SELECT, told, of=LmCalls)]


_SELECT: LiteralString = """
    WITH recent AS (
        SELECT model, position, called_at, latency_ms, failure ->> 'code' AS code,
               failure IS NOT NULL AND failure ->> 'code' <> 'model.request_refused' AS has_failed
        FROM (SELECT * FROM lm_call WHERE tenant = %(tenant)s AND filled_by IS NULL
              ORDER BY position DESC LIMIT %(newest)s) AS newest
        WHERE called_at >= %(since)s
    ), told AS (
        SELECT model, count(*) AS calls, count(*) FILTER (WHERE has_failed) AS failures,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms) AS median_latency_ms,
               max(called_at) FILTER (WHERE NOT has_failed) AS last_answered_at,
               max(called_at) FILTER (WHERE has_failed) AS last_failed_at,
               (array_agg(code ORDER BY position DESC) FILTER (WHERE has_failed))[1]
                   AS last_failure,
               (array_agg(has_failed ORDER BY position DESC))[1] AS is_failing
        FROM recent GROUP BY model
    )
    SELECT model, calls, failures, failures::float / calls AS error_rate, median_latency_ms,
           last_answered_at, last_failed_at, last_failure,
           CASE WHEN NOT is_failing THEN 'answering'
                WHEN last_failure = 'model.circuit_open' THEN 'left_alone'
                ELSE 'failing' END AS state
    FROM told ORDER BY model"""
