"""A client that writes all the time, and repeats under the same key what got no good answer."""

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event
from typing import Final

import httpx2

from tests.support.service import Http, Service, until
from tests.support.triage import Triage

PATIENCE_S: Final = 90.0


@dataclass
class Writer:
    """Requests executions one after the other; ``repeated`` counts what had to be sent again."""

    http: Http
    path: str
    name: str
    acknowledged: list[str] = field(default_factory=list[str])
    repeated: int = 0

    def write(self, stop: Event) -> None:
        """Write until *stop*; what was begun is finished."""
        while not stop.is_set():
            key = f"{self.name}-{len(self.acknowledged)}"
            until(lambda once=key: self._sent(once), bool, timeout_s=PATIENCE_S, every_s=0.02)  # type: ignore[misc]  # bound
            self.acknowledged.append(key)

    def _sent(self, key: str) -> bool:
        reply = self._reply(key)
        if reply is None or reply.status_code == 503:
            self.repeated += 1
            return False
        assert reply.status_code in {200, 202}, reply.text
        return True

    def _reply(self, key: str) -> httpx2.Response | None:
        with suppress(httpx2.TransportError):
            return self.http.send(
                "POST",
                self.path,
                json={"inputs": {"message": key}},
                headers={"Idempotency-Key": key},
                params={"wait": 0},
            )
        return None


@contextmanager
def writing(service: Service, triage: Triage, clients: int) -> Generator[Sequence[Writer]]:
    """*clients* that write while the block runs; after it they have finished what they began."""
    path, tenant = f"{triage.program}/execute", triage.http.tenant
    writers = [Writer(service.http(tenant), path, f"client-{n}") for n in range(clients)]
    stop = Event()
    with ThreadPoolExecutor(clients) as threads:
        futures = [threads.submit(writer.write, stop) for writer in writers]
        try:
            yield writers
        finally:
            stop.set()
        for each in futures:
            each.result(PATIENCE_S)


def wait_until_all_ended(service: Service) -> None:
    """Wait until no execution of anybody is left unfinished."""
    query = (
        "SELECT count(*) FILTER (WHERE topic = 'execution.requested')"
        " - count(*) FILTER (WHERE topic IN ('execution.completed', 'execution.failed'))"
        " FROM stratal.events"
    )
    until(lambda: service.rows(query), lambda rows: rows == [(0,)], timeout_s=PATIENCE_S)
