"""What an optimization refuses."""

from collections.abc import Iterable
from typing import ClassVar

from domain.errors import Fault, InvalidError
from domain.run import ActionForbidden


class OptimizationForbids(ActionForbidden):
    code: ClassVar[str] = "optimization.action_forbidden"


class UnknownOptimizer(InvalidError):
    code: ClassVar[str] = "optimizer.unknown"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, tuple(known)
        message = f"No optimizer is called {name!r}. Known are {', '.join(self.known)}."
        super().__init__(message, [Fault("/optimizer", self.code, message)])


class InvalidOptimizerConfig(InvalidError):
    code: ClassVar[str] = "optimizer.config_invalid"

    def __init__(self, optimizer: str, faults: Iterable[Fault]) -> None:
        super().__init__(f"The optimizer {optimizer} cannot work with this config.", faults)
        self.optimizer = optimizer
