"""Prices of models, and what calls cost by them, told by brute force."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID, uuid4

from domain.evaluation.events import EvaluationLmCalled, EvaluationRequested
from domain.execution.events import ExecutionLmCalled, ExecutionRequested
from domain.kernel import Event, Recorded
from domain.optimization.events import OptimizationLmCalled, OptimizationRequested
from domain.price.aggregate import Price
from domain.price.events import PriceEvent, PriceSet, PriceWithdrawn
from domain.price.values import Rates, counting_of
from domain.values import LmCall
from tests.support.histories import MODEL

SINCE = datetime(2029, 12, 1, tzinfo=UTC)
CHEAP = Rates(input_usd=Decimal("0.15"), output_usd=Decimal("0.6"))
RATES = Rates(
    input_usd=Decimal("2.5"),
    cached_input_usd=Decimal("1.25"),
    output_usd=Decimal(10),
    reasoning_usd=Decimal("12.000000001"),
)


def price_set(
    rates: Rates = CHEAP, *, model: str = MODEL, valid_from: datetime = SINCE
) -> PriceSet:
    return PriceSet(model=model, valid_from=valid_from, rates=rates, reason="By contract.")


def price_withdrawn(*, model: str = MODEL, valid_from: datetime = SINCE) -> PriceWithdrawn:
    return PriceWithdrawn(model=model, valid_from=valid_from, reason="The contract ended.")


def a_price() -> tuple[Event, ...]:
    """Set, corrected for the same moment, changed later, withdrawn."""
    later, last = datetime(2030, 6, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
    return (
        price_set(),
        price_set(RATES),
        price_set(CHEAP, valid_from=later),
        price_withdrawn(valid_from=last),
    )


EXAMPLES: tuple[tuple[Event, ...], ...] = (
    (price_set(RATES), price_set(CHEAP)),
    (price_withdrawn(),),
)
"""For the golden files of what is stored."""


class PricedCall(NamedTuple):
    """A call with its run, what it was billed and what it costs by the book."""

    run: str
    run_id: UUID
    program_id: UUID
    model: str
    at: datetime
    billed: Decimal | None
    repriced: Decimal | None

    @property
    def day(self) -> date:
        return self.at.astimezone(UTC).date()


def priced_calls(recorded: Sequence[Recorded]) -> Iterator[PricedCall]:
    """Every call of a log, by brute force: each priced by all that the log says of its model."""
    told: dict[str, list[PriceEvent]] = {}
    for each in recorded:
        if isinstance(each.event, PriceEvent):
            told.setdefault(each.event.model, []).append(each.event)
    book = {model: Price.fold(uuid4(), events) for model, events in told.items()}
    runs: dict[UUID, tuple[str, UUID]] = {}
    for each in recorded:
        match each.event:
            case ExecutionRequested() | OptimizationRequested() | EvaluationRequested() as event:
                runs[each.originator_id] = event.TOPIC.partition(".")[0], event.program_id
            case (
                ExecutionLmCalled(call=call)
                | OptimizationLmCalled(call=call)
                | EvaluationLmCalled(call=call)
            ):
                kind, program_id = runs[each.originator_id]
                rates = book[call.model].at(each.timestamp) if call.model in book else None
                yield PricedCall(
                    kind,
                    each.originator_id,
                    program_id,
                    call.model,
                    each.timestamp,
                    call.cost_usd,
                    _by_the_book(call, rates),
                )
            case _:
                pass


def _by_the_book(call: LmCall, rates: Rates | None) -> Decimal | None:
    if call.filled_by is not None:
        return Decimal(0)
    return None if rates is None else rates.cost_of(call.usage, counting_of(call.model))


def summed(calls: Sequence[PricedCall]) -> dict[str, object]:
    """What *calls* cost together; what is unknown is counted, and makes the sum partial."""
    sums: dict[str, object] = {"calls": len(calls)}
    for name in ("billed", "repriced"):
        known = [usd for each in calls if (usd := getattr(each, name)) is not None]
        sums[f"{name}_usd"] = sum(known, Decimal(0)) if known or not calls else None
        sums[f"{name}_unpriced"] = len(calls) - len(known)
        sums[f"{name}_is_partial"] = len(known) < len(calls)
    return sums
