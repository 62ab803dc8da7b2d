"""What an optimization found becomes a new version: at its end, or when somebody approved it."""

from collections.abc import Iterable

from application.commands import Command
from application.optimizations import AdoptOptimization
from domain.kernel import Recorded
from domain.optimization.events import OptimizationApproved, OptimizationCompleted


def adoption(recorded: Recorded) -> Iterable[Command]:
    match recorded.event:
        case OptimizationCompleted() | OptimizationApproved():
            yield AdoptOptimization(optimization_id=recorded.originator_id)
        case _:
            pass
