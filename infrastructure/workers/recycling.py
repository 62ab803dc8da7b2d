"""When a worker has done enough, or has grown too large, so that a fresh one should go on."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from dramatiq import Broker, Middleware
from dramatiq.broker import MessageProxy

from infrastructure.system import resident_mb

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wear:
    """How much one process does and holds before it is replaced; 0 is without limit."""

    jobs: int = 0
    memory_mb: int = 0


class Recycling(Middleware):
    """Calls ``on_worn`` once, after the job with which the process is worn out.

    Memory is looked at between jobs: a job is not interrupted for what it holds.
    """

    def __init__(self, wear: Wear) -> None:
        self.on_worn: Callable[[], object] = _goes_on
        self._wear = wear
        self._lock = threading.Lock()
        self._jobs = 0
        self._is_worn = False

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        del broker, message, result, exception
        with self._lock:
            self._jobs += 1
            if self._is_worn or (why := self._worn_by()) is None:
                return
            self._is_worn = True
        logger.info("This worker is replaced: %s.", why)
        self.on_worn()

    def _worn_by(self) -> str | None:
        if 0 < self._wear.jobs <= self._jobs:
            return f"it did {self._jobs} jobs"
        if self._wear.memory_mb and (held := resident_mb()) > self._wear.memory_mb:
            return f"it holds {held} MB"
        return None


def _goes_on() -> None:
    """Nobody replaces this process."""
