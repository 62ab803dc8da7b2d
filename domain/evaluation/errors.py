"""What an evaluation refuses."""

from collections.abc import Iterable
from typing import ClassVar

from domain.errors import Fault, InvalidError
from domain.run import ActionForbidden


class EvaluationForbids(ActionForbidden):
    code: ClassVar[str] = "evaluation.action_forbidden"


class UnknownMetric(InvalidError):
    code: ClassVar[str] = "metric.unknown"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, tuple(known)
        message = f"No metric is called {name!r}. Known are {', '.join(self.known)}."
        super().__init__(message, [Fault("/metric", self.code, message)])
