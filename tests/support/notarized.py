"""A log with a notary: events to sign, and a notary that signs when a test says so."""

import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.kernel import Event, Recorded
from infrastructure.eventstore.repository import EventLog
from infrastructure.notary.archive import Archive
from infrastructure.notary.follower import Notary
from infrastructure.notary.keys import Signer, signer
from infrastructure.notary.publishing import Publisher
from infrastructure.notary.verifier.bundle import read_notes
from infrastructure.notary.verifier.examination import Report
from infrastructure.notary.verifier.notes import Checkpoint, split_notes
from tests.support.histories import Log, an_execution, an_id
from tests.support.memory import FixedClock
from tests.support.postgres import owner_of

SECONDS_APART: Final = 10
FORGET: Final = "TRUNCATE stratal.notary_leaves, stratal.notary_nodes, stratal.checkpoints"

_FILL: Final[LiteralString] = """
    INSERT INTO stratal.events (originator_id, originator_version, topic, state, notification_id,
                                event_id, tenant, metadata, recorded_at)
    SELECT md5((n / 4)::text)::uuid, n %% 4 + 1, 'execution.lm_called',
           convert_to('{"digest": "' || repeat(md5(n::text), 12) || '"}', 'UTF8'), n,
           md5('event ' || n)::uuid, 'acme',
           ('{"actor": "alice", "cause": "' || repeat(md5(n::text), 6) || '"}')::json,
           'epoch'::timestamptz + n * interval '1 millisecond'
    FROM generate_series(1, %(count)s::bigint) AS n
"""


@dataclass
class Notarized:
    """The log in *database* with a notary whose key and file are under *home*."""

    database: str
    log: EventLog
    home: Path
    told: Log = field(default_factory=Log)
    clock: FixedClock = field(default_factory=FixedClock)

    @property
    def file(self) -> Path:
        return self.home / "checkpoints.txt"

    @property
    def bundle(self) -> Path:
        return self.home / "bundle"

    @property
    def signer(self) -> Signer:
        return signer(None, self.home)

    def append(self, *events: Event, **envelope: Any) -> int:
        """Append a stream of *events*; the position of the last one."""
        return self.log.append(self._stream(events, **envelope))

    def append_executions(self, count: int) -> int:
        """Append *count* whole executions of four events each."""
        streams = [self._stream(an_execution()) for _ in range(count)]
        return self.log.append([each for stream in streams for each in stream])

    def _stream(self, events: Sequence[Event], **envelope: Any) -> Sequence[Recorded]:
        stream = an_id(f"stream {self.told.position}")
        return self.told.append(stream, *events, **envelope)

    @contextmanager
    def notary(self, *, file: Path | None = None, url: str | None = None) -> Generator[Notary]:
        """A notary, which steps when it is told to."""
        notary = Notary(self.database, self.signer, Publisher(file, url), self.clock)
        try:
            yield notary
        finally:
            notary.close()

    def sign(self) -> None:
        """Let a notary that was started for it sign what there is."""
        self.clock.advance(SECONDS_APART)
        with self.notary(file=self.file) as notary:
            notary.step()

    def outside(self) -> list[Checkpoint]:
        """The checkpoints in the file."""
        text = self.file.read_text() if self.file.exists() else ""
        checkpoints, unreadable = read_notes(split_notes(text))
        assert not unreadable
        return checkpoints

    def archive(self, *, outside: bool = False) -> Archive:
        """What examines and exports it; with *outside*, the file, too, is believed."""
        return Archive(self.database, [self.signer.key], self.outside() if outside else [])

    def verify(self, *, outside: bool = False) -> Report:
        """What an examination in the database finds."""
        return self.archive(outside=outside).verify(lambda _: None)

    def export(self, *, outside: bool = False) -> None:
        """Write the bundle."""
        self.archive(outside=outside).export(self.bundle, start=1, progress=lambda _: None)

    def examined(self, *words: str) -> tuple[int, str]:
        """What the bundle's verifier says to somebody who has Python and nothing else."""
        said = subprocess.run(
            [sys.executable, "-I", str(self.bundle / "verify.py"), *words],
            capture_output=True,
            text=True,
            cwd="/",
        )
        return said.returncode, said.stdout

    def rewrite(self, statement: str) -> None:
        """Tamper, and have everything kept and signed anew with another key."""
        self.tamper(statement)
        self.tamper(FORGET)
        thief = Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
        notary = Notary(owner_of(self.database), thief, Publisher(None, None), self.clock)
        notary.step()
        notary.close()

    def tamper(self, statement: str, **values: object) -> None:
        """Do as a superuser what nobody else could."""
        with psycopg.connect(owner_of(self.database), autocommit=True) as connection:
            connection.execute(statement.encode(), values)


def fill(owner: str, count: int) -> None:
    """Put *count* events into an empty log, as large as real ones, as fast as the server can."""
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(_FILL, {"count": count})
