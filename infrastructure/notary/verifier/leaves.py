"""The leaf: what of an event is hashed, and the line of JSON that tells it."""

from __future__ import annotations

import base64
import json
import struct
from typing import NamedTuple


class Event(NamedTuple):
    """A row of the log; ids are 16 bytes, the time is in microseconds since 1970, UTC."""

    position: int
    originator_id: bytes
    originator_version: int
    topic: str
    state: bytes
    event_id: bytes
    tenant: str
    metadata: str
    recorded_at_us: int

    def __str__(self) -> str:
        return f"{self.topic}, event {_uuid(self.event_id)}, tenant {self.tenant}"


_IDS = struct.Struct(">Iq I16s Iq I")
_LENGTH = struct.Struct(">I")
_TIME = struct.Struct(">Iq")
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def leaf(event: Event) -> bytes:
    """Every column of *event*, each after its length, so that nothing can shift between them."""
    position, stream, version, topic, state, event_id, tenant, metadata, time = event
    text = (topic.encode(), tenant.encode(), metadata.encode())
    return b"".join(
        (
            _IDS.pack(8, position, 16, stream, 8, version, len(text[0])),
            text[0],
            *(_LENGTH.pack(len(state)), state, _LENGTH.pack(16), event_id),
            *(_LENGTH.pack(len(text[1])), text[1], _LENGTH.pack(len(text[2])), text[2]),
            _TIME.pack(8, time),
        )
    )


def to_line(event: Event) -> str:
    """*event* as one line of JSON; a state that is no UTF-8 is told in base 64."""
    try:
        state = ("state", event.state.decode())
    except UnicodeDecodeError:
        state = ("state_base64", base64.b64encode(event.state).decode())
    told = {
        "position": event.position,
        "originator_id": _uuid(event.originator_id),
        "originator_version": event.originator_version,
        "topic": event.topic,
        state[0]: state[1],
        "event_id": _uuid(event.event_id),
        "tenant": event.tenant,
        "metadata": event.metadata,
        "recorded_at_us": event.recorded_at_us,
    }
    return _JSON.encode(told)


def from_line(line: str) -> Event:
    """The event that *line* tells; a line that would be written otherwise is a ``ValueError``."""
    told = json.loads(line)
    try:
        event = Event(
            told["position"],
            bytes.fromhex(told["originator_id"].replace("-", "")),
            told["originator_version"],
            told["topic"],
            told["state"].encode() if "state" in told else base64.b64decode(told["state_base64"]),
            bytes.fromhex(told["event_id"].replace("-", "")),
            told["tenant"],
            told["metadata"],
            told["recorded_at_us"],
        )
        if _is_whole(event) and to_line(event) == line:
            return event
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("a column is missing or is not what it should be") from error
    raise ValueError("it says something else than an event does")


def _is_whole(event: Event) -> bool:
    numbers = (event.position, event.originator_version, event.recorded_at_us)
    texts = (event.topic, event.tenant, event.metadata)
    return (
        all(type(each) is int and abs(each) < 2**63 for each in numbers)
        and all(type(each) is str for each in texts)
        and len(event.originator_id) == len(event.event_id) == 16
    )


def _uuid(raw: bytes) -> str:
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
