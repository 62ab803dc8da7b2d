"""A network that does not last: every reply is cut off after so many bytes."""

import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from threading import Thread
from urllib.parse import urlsplit


class CuttingProxy:
    """Forwards to the server at *url*, and cuts each connection after *most* bytes of reply."""

    def __init__(self, url: str, listener: socket.socket, most: int) -> None:
        parts = urlsplit(url)
        self.cuts = 0
        self._server, self._listener, self._most = (parts.hostname, parts.port), listener, most
        Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                Thread(target=_forward, args=(client, server), daemon=True).start()
                Thread(target=self._reply, args=(server, client), daemon=True).start()

    def _reply(self, server: socket.socket, client: socket.socket) -> None:
        left = self._most
        with suppress(OSError):
            while left and (data := server.recv(left)):
                client.sendall(data)
                left -= len(data)
        self.cuts += not left
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _forward(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)


@contextmanager
def cutting(url: str, most: int) -> Generator[CuttingProxy, None, None]:
    """A proxy in front of *url* during the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield CuttingProxy(url, listener, most)
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
