"""Stored events as files: one for each topic and version, written once and never changed.

A file holds examples, two lines each: the exact bytes of the columns ``state`` and ``metadata``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from domain.kernel import Envelope, Event, Recorded
from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.stored import LogEntry
from infrastructure.eventstore.topics import EVENTS
from tests.architecture.golden.examples import AT, BARE_ENVELOPE, ENVELOPE, EXAMPLES

STORED: Final = Path(__file__).parent / "stored"
STREAM: Final = UUID("01890a5d-ac96-774b-bcce-b302099a8060")


@dataclass(frozen=True)
class Row:
    """What a stored event is made of, as far as its shape goes."""

    topic: str
    version: int
    state: bytes
    metadata: bytes


def write_missing(directory: Path = STORED) -> list[str]:
    """Write the files of today's versions that are not there yet; return their names."""
    written: list[str] = []
    for topic, examples in EXAMPLES.items():
        path = directory / f"{topic}.v{EVENTS[topic].VERSION}.jsonl"
        if not path.exists():
            path.write_bytes(b"".join(_lines(example, n) for n, example in enumerate(examples)))
            written.append(path.name)
    return written


def names(directory: Path = STORED) -> set[tuple[str, int]]:
    """The topics and versions that have a file."""
    return {_name(path) for path in directory.iterdir()}


def rows(topic: str, version: int, directory: Path = STORED) -> Sequence[Row]:
    """The examples of one file."""
    lines = (directory / f"{topic}.v{version}.jsonl").read_bytes().split(b"\n")[:-1]
    return [
        Row(topic, version, state, metadata)
        for state, metadata in zip(lines[::2], lines[1::2], strict=True)
    ]


def read(row: Row, mapper: EventMapper) -> Recorded:
    """The event as *mapper* reads it.

    Raises:
        UnreadableEvent: It cannot.
    """
    entry = LogEntry(
        STREAM,
        1,
        row.topic,
        row.state,
        1,
        ENVELOPE.event_id,
        ENVELOPE.tenant,
        row.metadata.decode(),
        AT,
    )
    return mapper.to_domain_event(entry)


def seal(recorded: Recorded, mapper: EventMapper) -> Row:
    """The row that *mapper* stores for an event today."""
    sealed = mapper.to_stored_event(recorded)
    version = recorded.event.VERSION
    return Row(sealed.topic, version, sealed.state, sealed.metadata.encode())


def sealed(event: Event, envelope: Envelope = ENVELOPE) -> Row:
    return seal(Recorded(STREAM, 1, event, AT, envelope), EventMapper())


def _lines(example: Event, number: int) -> bytes:
    row = sealed(example, BARE_ENVELOPE if number else ENVELOPE)
    return row.state + b"\n" + row.metadata + b"\n"


def _name(path: Path) -> tuple[str, int]:
    topic, _, version = path.name.removesuffix(".jsonl").rpartition(".v")
    return topic, int(version)
