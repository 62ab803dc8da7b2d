"""Writers of the log in a process of their own: ``python -m tests.support.log_writers …``."""

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from uuid import UUID, uuid4

from application.errors import StoreIsUnavailable
from domain.program.events import ProgramRetired
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.requests import Beside
from infrastructure.eventstore.stored import SealedEvent
from infrastructure.postgres.pool import open_pool
from infrastructure.sql import Statements

_STATE = b'{"v":1,"at":"2030-01-01T00:00:00+00:00","event":{"reason":"x"}}'
_METADATA = """{
    "actor": "ada", "command": "Retire", "command_id": "c",
    "correlation_id": "00000000-0000-0000-0000-000000000007"
}"""


def start(conninfo: str, *, writers: int, saves: int, events: int) -> "subprocess.Popen[str]":
    """A process whose *writers* append *saves* times as many *events* each, however long it takes.

    It prints the positions of them all as a list, and ends.
    """
    return subprocess.Popen(
        [sys.executable, "-m", __name__, conninfo, str(writers), str(saves), str(events)],
        stdout=subprocess.PIPE,
        text=True,
    )


def positions(process: "subprocess.Popen[str]") -> Sequence[int]:
    """What a process of writers printed at its end."""
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    found: list[int] = json.loads(printed)
    return found


def _sealed(stream: UUID, version: int) -> SealedEvent:
    return SealedEvent(
        stream,
        version,
        ProgramRetired.TOPIC,
        _STATE,
        event_id=uuid4(),
        tenant="acme",
        metadata=_METADATA,
    )


def _write(into: Statements, items: object) -> None:
    into.execute("SELECT 1")


def _append(recorder: PostgresRecorder, events: Sequence[SealedEvent], beside: Beside) -> list[int]:
    while True:
        try:
            return list(recorder.append(events, beside))
        except StoreIsUnavailable:
            sleep(0.02)


def main() -> None:
    conninfo, *numbers = sys.argv[1:]
    writers, saves, size = map(int, numbers)
    with open_pool(conninfo, min_size=1, max_size=4, name="writers") as pool:
        recorder = PostgresRecorder(pool, resolve_s=1.0)

        def write(writer: int) -> list[int]:
            beside = Beside(write=_write if writer % 2 else None)
            found: list[int] = []
            for _ in range(saves):
                stream = uuid4()
                events = [_sealed(stream, version) for version in range(1, size + 1)]
                found += _append(recorder, events, beside)
            return found

        with ThreadPoolExecutor(writers) as threads:
            found = [each for part in threads.map(write, range(writers)) for each in part]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
