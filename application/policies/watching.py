"""When a run sets money aside of a budget that is watched, somebody looks how much is left."""

from collections.abc import Iterable

from application.budgets import WatchBudget
from application.commands import Command
from domain.execution.events import ExecutionCreditHeld
from domain.kernel import Recorded


def watching(recorded: Recorded) -> Iterable[Command]:
    match recorded.event:
        case ExecutionCreditHeld(holds=holds):
            for hold in holds:
                if hold.is_watched:
                    yield WatchBudget(budget_id=hold.budget_id)
        case _:
            pass
