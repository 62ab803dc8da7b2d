"""A model server on the loopback that does everything wrong that a server or a network can do.

``with BadProvider(deed) as server: ...``; the deed gets the reader and writer of each request, once
the request is read.
"""

import asyncio
import contextlib
import json
import struct
import threading
import zlib
from collections.abc import Awaitable, Callable
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Self

Deed = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""What happens to one request, once it was read."""

JSON = "application/json"
_TLS = b"\x16"
"""How a client begins that wants a secret to be kept; nobody here can."""


class BadProvider:
    """The server in a thread of this process, while the ``with`` block runs; ``calls`` counts."""

    url: str

    def __init__(self, *deeds: Deed) -> None:
        """Do *deeds* one after the other, the last one again and again."""
        self._deeds = list(deeds)
        self.calls = 0

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._started(), self._loop).result(10)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1"
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stopped(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _started(self) -> asyncio.Server:
        self._tasks: set[asyncio.Task[None]] = set()
        return await asyncio.start_server(self._meet, "127.0.0.1", 0)

    async def _stopped(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(
                ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
            ):
                while True:
                    await _request(reader)
                    self.calls += 1
                    deed = self._deeds.pop(0) if len(self._deeds) > 1 else self._deeds[0]
                    await deed(writer)
        finally:
            self._tasks.discard(task)
            writer.close()


async def _request(reader: asyncio.StreamReader) -> None:
    first = await reader.readexactly(1)
    if first == _TLS:
        raise ConnectionError
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            await reader.readexactly(int(value))


def completion(**changes: Any) -> dict[str, Any]:
    """A good answer, with *changes*; ``finish_reason`` and ``content`` are those of its choice."""
    content = changes.pop("content", "[[ ## answer ## ]]\nbecause\n\n[[ ## completed ## ]]")
    reason = changes.pop("finish_reason", "stop")
    message = {"role": "assistant", "content": content}
    good = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }
    return {name: value for name, value in (good | changes).items() if value is not ...}


def head(status: int = 200, *, length: int | None, kind: str = JSON, **headers: str) -> bytes:
    told = {"Content-Type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
    if length is not None:
        told["Content-Length"] = str(length)
    lines = [f"HTTP/1.1 {status} Told", *(f"{name}: {value}" for name, value in told.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def says(body: bytes | dict[str, Any], status: int = 200, kind: str = JSON, **headers: str) -> Deed:
    """Answers with *body*."""
    written = json.dumps(body).encode() if isinstance(body, dict) else body

    async def deed(writer: asyncio.StreamWriter) -> None:
        writer.write(head(status, length=len(written), kind=kind, **headers) + written)
        await writer.drain()

    return deed


def refuses(status: int, message: str = "No.", **headers: str) -> Deed:
    """Answers with an error of the provider."""
    return says({"error": {"message": message, "type": "bad", "code": None}}, status, **headers)


async def resets(writer: asyncio.StreamWriter) -> None:
    """Ends the connection rudely."""
    socket = writer.get_extra_info("socket")
    socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hangs(writer: asyncio.StreamWriter) -> None:
    """Says nothing."""
    del writer
    await asyncio.sleep(60)


async def drips(writer: asyncio.StreamWriter) -> None:
    """Says its answer a byte at a time, for ever."""
    writer.write(head(length=100_000))
    for _ in range(3_000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drips_headers(writer: asyncio.StreamWriter) -> None:
    """Begins, and never comes to its body."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(3_000):
        writer.write(f"X-{number}: x\r\n".encode())
        await writer.drain()
        await asyncio.sleep(0.02)


async def floods(writer: asyncio.StreamWriter) -> None:
    """Says 100 MB."""
    writer.write(head(length=100_000_000))
    for _ in range(1_000):
        writer.write(b" " * 100_000)
        await writer.drain()


async def floods_chunked(writer: asyncio.StreamWriter) -> None:
    """Says 100 MB without saying how much it will be."""
    writer.write(head(length=None, Transfer_Encoding="chunked"))
    for _ in range(1_000):
        writer.write(b"186a0\r\n" + b" " * 100_000 + b"\r\n")
        await writer.drain()


def bombs(coding: str) -> Deed:
    """Says 200 MB, packed into some kilobytes."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 31 if coding == "gzip" else 15)
    packed = b"".join(packing.compress(b" " * 1_000_000) for _ in range(200)) + packing.flush()
    return says(packed, Content_Encoding=coding)


def breaks_off(body: bytes, promised: int) -> Deed:
    """Promises more bytes than it says."""

    async def deed(writer: asyncio.StreamWriter) -> None:
        writer.write(head(length=promised) + body)
        await writer.drain()
        writer.close()

    return deed


def raw(written: bytes) -> Deed:
    """Says what is no HTTP."""

    async def deed(writer: asyncio.StreamWriter) -> None:
        writer.write(written)
        await writer.drain()
        writer.close()

    return deed
