"""When a run sets money aside of a watched budget, or cost more, somebody looks what is left."""

from collections.abc import Iterable

from application.budgets import WatchBudget
from application.commands import Command
from domain.execution.events import ExecutionCreditHeld, ExecutionCreditSettled
from domain.kernel import Recorded


def watching(recorded: Recorded) -> Iterable[Command]:
    match recorded.event:
        case ExecutionCreditHeld(holds=holds):
            for hold in holds:
                if hold.is_watched:
                    yield WatchBudget(budget_id=hold.budget_id)
        case ExecutionCreditSettled(charges=charges):  # the next run may be refused, and hold none
            for charge in charges:
                if charge.charged_usd > charge.held_usd:
                    yield WatchBudget(budget_id=charge.budget_id)
        case _:
            pass
