"""When an optimization is completed, its program gets what it found as a new version."""

from collections.abc import Iterable

from application.commands import Command
from application.optimizations import AdoptOptimization
from domain.kernel import Recorded
from domain.optimization.events import OptimizationCompleted


def adoption(recorded: Recorded) -> Iterable[Command]:
    match recorded.event:
        case OptimizationCompleted():
            yield AdoptOptimization(optimization_id=recorded.originator_id)
        case _:
            pass
