"""What models cost and what runs may: the ports to both, and the handlers that change them."""

from collections.abc import Sequence
from time import monotonic
from typing import NamedTuple

from application.budgets import BudgetHandlers
from application.prices import PriceHandlers
from application.pricing import RememberedPrices
from domain.budget.aggregate import Budget
from domain.price.aggregate import Price
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from infrastructure.postgres.budgets import PostgresCredit
from infrastructure.system import SystemClock


class Money(NamedTuple):
    """``handlers`` change what ``credit`` and ``prices`` tell."""

    credit: PostgresCredit
    prices: RememberedPrices
    handlers: Sequence[object]


def money(log: EventLog) -> Money:
    """The budgets and the price book of *log*."""
    clock, budgets = SystemClock(), EventSourcedRepository(log, Budget)
    credit = PostgresCredit(log.receipts.recorder.pool)
    prices = RememberedPrices(book := EventSourcedRepository(log, Price), monotonic)
    handlers = BudgetHandlers(budgets, credit, clock), PriceHandlers(book, prices, clock)
    return Money(credit, prices, handlers)
