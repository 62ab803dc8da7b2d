"""Redis and RabbitMQ servers of a test's own, on loopback, which it may stop and start again."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class BrokerServer:
    """A server process and the URL it answers at."""

    def __init__(
        self, url: str, port: int, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self.url = url
        self._port, self._command = port, command
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_s: float = 60) -> None:
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + timeout_s
        while not _answers(self._port):
            assert self._process.poll() is None, f"{self._command[0]} ended by itself"
            assert time.monotonic() < deadline, f"{self._command[0]} did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server at once; what it had only in memory is gone."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


@contextmanager
def redis_server() -> Iterator[BrokerServer]:
    """A Redis that keeps nothing on disk."""
    port = _free_port()
    command = f"redis-server --port {port} --bind 127.0.0.1 --appendonly no --save".split()
    server = BrokerServer(f"redis://127.0.0.1:{port}/0", port, [*command, ""], {})
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def rabbitmq_server() -> Iterator[BrokerServer]:
    """A RabbitMQ with a name service of its own, all of it in a directory that goes away."""
    home = Path(tempfile.mkdtemp(prefix="rabbit-"))
    port, names_port, peers_port = _free_port(), _free_port(), _free_port()
    (home / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    environment = {
        "HOME": str(home),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(names_port),
        "RABBITMQ_NODENAME": f"stratal{port}@localhost",
        "RABBITMQ_DIST_PORT": str(peers_port),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    names = BrokerServer(
        "", names_port, ["epmd", "-address", "127.0.0.1", "-port", str(names_port)], {}
    )
    server = BrokerServer(f"amqp://guest:guest@127.0.0.1:{port}", port, [_RABBITMQ], environment)
    try:
        names.start()
        server.start()
        yield server
    finally:
        server.stop()
        names.stop()
        shutil.rmtree(home, ignore_errors=True)


_RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
"""Not the one on the path, which changes to a system user when it is root."""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
