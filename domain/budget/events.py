"""Everything that can happen to a budget; what runs take from it are events of theirs."""

from typing import ClassVar

from domain.budget.values import Amount, Cover
from domain.kernel import Event


class BudgetOpened(Event):
    """There is nothing in it yet. Each run that it covers sets ``hold_usd`` of it aside."""

    TOPIC: ClassVar[str] = "budget.opened"

    cover: Cover
    hold_usd: Amount
    alert_below_usd: Amount | None


class BudgetGranted(Event):
    TOPIC: ClassVar[str] = "budget.granted"

    usd: Amount
    reason: str


class BudgetRevised(Event):
    TOPIC: ClassVar[str] = "budget.revised"

    hold_usd: Amount
    alert_below_usd: Amount | None


class BudgetRanLow(Event):
    """Less was left than whoever gave it wanted to be told of."""

    TOPIC: ClassVar[str] = "budget.ran_low"

    alert_below_usd: Amount


class BudgetClosed(Event):
    """It pays for nothing and stops nothing any more."""

    TOPIC: ClassVar[str] = "budget.closed"

    reason: str


BudgetEvent = BudgetOpened | BudgetGranted | BudgetRevised | BudgetRanLow | BudgetClosed
