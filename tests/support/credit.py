"""How budgets stand, told by brute force: the whole log is folded for each question."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from application.context import current
from application.credit import Standing
from application.errors import AggregateNotFound
from domain.budget.errors import BudgetIsSpent
from domain.budget.events import BudgetClosed, BudgetGranted, BudgetOpened, BudgetRevised
from domain.execution.events import ExecutionCreditHeld, ExecutionCreditSettled
from domain.execution.values import Hold
from domain.kernel import Recorded

NOTHING = Decimal(0)


def standings(log: Sequence[Recorded]) -> dict[UUID, Standing]:
    """Each budget of *log*, as the sum of its events."""
    found: dict[UUID, Standing] = {}
    for recorded in log:
        _fold(found, recorded)
    return {
        key: replace(each, overdrawn_usd=max(NOTHING, -each.left_usd))
        for key, each in found.items()
    }


def _fold(found: dict[UUID, Standing], recorded: Recorded) -> None:
    key = recorded.originator_id
    match recorded.event:
        case BudgetOpened(cover=cover, hold_usd=share, alert_below_usd=alert):
            sums = NOTHING, NOTHING, NOTHING, NOTHING
            found[key] = Standing(key, cover, share, alert, *sums, 0, recorded.timestamp, None)
        case BudgetRevised(hold_usd=share, alert_below_usd=alert):
            found[key] = replace(found[key], hold_usd=share, alert_below_usd=alert)
        case BudgetGranted(usd=usd):
            found[key] = replace(found[key], granted_usd=found[key].granted_usd + usd)
        case BudgetClosed():
            found[key] = replace(found[key], closed_at=recorded.timestamp)
        case ExecutionCreditHeld(holds=holds):
            for hold in holds:
                of = found[hold.budget_id]
                found[hold.budget_id] = replace(of, held_usd=of.held_usd + hold.usd)
        case ExecutionCreditSettled(charges=charges, cost_usd=cost):
            for charge in charges:
                of = found[charge.budget_id]
                found[charge.budget_id] = replace(
                    of,
                    held_usd=of.held_usd - charge.held_usd,
                    charged_usd=of.charged_usd + charge.charged_usd,
                    unpriced=of.unpriced + (cost is None),
                )
        case _:
            pass


class MemoryCredit:
    """``application.credit.Credit`` over a log in memory."""

    def __init__(self, log: Callable[[], Sequence[Recorded]]) -> None:
        self._log = log

    def holds(self, program_id: UUID) -> Sequence[Hold]:
        words = {"tenant", f"program:{program_id}", f"actor:{current().actor}"}
        found = [
            each for each in self.standings() if each.cover.word in words and each.closed_at is None
        ]
        for each in found:
            if each.left_usd < each.hold_usd:
                raise BudgetIsSpent(each.cover.word, each.left_usd, each.hold_usd)
        return [
            Hold(
                budget_id=each.budget_id,
                usd=each.hold_usd,
                is_watched=each.alert_below_usd is not None,
            )
            for each in found
        ]

    def changed(self) -> None:
        """There is nothing to forget."""

    def standing(self, budget_id: UUID) -> Standing:
        for each in self.standings():
            if each.budget_id == budget_id:
                return each
        raise AggregateNotFound("budget", budget_id)

    def standings(self) -> Sequence[Standing]:
        tenant = current().tenant
        return [*standings([e for e in self._log() if e.envelope.tenant == tenant]).values()]
