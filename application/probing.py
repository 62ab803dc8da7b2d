"""How the application has somebody's own module tried out, without importing it."""

from typing import Protocol

from domain.probe.values import Findings, ModulePromise
from domain.values import Failure


class ModuleRefused(Exception):
    """The module cannot be used; the failure says why, and what to do."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class ModuleProber(Protocol):
    def probe(self, promise: ModulePromise) -> Findings:
        """Import, build, copy and run a module, where it can do no harm to this process.

        Raises:
            ModuleRefused: It does not keep its promise, or did not come to an end.
        """
        ...
