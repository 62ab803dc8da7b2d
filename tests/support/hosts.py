"""Hosts of a test's own: network namespaces that reach this one by an address and nothing else.

Needs root, or at least the right to make them; ``make test`` leaves out what needs it otherwise.
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.support.service import ROOT

Address = tuple[str, int] | str
"""Where something listens: host and port, or the path of a socket."""

_NETWORK: Final = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
_CHUNK: Final = 1 << 16


class Host:
    """A machine with a network of its own, and one cable to this one."""

    def __init__(self, number: int) -> None:
        self._name = f"stratal-{os.getpid()}-{number}"
        self._cable = f"st{os.getpid() % 100_000}h{number}"
        self.outside, self._inside = (f"{_NETWORK}.{4 * number + end}" for end in (1, 2))
        self._stack = ExitStack()

    def open(self) -> None:
        """Set the machine up."""
        _ip("netns", "add", self._name)
        inner = f"{self._cable}i"
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", inner)
        _ip("link", "set", inner, "netns", self._name)
        _ip("addr", "add", f"{self.outside}/30", "dev", self._cable)
        _ip("link", "set", self._cable, "up")
        _ip("-n", self._name, "addr", "add", f"{self._inside}/30", "dev", inner)
        for device in ("lo", inner):
            _ip("-n", self._name, "link", "set", device, "up")

    def close(self) -> None:
        """End what runs on it, and take it away."""
        self._stack.close()
        subprocess.run(["ip", "netns", "del", self._name], check=False)  # its cable goes with it

    def reaching(self, target: Address) -> tuple[str, int]:
        """Where *target*, which listens on this machine, can be reached from the host."""
        listener = socket.create_server((self.outside, 0))
        self._stack.callback(_shut, listener)
        threading.Thread(target=_forward, args=(listener, target), daemon=True).start()
        address: tuple[str, int] = listener.getsockname()
        return address

    def start(self, argv: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
        """Start Python with *argv* on the host; return its process id."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self._name, sys.executable, *argv],
                env=environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._stack.callback(_end, process)
        return process.pid


@contextmanager
def hosts(count: int) -> Generator[Sequence[Host], None, None]:
    """*count* hosts that do not reach each other."""
    with ExitStack() as stack:
        made = [Host(number) for number in range(count)]
        for host in made:
            stack.callback(host.close)
            host.open()
        yield made


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _forward(listener: socket.socket, target: Address) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            server = socket.socket(socket.AF_UNIX if isinstance(target, str) else socket.AF_INET)
            server.connect(target)
            for ends in ((client, server), (server, client)):
                threading.Thread(target=_pour, args=ends, daemon=True).start()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    for each in (source, sink):
        _shut(each)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
