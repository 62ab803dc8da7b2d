"""The log on its own: ``python -m benchmarks.log [SECONDS_A_CELL]``.

Every part has a server of its own with its settings as they come, so fsync is on.
"""

import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks import appends, growth, lag, proofs, rebuilds
from benchmarks.report import save
from infrastructure.bootstrap import prepare
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.roles import Access

REBUILT: Final = {"mixed": 1_000_000, "programs": 200_000}
"""How many events read models are built from, by what is in the log."""
LAG_S: Final = 20.0
PROVED: Final = 1_000_000
"""How many events are signed, exported and verified."""


def main() -> None:
    """Measure, print, draw, and write ``benchmarks/results/log.json``."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    with _server() as (owner, service):
        appended = appends.measure(owner, service, seconds)
    appends.report(appended)
    with _server() as (owner, service):
        behind = lag.measure(owner, service, LAG_S)
    lag.report(behind)
    rebuilt: list[rebuilds.RebuildRow] = []
    for log, size in REBUILT.items():
        with _server() as (owner, service):
            rebuilt += rebuilds.measure(owner, service, log, size)
    rebuilds.report(rebuilt)
    with _server() as (owner, service):
        grown = growth.measure(owner, service)
    growth.report(grown)
    with _server() as (owner, service):
        proved = proofs.measure(owner, service, PROVED)
    proofs.report(proved)
    save(
        "log",
        {
            "appends": [asdict(row) for row in appended],
            "lag": asdict(behind),
            "rebuilds": [asdict(row) for row in rebuilt],
            "growth": [asdict(row) for row in grown],
            "proofs": [asdict(row) for row in proved],
        },
    )


@contextmanager
def _server() -> Generator[tuple[str, str]]:
    """A fresh server with our tables: its addresses for the owner and for the service."""
    with tempfile.TemporaryDirectory(prefix="stratal-bench-") as home:
        server = EmbeddedPostgres(Path(home))
        owner = server.start()
        try:
            prepare(Access(server.service_url, owner))
            yield owner, server.service_url
        finally:
            server.stop()


if __name__ == "__main__":
    main()
