"""When a model call is tried again, and how long that may take in all."""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

WAITS_S = (1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Retries:
    """Further tries after *waits_s*, each drawn out by up to a quarter.

    What the provider asks for (``Retry-After``) wins over our own waits. A call has ``deadline_s``
    seconds for all its tries, or what is left to its run: no wait begins that would outlast them.
    """

    waits_s: tuple[float, ...] = WAITS_S
    deadline_s: float = 120.0
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def doubling(cls, times: int, first_ms: int) -> Self:
        """So many further tries, each after twice the time of the one before."""
        return cls(tuple(first_ms * 2**number / 1000 for number in range(times)))

    def wait_s(self, tried: int, error: Exception, *, ends_s: float) -> float | None:
        """Seconds until the next try after *tried* tries, or ``None`` to give up.

        *ends_s* is when the call must have ended, on ``clock``.
        """
        if tried > len(self.waits_s):
            return None
        asked = getattr(error, "retry_after", None)
        if asked is None or not (math.isfinite(asked) and asked >= 0):
            wait = self.waits_s[tried - 1] * (1 + self.jitter() / 4)
        else:
            wait = float(asked)
        return None if self.clock() + wait >= ends_s else wait
