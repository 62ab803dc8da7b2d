"""How fast the log is kept in a tree, examined in the database, exported and verified."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import filling
from benchmarks.report import show
from infrastructure.notary.archive import Archive
from infrastructure.notary.follower import Notary
from infrastructure.notary.keys import signer
from infrastructure.notary.publishing import Publisher
from infrastructure.postgres.sessions import session
from infrastructure.system import SystemClock

WELL: Final = "well       nothing is amiss"


@dataclass(frozen=True)
class ProofRow:
    """One thing that is done with the whole log."""

    name: str
    events: int
    per_s: float


def measure(owner: str, service: str, size: int) -> list[ProofRow]:
    """Fill an empty log, sign it, and prove it in each way."""
    events = filling.fill(owner, filling.mixed(), size)
    with tempfile.TemporaryDirectory(prefix="stratal-bench-") as folder:
        home, bundle = Path(folder), Path(folder, "bundle")
        signs = signer(None, home)
        archive = Archive(session(service, "bench", limited=False), [signs.key], [])
        publisher = Publisher(None, None)
        with closing(Notary(session(service, "bench"), signs, publisher, SystemClock())) as notary:
            return [
                _row("keep and sign", events, notary.step),
                _row("verify in the database", events, lambda: _examine(archive)),
                _row("export a bundle", events, lambda: _export(archive, bundle)),
                _row("verify the bundle", events, lambda: _verify(bundle)),
            ]


def report(rows: Sequence[ProofRow]) -> None:
    """Print the rows."""
    show(
        "The proof of the log, events a second",
        ["what", "events", "a second"],
        [[row.name, f"{row.events:,}", f"{row.per_s:,.0f}"] for row in rows],
    )


def _row(name: str, events: int, work: Callable[[], None]) -> ProofRow:
    began = time.perf_counter()
    work()
    return ProofRow(name, events, round(events / (time.perf_counter() - began)))


def _examine(archive: Archive) -> None:
    report = archive.verify(lambda _: None)
    assert not report.findings
    assert not report.unsigned


def _export(archive: Archive, bundle: Path) -> None:
    archive.export(bundle, start=1, progress=lambda _: None)


def _verify(bundle: Path) -> None:
    verifier = [sys.executable, "-I", str(bundle / "verify.py")]
    said = subprocess.run(verifier, capture_output=True, text=True, check=True)
    assert WELL in said.stdout
