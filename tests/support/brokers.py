"""Redis and RabbitMQ servers of a test's own, on loopback, which it may stop and start again."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
        self._end_by(lambda process: process.terminate())

    @property
    def restarts(self) -> Sequence[Callable[[], None]]:
        """Each way it can be gone for a moment and come back."""
        return [self._restart]

    def _restart(self) -> None:
        self.stop()
        self.start()

    def _end_by(self, end: Callable[[subprocess.Popen[bytes]], object]) -> None:
        if self._process is not None:
            end(self._process)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


class RedisServer(BrokerServer):
    """A Redis that forgets all when it is stopped, unless it is told to keep it."""

    @property
    def restarts(self) -> Sequence[Callable[[], None]]:
        return [self._restart, self._restart_keeping]

    def _restart_keeping(self) -> None:
        keep = ["redis-cli", "-p", str(self._port), "shutdown", "save"]
        self._end_by(lambda _: subprocess.run(keep, check=True, stdout=subprocess.DEVNULL))
        self.start()


class RabbitMqServer(BrokerServer):
    """A RabbitMQ whose application can be stopped while its node goes on."""

    @property
    def restarts(self) -> Sequence[Callable[[], None]]:
        return [self._restart_application]

    def _restart_application(self) -> None:
        for verb in ("stop_app", "start_app"):
            command = [_RABBITMQCTL, "-n", self._environment["RABBITMQ_NODENAME"], verb]
            subprocess.run(command, env=self._environment, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def redis_server() -> Iterator[BrokerServer]:
    """A Redis that keeps nothing on disk by itself."""
    port, home = _free_port(), tempfile.mkdtemp(prefix="redis-")
    command = f"redis-server --port {port} --bind 127.0.0.1 --dir {home} --appendonly no --save"
    server = RedisServer(f"redis://127.0.0.1:{port}/0", port, [*command.split(), ""], {})
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


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
    server = RabbitMqServer(f"amqp://guest:guest@127.0.0.1:{port}", port, [_RABBITMQ], environment)
    try:
        names.start()
        server.start()
        yield server
    finally:
        server.stop()
        names.stop()
        shutil.rmtree(home, ignore_errors=True)


_RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_RABBITMQCTL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
"""Not those on the path, which change to a system user when they are root."""


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
