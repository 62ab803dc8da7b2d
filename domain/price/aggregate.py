"""The price of a model over time: each begins at a moment and ends where the next one begins."""

from bisect import bisect_right
from datetime import datetime
from typing import ClassVar, Self, assert_never
from uuid import UUID

from domain.kernel import Aggregate
from domain.price.events import PriceEvent, PriceSet, PriceWithdrawn
from domain.price.values import Rates


class Price(Aggregate[PriceEvent]):
    """One model's. Past and future moments may be priced; what was billed stays as it was."""

    KIND: ClassVar[str] = "price"

    model: str

    def __init__(self, id: UUID) -> None:
        """Set the state before any event."""
        super().__init__(id)
        self._by_moment: dict[datetime, Rates | None] = {}
        self._moments: list[datetime] = []

    @classmethod
    def first(
        cls, id: UUID, model: str, rates: Rates, reason: str, *, valid_from: datetime, at: datetime
    ) -> Self:
        """Have calls of *model* from *valid_from* on cost *rates*."""
        event = PriceSet(model=model, valid_from=valid_from, rates=rates, reason=reason)
        return cls.begin(id, event, at=at)

    def set(self, rates: Rates, reason: str, *, valid_from: datetime, at: datetime) -> None:
        """Have calls from *valid_from* on cost *rates*, whatever else was to begin then.

        The same price at the same moment again changes nothing.
        """
        if self._by_moment.get(valid_from) != rates:
            self.record(
                PriceSet(model=self.model, valid_from=valid_from, rates=rates, reason=reason), at=at
            )

    def withdraw(self, reason: str, *, valid_from: datetime, at: datetime) -> None:
        """Let no price be known from *valid_from* on; where none is, that changes nothing."""
        if self.at(valid_from) is not None:
            event = PriceWithdrawn(model=self.model, valid_from=valid_from, reason=reason)
            self.record(event, at=at)

    def at(self, moment: datetime) -> Rates | None:
        """What calls at *moment* cost; ``None`` where nobody knows."""
        begun = bisect_right(self._moments, moment)
        return self._by_moment[self._moments[begun - 1]] if begun else None

    def evolve(self, event: PriceEvent) -> None:
        """Fold *event* into the state."""
        self.model = event.model
        match event:
            case PriceSet():
                self._by_moment[event.valid_from] = event.rates
            case PriceWithdrawn():
                self._by_moment[event.valid_from] = None
            case _:
                assert_never(event)
        self._moments = sorted(self._by_moment)
