"""A proxy in front of Postgres that loses a request, or the reply to it, when told to."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Literal

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_READY = b"Z\x00\x00\x00\x05I"
"""ReadyForQuery outside a transaction: what was asked is committed or rolled back."""

Loss = Literal["request", "reply"]


class Proxy:
    """Forwards every connection, from a socket of its own to the server's.

    A request that contains ``marker`` loses its connection: before it reaches the server when
    ``loses`` is ``request``, after the server has carried it out when ``reply``.
    """

    def __init__(self, server: Path, listener: socket.socket) -> None:
        self._server, self._listener = server, listener
        self.loses: Loss | None = None
        self.marker = b""
        self.losses = 0
        self.refuses = False
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.refuses:
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                link = _Link(self, client, server)
                Thread(target=link.upward, daemon=True).start()
                Thread(target=link.downward, daemon=True).start()


class _Link:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._swallows = False

    def upward(self) -> None:
        with suppress(OSError):
            while data := self._client.recv(1 << 20):
                if self._proxy.loses and self._proxy.marker in data:
                    self._proxy.losses += 1
                    if self._proxy.loses == "request":
                        break
                    self._swallows = True
                self._server.sendall(data)
        self._cut()

    def downward(self) -> None:
        tail = b""
        with suppress(OSError):
            while data := self._server.recv(1 << 20):
                if not self._swallows:
                    self._client.sendall(data)
                    continue
                tail = (tail + data)[-len(_READY) :]
                if tail == _READY:
                    break
        self._cut()

    def _cut(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def proxied(conninfo: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy in front of the server of *conninfo* (on a Unix socket), and how to connect to it."""
    given = conninfo_to_dict(conninfo)
    name = f".s.PGSQL.{given.get('port') or 5432}"
    home = Path(tempfile.mkdtemp(prefix="proxy-"))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(home / name))
    listener.listen()
    try:
        yield (
            Proxy(Path(str(given["host"])) / name, listener),
            make_conninfo(conninfo, host=str(home)),
        )
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        shutil.rmtree(home)
