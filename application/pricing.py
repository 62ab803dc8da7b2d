"""What a model call is billed: by the price book, or else as its provider is known to charge."""

from datetime import datetime
from typing import Final, Protocol
from uuid import UUID, uuid5

from application.context import current
from application.errors import AggregateNotFound
from application.fresh import Fresh
from application.ports import Monotonic, Repository
from domain.price.aggregate import Price
from domain.price.values import Rates, counting_of
from domain.values import LmCall

_IDS: Final = UUID("0c0f6a56-3f0b-4f57-8f5e-52f1f1a1c0d7")
"""Namespace of the ids of prices, one for each model of a tenant. Never change it."""


def price_id(model: str) -> UUID:
    """The id of the price of *model*, in the tenant of the current context."""
    return uuid5(_IDS, f"{current().tenant}\n{model}")


class PriceBook(Protocol):
    def rates(self, model: str, at: datetime) -> Rates | None:
        """What a call of *model* costs at the moment *at*, in the tenant of the current context.

        ``None`` where the book does not say.
        """
        ...

    def changed(self) -> None:
        """Forget what is kept of the book: it changed."""
        ...


def billed(call: LmCall, prices: PriceBook, *, at: datetime) -> LmCall:
    """*call*, answered *at*, with what it costs: the book's word goes before the provider's."""
    rates = prices.rates(call.model, at)
    if rates is None:
        return call
    return call.model_copy(update={"cost_usd": rates.cost_of(call.usage, counting_of(call.model))})


class _NoPrices:
    """A book without a price."""

    def rates(self, model: str, at: datetime) -> Rates | None:
        del model, at
        return None

    def changed(self) -> None:
        """There is nothing to forget."""


NO_PRICES: Final = _NoPrices()


class RememberedPrices:
    """A price book over the log, which does not read the price of a model for every call."""

    def __init__(self, prices: Repository[Price], monotonic: Monotonic) -> None:
        self._prices, self._fresh = prices, Fresh[Price | None](monotonic)

    def rates(self, model: str, at: datetime) -> Rates | None:
        price = self._fresh.get(key := price_id(model), lambda: self._read(key))
        return None if price is None else price.at(at)

    def changed(self) -> None:
        self._fresh.forget_all()

    def _read(self, id: UUID) -> Price | None:
        try:
            return self._prices.get(id)
        except AggregateNotFound:
            return None
