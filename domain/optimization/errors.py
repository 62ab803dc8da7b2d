"""What an optimization refuses."""

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from domain.errors import ConflictError, Fault, InvalidError
from domain.optimization.values import ProposalStatus
from domain.run import ActionForbidden, RunStatus


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


class NothingIsProposed(ConflictError):
    """Nobody has to approve: the optimization goes on, ended without a result, or asks nobody."""

    code: ClassVar[str] = "optimization.nothing_proposed"

    def __init__(self, optimization_id: UUID, status: RunStatus) -> None:
        why = (
            "its result became a version by itself. Request one with adopt=approval to be asked"
            if status is RunStatus.COMPLETED
            else f"it is {status}, and only a completed one has a result"
        )
        super().__init__(f"Optimization {optimization_id} proposes nothing: {why}.")
        self.optimization_id, self.status = optimization_id, status


class ProposalIsDecided(ConflictError):
    """The other way was decided already, which stays so."""

    code: ClassVar[str] = "optimization.proposal_decided"

    def __init__(self, optimization_id: UUID, decision: ProposalStatus) -> None:
        super().__init__(
            f"What optimization {optimization_id} found was {decision} already, and that stays. "
            "Optimize again if you think otherwise now."
        )
        self.optimization_id, self.decision = optimization_id, decision
