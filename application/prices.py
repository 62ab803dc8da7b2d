"""Setting and withdrawing prices of models: each command, and beneath it its handler."""

from dataclasses import dataclass

from application.authorization import Permission
from application.commands import Command, handles
from application.errors import AggregateNotFound
from application.ports import Clock, Receipt, Repository
from application.pricing import PriceBook, price_id
from application.reasons import NO_REASON
from domain.price.aggregate import Price
from domain.price.errors import ModelHasNoPrice
from domain.price.values import ModelName, Moment, Rates
from domain.text import LongText


class SetPrice(Command):
    """Calls of the model from ``valid_from`` on, or from now on, cost that."""

    model: ModelName
    rates: Rates
    valid_from: Moment | None = None
    reason: LongText = NO_REASON


class WithdrawPrice(Command):
    """From ``valid_from`` on, or from now on, the book does not say what the model costs."""

    model: ModelName
    valid_from: Moment | None = None
    reason: LongText = NO_REASON


@dataclass(frozen=True, slots=True)
class PriceHandlers:
    prices: Repository[Price]
    book: PriceBook
    clock: Clock

    @handles(SetPrice, Permission.MANAGE_PRICES)
    def set(self, command: SetPrice) -> Receipt:
        rates, reason, at = command.rates, command.reason, self.clock.now()
        price_of_it, since = price_id(command.model), command.valid_from or at
        try:
            price = self.prices.get(price_of_it)
        except AggregateNotFound:
            price = Price.first(price_of_it, command.model, rates, reason, valid_from=since, at=at)
        else:
            price.set(rates, reason, valid_from=since, at=at)
        return self._save(price)

    @handles(WithdrawPrice, Permission.MANAGE_PRICES)
    def withdraw(self, command: WithdrawPrice) -> Receipt:
        at = self.clock.now()
        try:
            price = self.prices.get(price_id(command.model))
        except AggregateNotFound:
            raise ModelHasNoPrice(command.model) from None
        price.withdraw(command.reason, valid_from=command.valid_from or at, at=at)
        return self._save(price)

    def _save(self, price: Price) -> Receipt:
        receipt = self.prices.save(price)
        self.book.changed()
        return receipt
