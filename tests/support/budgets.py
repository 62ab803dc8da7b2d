"""A budget with all that can happen to one, and what a run makes of it."""

from decimal import Decimal
from uuid import UUID

from domain.budget.events import (
    BudgetClosed,
    BudgetGranted,
    BudgetOpened,
    BudgetRanLow,
    BudgetRevised,
)
from domain.budget.values import Cover
from domain.execution.events import ExecutionCreditHeld, ExecutionCreditSettled
from domain.execution.values import Charge, Hold
from domain.kernel import Event

BUDGET = UUID(int=41)
HELD = ExecutionCreditHeld(holds=(Hold(budget_id=BUDGET, usd=Decimal("0.5")),))
SETTLED = ExecutionCreditSettled(
    charges=(Charge(budget_id=BUDGET, held_usd=Decimal("0.5"), charged_usd=Decimal("0.001")),),
    cost_usd=Decimal("0.001"),
)
UNPRICED = ExecutionCreditSettled(
    charges=(Charge(budget_id=BUDGET, held_usd=Decimal("0.5"), charged_usd=Decimal("0.5")),),
    cost_usd=None,
)


def a_budget() -> tuple[Event, ...]:
    """Opened, filled, changed, nearly spent, and closed."""
    return (
        BudgetOpened(cover=Cover(), hold_usd=Decimal("0.5"), alert_below_usd=Decimal(3)),
        BudgetGranted(usd=Decimal("10.25"), reason="For June."),
        BudgetRevised(hold_usd=Decimal(2), alert_below_usd=None),
        BudgetRanLow(alert_below_usd=Decimal(3)),
        BudgetClosed(reason="Done."),
    )


EXAMPLES: tuple[tuple[Event, ...], ...] = (
    (
        BudgetOpened(
            cover=Cover(kind="program", of=str(BUDGET)),
            hold_usd=Decimal("0.5"),
            alert_below_usd=Decimal(3),
        ),
        BudgetOpened(
            cover=Cover(kind="actor", of="ann"), hold_usd=Decimal(1), alert_below_usd=None
        ),
        BudgetOpened(cover=Cover(), hold_usd=Decimal(1), alert_below_usd=None),
    ),
    (BudgetGranted(usd=Decimal("10.25"), reason="For June."),),
    (
        BudgetRevised(hold_usd=Decimal(2), alert_below_usd=Decimal(1)),
        BudgetRevised(hold_usd=Decimal(2), alert_below_usd=None),
    ),
    (BudgetRanLow(alert_below_usd=Decimal(3)),),
    (BudgetClosed(reason="Done."),),
    (
        ExecutionCreditHeld(holds=(Hold(budget_id=BUDGET, usd=Decimal(1), is_watched=True),)),
        HELD,
    ),
    (SETTLED, UNPRICED),
)
"""For the golden files of what is stored."""
