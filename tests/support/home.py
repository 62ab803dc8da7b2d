"""A home with the command line on it, as its user has it: verbs are called, started and killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx2
import psutil
import psycopg

from infrastructure.main.address import free_port
from infrastructure.postgres.embedded import EmbeddedPostgres
from tests.support.service import until

READY_S: Final = 90.0
SOON_S: Final = 30.0


class Home:
    """The command line on a home of its own, where a scripted model answers."""

    def __init__(self, home: Path, script: str) -> None:
        self.home, self.log = home, home / "said.log"
        self.port = free_port("127.0.0.1", 0)
        (home / "model.json").write_text(script)
        self.running: list[psutil.Popen] = []

    def environment(self, **wish: object) -> dict[str, str]:
        kept = {name: it for name, it in os.environ.items() if not name.startswith("STRATAL_")}
        told = {"HOME": self.home, "PORT": self.port, "LM": f"scripted:{self.home}/model.json"}
        return kept | {f"STRATAL_{name}": str(value) for name, value in (told | wish).items()}

    def call(
        self, *words: str, given: str | None = None, **wish: object
    ) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end; *given* is typed in."""
        return subprocess.run(
            [sys.executable, "-m", "infrastructure.main.cli", *words],
            env=self.environment(**wish),
            input=given or "",
            capture_output=True,
            text=True,
            timeout=READY_S,
        )

    def start(self, *words: str, **wish: object) -> psutil.Popen:
        """Start a verb in a process group of its own, as a terminal does."""
        with self.log.open("ab") as said:
            started = psutil.Popen(
                [sys.executable, "-m", "infrastructure.main.cli", *words],
                env=self.environment(**wish),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                preexec_fn=_hear_ctrl_c,
            )
        self.running.append(started)
        return started

    def said(self) -> str:
        """What was printed by all that was started."""
        return self.log.read_text() if self.log.exists() else ""

    def is_ready(self) -> bool:
        try:
            reply = httpx2.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5, trust_env=False)
        except httpx2.TransportError:
            return False
        return reply.status_code == 200

    def wait_until_ready(self) -> None:
        try:
            until(self.is_ready, bool, timeout_s=READY_S)
        except AssertionError as error:
            error.add_note(self.said())
            raise

    @property
    def head(self) -> int:
        """The position of the last event of its database, which this starts and stops."""
        server = EmbeddedPostgres(self.home)
        with psycopg.connect(server.start()) as connection:
            found = connection.execute("SELECT max(notification_id) FROM stratal.events").fetchone()
        server.stop()
        assert found is not None
        return int(found[0])

    @property
    def postgres(self) -> str:
        return EmbeddedPostgres(self.home).status().state

    def close(self) -> None:
        for each in self.running:
            if each.is_running():
                each.terminate()
        psutil.wait_procs(self.running, timeout=SOON_S)
        EmbeddedPostgres(self.home).stop()


def children(process: psutil.Process) -> list[psutil.Process]:
    """The processes that it keeps; Postgres is nobody's child."""
    return [each for each in process.children(recursive=True) if _is_alive(each)]


def wait_until_gone(processes: Sequence[psutil.Process]) -> None:
    """Wait until none of them can do anything."""
    until(
        lambda: [each for each in processes if _is_alive(each)],
        lambda left: not left,
        timeout_s=SOON_S,
    )


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _hear_ctrl_c() -> None:
    """A test run in the background ignores Ctrl-C, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
