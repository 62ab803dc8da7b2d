"""Everything that can happen to the price of a model."""

from typing import ClassVar

from domain.kernel import Event
from domain.price.values import ModelName, Moment, Rates


class PriceSet(Event):
    """Calls from ``valid_from`` on cost that, until the next price begins."""

    TOPIC: ClassVar[str] = "price.set"

    model: ModelName
    valid_from: Moment
    rates: Rates
    reason: str


class PriceWithdrawn(Event):
    """From ``valid_from`` on, until the next price begins, nobody knows what a call costs."""

    TOPIC: ClassVar[str] = "price.withdrawn"

    model: ModelName
    valid_from: Moment
    reason: str


PriceEvent = PriceSet | PriceWithdrawn
