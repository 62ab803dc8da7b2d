"""Writer threads in a process of their own: ``python -m benchmarks.writers SYSTEM CONNINFO``.

Reads lines ``THREADS SECONDS`` and answers each with one line of JSON: the latency of every call
in milliseconds, how many events were appended, and the seconds it took.
"""

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

from benchmarks.appenders import SYSTEMS, Append


@dataclass
class Written:
    """What writers did in ``wall_s``."""

    latencies_ms: list[float] = field(default_factory=list[float])
    events: int = 0
    wall_s: float = 0.0

    @classmethod
    def sum(cls, parts: Sequence["Written"]) -> "Written":
        """What writers did side by side."""
        return cls(
            [each for part in parts for each in part.latencies_ms],
            sum(part.events for part in parts),
            max(part.wall_s for part in parts),
        )

    def percentile(self, share: float) -> float:
        ranked = sorted(self.latencies_ms)
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))]

    @property
    def per_s(self) -> float:
        return self.events / self.wall_s


def run(append: Append, threads: int, seconds: float) -> Written:
    """Append from *threads* at once, each call after the one before, for *seconds*."""
    start = time.perf_counter()

    def write(_: int) -> Written:
        written = Written()
        while (sent := time.perf_counter()) - start < seconds:
            written.events += append()
            written.latencies_ms.append((time.perf_counter() - sent) * 1000)
        written.wall_s = time.perf_counter() - start
        return written

    with ThreadPoolExecutor(threads) as pool:
        return Written.sum(list(pool.map(write, range(threads))))


def main() -> None:
    append = SYSTEMS[sys.argv[1]](sys.argv[2])
    for line in sys.stdin:
        threads, seconds = line.split()
        print(json.dumps(asdict(run(append, int(threads), float(seconds)))), flush=True)


if __name__ == "__main__":
    main()
