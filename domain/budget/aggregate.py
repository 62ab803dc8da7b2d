"""A budget: what was granted for some runs, and how much of it each of them sets aside."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Self, assert_never
from uuid import UUID

from domain.budget.errors import BudgetIsClosed
from domain.budget.events import (
    BudgetClosed,
    BudgetEvent,
    BudgetGranted,
    BudgetOpened,
    BudgetRanLow,
    BudgetRevised,
)
from domain.budget.values import Cover
from domain.kernel import Aggregate


class Budget(Aggregate[BudgetEvent]):
    """What was taken of it is not here: that is decided where the run is stored, all or nothing."""

    KIND: ClassVar[str] = "budget"

    cover: Cover
    hold_usd: Decimal
    alert_below_usd: Decimal | None

    def __init__(self, id: UUID) -> None:
        """Set the state before any event."""
        super().__init__(id)
        self.is_closed = self.is_low = False

    @classmethod
    def open(
        cls,
        id: UUID,
        cover: Cover,
        *,
        hold_usd: Decimal,
        alert_below_usd: Decimal | None,
        at: datetime,
    ) -> Self:
        """Let no run that it covers begin without *hold_usd* of it; it is empty at first."""
        event = BudgetOpened(cover=cover, hold_usd=hold_usd, alert_below_usd=alert_below_usd)
        return cls.begin(id, event, at=at)

    def grant(self, usd: Decimal, reason: str, *, at: datetime) -> None:
        """Put *usd* more into it."""
        self._require_open()
        self.record(BudgetGranted(usd=usd, reason=reason), at=at)

    def revise(self, *, hold_usd: Decimal, alert_below_usd: Decimal | None, at: datetime) -> None:
        """Change what later runs set aside, and when to tell. The same again changes nothing."""
        self._require_open()
        if (hold_usd, alert_below_usd) != (self.hold_usd, self.alert_below_usd):
            event = BudgetRevised(hold_usd=hold_usd, alert_below_usd=alert_below_usd)
            self.record(event, at=at)

    def watch(self, left_usd: Decimal, *, at: datetime) -> None:
        """Tell once, until more is granted, that only *left_usd* is left."""
        alert = self.alert_below_usd
        if alert is not None and left_usd < alert and not (self.is_low or self.is_closed):
            self.record(BudgetRanLow(alert_below_usd=alert), at=at)

    def close(self, reason: str, *, at: datetime) -> None:
        """Have it pay for nothing and stop nothing, for good. A second time changes nothing."""
        if not self.is_closed:
            self.record(BudgetClosed(reason=reason), at=at)

    def _require_open(self) -> None:
        if self.is_closed:
            raise BudgetIsClosed(self.id)

    def evolve(self, event: BudgetEvent) -> None:
        """Fold *event* into the state."""
        match event:
            case BudgetOpened():
                self.cover = event.cover
                self.hold_usd, self.alert_below_usd = event.hold_usd, event.alert_below_usd
            case BudgetRevised():
                self.hold_usd, self.alert_below_usd = event.hold_usd, event.alert_below_usd
                self.is_low = False
            case BudgetGranted():
                self.is_low = False
            case BudgetRanLow():
                self.is_low = True
            case BudgetClosed():
                self.is_closed = True
            case _:
                assert_never(event)
