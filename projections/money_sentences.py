"""What happens to budgets, prices and caches, in sentences."""

from typing import assert_never
from uuid import UUID

from domain.budget.events import (
    BudgetClosed,
    BudgetEvent,
    BudgetGranted,
    BudgetOpened,
    BudgetRanLow,
    BudgetRevised,
)
from domain.cache.events import CachePurged
from domain.price.events import PriceEvent, PriceSet, PriceWithdrawn
from projections.words import Words, plain, quoted


def budget(id: UUID, event: BudgetEvent) -> Words:
    match event:
        case BudgetOpened(cover=cover, hold_usd=hold):
            told = f" for {plain(cover.word)}, of which a run sets {hold:f} USD aside"
            return ("opened budget ", id, told)
        case BudgetGranted(usd=usd, reason=reason):
            return (f"granted {usd:f} USD to budget ", id, f" because {quoted(reason)}")
        case BudgetRevised(hold_usd=hold):
            return (f"had runs set {hold:f} USD aside of budget ", id)
        case BudgetRanLow(alert_below_usd=alert):
            return ("found budget ", id, f" to have less than {alert:f} USD left")
        case BudgetClosed(reason=reason):
            return ("closed budget ", id, f" because {quoted(reason)}")
        case _:
            assert_never(event)


def price(id: UUID, event: PriceEvent) -> Words:
    del id
    since = f" from {event.valid_from.isoformat()} on because {quoted(event.reason)}"
    match event:
        case PriceSet(rates=rates):
            told = f" to {rates.input_usd:f} USD in and {rates.output_usd:f} USD out a million"
            return (f"set the price of {plain(event.model)}{told}{since}",)
        case PriceWithdrawn():
            return (f"withdrew the price of {plain(event.model)}{since}",)
        case _:
            assert_never(event)


def purge(id: UUID, event: CachePurged) -> Words:
    del id
    what = "caches" if event.cache is None else f"cache of {event.cache.value}"
    of = () if event.program_id is None else (" of program ", event.program_id)
    by = "" if event.model is None else f" of what {plain(event.model)} answered"
    return (f"emptied the {what}", *of, f"{by} because {quoted(event.reason)}")
