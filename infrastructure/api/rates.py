"""How often a tenant and an actor may ask: buckets that fill with time, in each API process."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from math import ceil
from time import monotonic
from typing import ClassVar, Final

from infrastructure.api.callers import Caller
from infrastructure.api.problems import EdgeError

BURST_S: Final = 2.0
"""So many seconds' worth of requests may come at once."""

_KEPT: Final = 10_000


class RateIsExceeded(EdgeError):
    """More requests came than are allowed in the time; this one was not looked at."""

    code: ClassVar[str] = "rate.exceeded"
    status: ClassVar[int] = 429

    def __init__(self, whose: str, per_s: float, wait_s: float) -> None:
        super().__init__(
            f"{whose} may send {per_s:g} requests a second. Try again after Retry-After."
        )
        self.retry_after_s = max(1, ceil(wait_s))


class Buckets:
    """A bucket for each of many; each fills at *per_s*, and a request takes one from it."""

    def __init__(self, per_s: float, clock: Callable[[], float] = monotonic) -> None:
        self.per_s = per_s
        self._most, self._clock = max(1.0, per_s * BURST_S), clock
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, of: Hashable) -> float:
        """Take one from the bucket *of*; how long to wait in seconds if it is empty, else 0."""
        now_s = self._clock()
        level, at_s = self._levels.pop(of, (self._most, now_s))
        level = min(self._most, level + (now_s - at_s) * self.per_s)
        wait_s = 0.0 if level >= 1 else (1 - level) / self.per_s
        self._levels[of] = (level if wait_s else level - 1, now_s)
        if len(self._levels) > _KEPT:  # who was not seen for longest has a full one by now
            self._levels.popitem(last=False)
        return wait_s


class Rates:
    """The rates that whoever runs the service has set; without any, there is no limit."""

    def __init__(
        self, *, tenant_per_s: float | None = None, actor_per_s: float | None = None
    ) -> None:
        self._tenant = None if tenant_per_s is None else Buckets(tenant_per_s)
        self._actor = None if actor_per_s is None else Buckets(actor_per_s)

    def take(self, caller: Caller) -> None:
        """Count a request of *caller*.

        Raises:
            RateIsExceeded: It is one too many.
        """
        if self._actor and (wait_s := self._actor.take((caller.tenant, caller.actor))):
            raise RateIsExceeded(f"The actor {caller.actor}", self._actor.per_s, wait_s)
        if self._tenant and (wait_s := self._tenant.take(caller.tenant)):
            raise RateIsExceeded(f"The tenant {caller.tenant}", self._tenant.per_s, wait_s)
