"""Messages between two processes: a length in four bytes, then so many bytes of JSON."""

import json
from collections.abc import Mapping
from typing import IO, Final, cast

from pydantic import JsonValue

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
_LENGTH_BYTES: Final = 4

Message = Mapping[str, JsonValue]


class FrameIsTooLarge(Exception):
    """A message is longer than any may be; it was not sent, or not read."""

    def __init__(self, size: int, most: int) -> None:
        super().__init__(f"A message has {size} bytes; {most} are the most.")


class FrameIsBroken(Exception):
    """What came is no message: whoever sent it does not speak this protocol."""


def write_frame(pipe: IO[bytes], message: Message, *, most: int = MAX_FRAME_BYTES) -> None:
    """Send *message*, whole or not at all.

    Raises:
        FrameIsTooLarge: It has more than *most* bytes; nothing was sent.
        OSError: Nobody reads any more.
    """
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > most:
        raise FrameIsTooLarge(len(body), most)
    pipe.write(len(body).to_bytes(_LENGTH_BYTES, "big") + body)
    pipe.flush()


def read_frame(pipe: IO[bytes], *, most: int = MAX_FRAME_BYTES) -> Message | None:
    """The next message; ``None`` once the other side has closed the pipe.

    Raises:
        FrameIsTooLarge: It would have more than *most* bytes; none of them was read.
        FrameIsBroken: It ends in the middle, or is no JSON object.
    """
    if not (length := pipe.read(_LENGTH_BYTES)):
        return None
    if (size := int.from_bytes(length, "big")) > most:
        raise FrameIsTooLarge(size, most)
    body = pipe.read(size)
    if len(length) < _LENGTH_BYTES or len(body) < size:
        raise FrameIsBroken("A message ends in the middle.")
    try:
        message = json.loads(body)
    except ValueError as error:
        raise FrameIsBroken("A message is no JSON.") from error
    if not isinstance(message, dict):
        raise FrameIsBroken("A message is no JSON object.")
    return cast("Message", message)
