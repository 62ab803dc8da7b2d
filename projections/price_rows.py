"""The price book as rows beside the calls that it prices: one for each price that was ever set."""

from collections.abc import Iterable
from typing import LiteralString

from domain.kernel import Recorded
from domain.price.events import PriceSet, PriceWithdrawn
from domain.price.values import counting_of
from projections.folding import row
from projections.kernel import Write

SCHEMA: LiteralString = """
        CREATE TABLE lm_price (
            tenant           text NOT NULL,
            model            text NOT NULL,
            valid_from       timestamptz NOT NULL,
            position         bigint NOT NULL,
            input_usd        numeric,
            cached_input_usd numeric,
            output_usd       numeric,
            reasoning_usd    numeric,
            cached_apart     boolean NOT NULL,
            reasoning_apart  boolean NOT NULL,
            reason           text NOT NULL,
            set_at           timestamptz NOT NULL,
            set_by           text NOT NULL,
            PRIMARY KEY (tenant, model, valid_from, position)
        );
    """

# The price of the call `c`: the last to begin before it was answered, and of those that begin at
# one moment the last that was set. What was withdrawn has no price for input. An answer of the
# cache costs nothing, whatever its model does.
PRICED: LiteralString = """
    SELECT c.*, (c.called_at AT TIME ZONE 'UTC')::date AS day,
           CASE WHEN c.filled_by IS NOT NULL THEN 0
                ELSE (asked.usd + given.usd) * 0.000001 END AS repriced_usd
    FROM lm_call AS c
    LEFT JOIN LATERAL (
        SELECT * FROM lm_price AS p
        WHERE p.tenant = c.tenant AND p.model = c.model AND p.valid_from <= c.called_at
        ORDER BY p.valid_from DESC, p.position DESC LIMIT 1) AS price ON true
    CROSS JOIN LATERAL (
        SELECT (c.usage->>'prompt_tokens')::numeric AS prompt,
               (c.usage->>'completion_tokens')::numeric AS completion,
               (c.usage->>'cached_tokens')::numeric AS cached,
               (c.usage->>'reasoning_tokens')::numeric AS reasoning,
               (c.usage->>'total_tokens')::numeric AS total) AS used
    CROSS JOIN LATERAL (SELECT CASE WHEN total = prompt + completion THEN 0 END AS room) AS unsaid
    CROSS JOIN LATERAL (SELECT CASE
        WHEN price.cached_apart THEN
            prompt * input_usd
            + coalesce(cached, room) * coalesce(cached_input_usd, input_usd)
        WHEN cached_input_usd IS NULL THEN prompt * input_usd
        WHEN cached <= prompt THEN (prompt - cached) * input_usd + cached * cached_input_usd
        END AS usd) AS asked
    CROSS JOIN LATERAL (SELECT CASE
        WHEN price.reasoning_apart THEN
            completion * output_usd
            + coalesce(reasoning, room) * coalesce(reasoning_usd, output_usd)
        WHEN reasoning_usd IS NULL THEN completion * output_usd
        WHEN reasoning <= completion THEN
            (completion - reasoning) * output_usd + reasoning * reasoning_usd
        END AS usd) AS given
    WHERE c.tenant = %(tenant)s"""


def written(recorded: Recorded, event: PriceSet | PriceWithdrawn) -> Iterable[Write]:
    """The row of *event*."""
    rates = event.rates if isinstance(event, PriceSet) else None
    counting = counting_of(event.model)
    columns = {
        "model": event.model,
        "valid_from": event.valid_from,
        "input_usd": rates and rates.input_usd,
        "cached_input_usd": rates and rates.cached_input_usd,
        "output_usd": rates and rates.output_usd,
        "reasoning_usd": rates and rates.reasoning_usd,
        "cached_apart": counting.cached_apart,
        "reasoning_apart": counting.reasoning_apart,
        "reason": event.reason,
    }
    yield Write(_PRICE, row(recorded, **columns))


_PRICE: LiteralString = """
    INSERT INTO lm_price (tenant, model, valid_from, position, input_usd, cached_input_usd,
                          output_usd, reasoning_usd, cached_apart, reasoning_apart, reason, set_at,
                          set_by)
    VALUES (%(tenant)s, %(model)s, %(valid_from)s, %(position)s, %(input_usd)s,
            %(cached_input_usd)s, %(output_usd)s, %(reasoning_usd)s, %(cached_apart)s,
            %(reasoning_apart)s, %(reason)s, %(at)s, %(actor)s)
    ON CONFLICT DO NOTHING"""
