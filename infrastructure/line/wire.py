"""What travels over a line: each message is JSON behind its length, 4 bytes, big-endian."""

import socket
import struct

from pydantic import BaseModel, ConfigDict

from application.context import Context
from application.executions import RequestExecution
from application.ports import Receipt

_LENGTH = struct.Struct(">I")
LONGEST_BYTES = 2**26
"""Longer than any body that the API takes."""


class Handed(BaseModel):
    """A request, and on whose behalf it is made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: RequestExecution
    context: Context


class Answered(BaseModel):
    """What the request did; without a receipt it was not taken, and left nothing behind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    receipt: Receipt | None = None


def send(line: socket.socket, message: BaseModel) -> None:
    """Say *message*.

    Raises:
        OSError: Nobody is there any more.
    """
    body = message.model_dump_json().encode()
    line.sendall(_LENGTH.pack(len(body)) + body)


def receive(line: socket.socket) -> bytes:
    """The next message, as ``model_validate_json`` reads it.

    Raises:
        OSError: Nobody is there any more, or nobody of ours.
    """
    (length,) = _LENGTH.unpack(_exactly(line, _LENGTH.size))
    if length > LONGEST_BYTES:
        raise ConnectionError(f"a message of {length} bytes")
    return _exactly(line, length)


def _exactly(line: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        if not (part := line.recv(length - len(received))):
            raise ConnectionError("the line was closed")
        received += part
    return bytes(received)
