"""A closed-loop client: *concurrency* callers, each sending its next request after the reply."""

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

_unique = itertools.count(1)


@dataclass
class Sample:
    """Latencies in milliseconds of the requests that were answered well, and how many were not."""

    latencies_ms: list[float] = field(default_factory=list[float])
    wall_s: float = 0.0
    refused: int = 0

    def add(self, other: "Sample") -> None:
        self.latencies_ms += other.latencies_ms
        self.wall_s += other.wall_s
        self.refused += other.refused

    def percentile(self, share: float) -> float:
        ranked = sorted(self.latencies_ms)
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))]

    @property
    def rps(self) -> float:
        return len(self.latencies_ms) / self.wall_s


async def drive(
    url: str, body: Callable[[str], object], *, concurrency: int, seconds: float
) -> Sample:
    """Send unique questions to *url* for *seconds*; any reply but 200 counts as refused."""
    sample = Sample()
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector) as session:
        start = time.perf_counter()

        async def caller() -> None:
            while (sent := time.perf_counter()) - start < seconds:
                question = f"What is {next(_unique)} plus one?"
                async with session.post(url, json=body(question)) as reply:
                    await reply.read()
                if reply.status == 200:
                    sample.latencies_ms.append((time.perf_counter() - sent) * 1000)
                else:
                    sample.refused += 1

        await asyncio.gather(*(caller() for _ in range(concurrency)))
        sample.wall_s = time.perf_counter() - start
    return sample
