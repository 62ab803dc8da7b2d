"""What runs may cost: set aside before anything is called, settled when they end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol
from uuid import UUID

from application.attempts import MAX_TRIES
from application.errors import ConcurrentWrite, RuleRefused
from application.ports import Receipt
from domain.budget.aggregate import Budget
from domain.budget.values import Cover
from domain.execution.values import Hold


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands: what was granted, is held by runs under way, and was charged by others.

    Runs may cost more than what they held: then the budget is ``overdrawn_usd``, and nothing is
    left until that is granted, too.
    """

    budget_id: UUID
    cover: Cover
    hold_usd: Decimal
    alert_below_usd: Decimal | None
    granted_usd: Decimal
    held_usd: Decimal
    charged_usd: Decimal
    overdrawn_usd: Decimal
    unpriced: int
    opened_at: datetime
    closed_at: datetime | None

    @property
    def left_usd(self) -> Decimal:
        """What later runs may still set aside; never below 0."""
        return self.granted_usd + self.overdrawn_usd - self.held_usd - self.charged_usd


NEVER_BELOW_ZERO: Final = "budgets_never_below_zero"
"""The rule by which no two runs hold the same money."""
ONE_FOR_EACH_COVER: Final = "budgets_cover"
"""The rule by which no two open budgets cover the same runs."""


class Holds(Protocol):
    """What runs of the tenant of the current context have to set aside."""

    def holds(self, program_id: UUID) -> Sequence[Hold]:
        """What a run of the program, asked for by the current actor, has to set aside.

        It is set aside when the run is stored, and refused there if somebody else was faster. None
        where no budget covers it.

        Raises:
            BudgetIsSpent: Some budget does not hold that much; nothing was stored.
        """
        ...

    def changed(self) -> None:
        """Forget what is kept of the tenant's budgets: one changed, or a rule refused a hold."""
        ...


class Credit(Holds, Protocol):
    """How the budgets of the tenant of the current context stand."""

    def standing(self, budget_id: UUID) -> Standing:
        """How one stands now.

        Raises:
            AggregateNotFound: The tenant has no such budget.
        """
        ...

    def standings(self) -> Sequence[Standing]:
        """How all of them stand now, closed ones last; each group by what it covers."""
        ...


class _NoCredit:
    """Where there are no budgets: whatever runs, costs nobody's."""

    def holds(self, program_id: UUID) -> Sequence[Hold]:
        del program_id
        return ()

    def changed(self) -> None:
        """There is nothing to forget."""


NO_CREDIT: Final = _NoCredit()


def set_aside(
    credit: Holds, program_id: UUID, store: Callable[[Sequence[Hold]], Receipt]
) -> Receipt:
    """*store* a run of the program with what it has to set aside.

    Raises:
        BudgetIsSpent: Some budget does not hold that much.
        ConcurrentWrite: Others were faster ten times in a row, and each time something was left.
    """
    for _ in range(MAX_TRIES):
        try:
            return store(credit.holds(program_id))
        except RuleRefused as refused:
            if refused.rule != NEVER_BELOW_ZERO:
                raise
            credit.changed()  # others took what was left; by now some of it may be back
    raise ConcurrentWrite(Budget.KIND, program_id)
