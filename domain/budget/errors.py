"""What a budget refuses."""

from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from domain.errors import ConflictError, SpentError


class BudgetIsClosed(ConflictError):
    code: ClassVar[str] = "budget.closed"

    def __init__(self, budget_id: UUID) -> None:
        super().__init__(f"The budget {budget_id} is closed. Open another one instead.")
        self.budget_id = budget_id


class BudgetExists(ConflictError):
    """There is an open budget for the same runs."""

    code: ClassVar[str] = "budget.exists"

    def __init__(self, cover: str) -> None:
        super().__init__(f"An open budget covers {cover} already. Grant to that one, or close it.")
        self.cover = cover


class BudgetIsSpent(SpentError):
    """A budget does not hold what a run has to set aside; nothing was called for it."""

    code: ClassVar[str] = "budget.spent"

    def __init__(self, cover: str, left_usd: Decimal, hold_usd: Decimal) -> None:
        super().__init__(
            f"The budget of {cover} has {left_usd.normalize():f} USD left, and a run sets"
            f" {hold_usd.normalize():f} aside. Wait until runs have ended, or have more granted."
        )
        self.cover, self.left_usd, self.hold_usd = cover, left_usd, hold_usd
