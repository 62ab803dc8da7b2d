"""A private Postgres under the home directory, shared by every process that names the same home.

The server belongs to no process: it outlives whoever started it, and whoever comes next adopts it.
Two locks in ``<home>/postgres`` carry this. ``lock`` serialises starting and stopping. ``alive`` is
locked through a file descriptor that the server and all its children inherit: the kernel lets go
of it exactly when the last of them has ended, so neither a zombie, nor a process number used again,
nor a ``postmaster.pid`` left by a kill can pass for a living server.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from psycopg.pq import PGconn, Ping

from infrastructure.postgres.account import Account
from infrastructure.postgres.binaries import find_binaries
from infrastructure.postgres.errors import (
    PostgresDidNotStart,
    PostgresDidNotStop,
    PostgresIsBusy,
    PostgresNeedsAnAccount,
)
from infrastructure.postgres.paths import SOCKET, connectable
from infrastructure.postgres.roles import SERVICE_ROLE, make_role

_HERE = "/proc/self/cwd"
_POLL_S = 0.005
_LOG_BYTES = 5_000_000

_INITDB = (
    "--username=postgres",
    "--auth-local=trust",  # the socket lies in a directory of mode 0700
    "--auth-host=reject",
    "--data-checksums",
    "--encoding=UTF8",
    "--locale=C",  # sorting must not change with the system's libc
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)
_FIRST_SETTINGS = {  # an operator may tune these in postgresql.conf
    "max_connections": "200",
    "shared_buffers": "128MB",
    "wal_compression": "on",
    "jit": "off",  # compiling costs more than our short queries
    "max_parallel_workers_per_gather": "0",  # containers give 64 MB of shared memory
    "log_error_verbosity": "terse",  # details of an error quote rows,
    "log_min_error_statement": "panic",  # statements quote people
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
_FIXED_SETTINGS = {"listen_addresses": "", "unix_socket_directories": ".", "port": "5432"}


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """``unready`` is a server that starts, recovers, stops or hangs."""

    state: Literal["running", "unready", "stopped"]
    pid: int | None
    data: Path
    log: Path
    url: str
    owner_url: str


class EmbeddedPostgres:
    """The server of one home. Any number of objects and processes may manage it at once."""

    def __init__(
        self, home: Path, *, start_timeout_s: float = 300, stop_timeout_s: float = 60
    ) -> None:
        self._home = home.expanduser().resolve()
        self._root = self._home / "postgres"
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self.data = self._root / "data"
        self.log = self._root / "server.log"

    @property
    def url(self) -> str:
        """The address of the database for its owner, whether or not the server runs."""
        return self._url("postgres")

    @property
    def service_url(self) -> str:
        """The same for the service, whose role cannot change the log."""
        return self._url(SERVICE_ROLE)

    def start(self) -> str:
        """Make sure that the server runs and answers; return its owner's address.

        A running server is adopted, a crashed one recovered, a missing one created. A recovery may
        take as long as it needs within ``start_timeout_s``.

        Raises:
            PostgresDidNotStart: The server ended, or gave no answer in time.
            PostgresIsBusy: Another process starts or stops it all this time.
            PostgresIsNotInstalled, PostgresNeedsAnAccount: It cannot be run here.
        """
        deadline = time.monotonic() + self._start_timeout_s
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        account = Account.for_server(self._home, self.data)
        if account is not None and account.uid == self._home.stat().st_uid:
            os.chown(self._root, account.uid, account.gid)
        with self._one_at_a_time(deadline, self._start_timeout_s):
            if not self._answers():
                self._bring_up(account, deadline)
            make_role(self.url, SERVICE_ROLE)
        return self.url

    def stop(self) -> bool:
        """End the server after its running transactions were rolled back; say whether it ran.

        Raises:
            PostgresDidNotStop: It still runs after ``stop_timeout_s``.
            PostgresIsBusy: Another process starts or stops it all this time.
        """
        if not self._root.exists():
            return False
        deadline = time.monotonic() + self._stop_timeout_s
        with self._one_at_a_time(deadline, self._stop_timeout_s):
            if self._is_dead():
                return False
            self._end(signal.SIGINT, deadline)  # "fast": no waiting for clients
            if not self._is_dead():
                self._end(
                    signal.SIGQUIT, time.monotonic() + 10
                )  # "immediate": recovery comes later
            if not self._is_dead():
                raise PostgresDidNotStop(self._pid(), self._stop_timeout_s)
            return True

    def status(self) -> ServerStatus:
        """What the server does at this moment; changes nothing."""
        state: Literal["running", "unready", "stopped"] = "running"
        if not self._answers():
            state = "stopped" if not self._root.exists() or self._is_dead() else "unready"
        pid = None if state == "stopped" else self._pid()
        return ServerStatus(state, pid, self.data, self.log, self.service_url, self.url)

    def _url(self, role: str) -> str:
        host = quote(str(connectable(self.data)), safe="")
        return f"postgresql://{role}@/postgres?host={host}&port=5432"

    def _bring_up(self, account: Account | None, deadline: float) -> None:
        said_before = 0
        launched = False
        while not self._answers():
            if (claim := self._claim()) is not None:
                with closing(claim):
                    if launched and not self._old_children_linger(said_before):
                        raise self._failure("ended while it started", said_before)
                    said_before = self._rotate_log()
                    self._launch(account, claim.fd)
                    launched = True
            elif time.monotonic() > deadline:
                why = f"gave no answer within {self._start_timeout_s:.0f} s"
                raise self._failure(why, said_before)
            time.sleep(_POLL_S)

    def _launch(self, account: Account | None, claim: int) -> None:
        binaries = find_binaries(account)
        if not self.data.exists():
            self._initialise(account, binaries, claim)
        # We hold the lock that every process of a server holds, so whoever wrote these is gone.
        # Postgres would believe them when the number is in use again, or belongs to a zombie.
        for stale in ("postmaster.pid", f"{SOCKET}.lock"):
            (self.data / stale).unlink(missing_ok=True)
        settings = [f"--{name}={value}" for name, value in _FIXED_SETTINGS.items()]
        server = [str(binaries / "postgres"), "-D", self._seen_by(account, self.data), *settings]
        with self.log.open("ab") as log:
            # The shell leaves at once, so the server is nobody's child and cannot be our zombie.
            command = ["/bin/sh", "-c", '"$@" &', "sh", *server]
            self._run(command, account, self.data, claim, output=log.fileno())

    def _initialise(self, account: Account | None, binaries: Path, claim: int) -> None:
        """Make the data directory aside and rename it: a kill half-way leaves nothing half made."""
        for leftover in self._root.glob("new-*"):
            shutil.rmtree(leftover)
        aside = Path(tempfile.mkdtemp(prefix="new-", dir=self._root))
        if account is not None:
            os.chown(aside, account.uid, account.gid)
        settings = [f"--set={name}={value}" for name, value in _FIRST_SETTINGS.items()]
        where = self._seen_by(account, aside)
        command = [str(binaries / "initdb"), "-D", where, *_INITDB, *settings]
        begun = self.log.stat().st_size
        with self.log.open("ab") as log:
            ended = self._run(command, account, aside, claim, output=log.fileno())
        if ended != 0:
            raise self._failure("could not be initialised", begun)
        aside.rename(self.data)
        with _open(self._root, os.O_RDONLY) as folder:
            os.fsync(folder)

    @staticmethod
    def _seen_by(account: Account | None, directory: Path) -> str:
        """The data directory as the server is told of it.

        The account that root drops to may not enter the directories above, such as /root. We enter
        it before dropping, and this magic link leads there without passing the parents. So the
        data stays under the home, and nobody's rights are touched.
        """
        if account is None:
            return str(directory)
        if not Path(_HERE).exists():
            raise PostgresNeedsAnAccount(f"this system has no {_HERE} to lead another account by")
        return _HERE

    @staticmethod
    def _run(
        command: Sequence[str], account: Account | None, where: Path, claim: int, *, output: int
    ) -> int:
        """Run to the end in a session of its own, so that a Ctrl-C at our terminal stays here."""
        try:
            return subprocess.run(  # noqa: S603 - the words of the command are ours
                command,
                check=False,
                cwd=where,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(claim,),
                start_new_session=True,
                umask=0o077,
                user=None if account is None else account.uid,
                group=None if account is None else account.gid,
                extra_groups=None if account is None else [],
            ).returncode
        except (PermissionError, subprocess.SubprocessError) as error:
            why = f"its process could not become another account ({error})"
            raise PostgresNeedsAnAccount(why) from error

    def _answers(self) -> bool:
        """Whether a connection is served now. Files are hints; only an answer counts."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return False
        if lines[-1:] != ["ready   "]:
            return False  # asking a server that recovers would only fill its log
        return PGconn.ping(f"{self.url}&connect_timeout=2".encode()) == Ping.OK

    def _end(self, how: signal.Signals, deadline: float) -> None:
        told = False
        while not self._is_dead() and time.monotonic() < deadline:
            if not told and (pid := self._pid()) is not None and _works_in(pid, self.data):
                with suppress(ProcessLookupError):
                    os.kill(pid, how)
                    told = True
            time.sleep(_POLL_S)

    def _pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def _is_dead(self) -> bool:
        claim = self._claim()
        if claim is not None:
            claim.close()
        return claim is not None

    def _claim(self) -> "_Claim | None":
        """The lock that only a dead server leaves free."""
        fd = _open_own(self._root / "alive")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return _Claim(fd)

    @contextmanager
    def _one_at_a_time(self, deadline: float, timeout_s: float) -> Generator[None, None, None]:
        path = self._root / "lock"
        fd = _open_own(path)
        try:
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise PostgresIsBusy(path, timeout_s) from None
                    time.sleep(_POLL_S)
            yield
        finally:
            os.close(fd)

    def _rotate_log(self) -> int:
        """Start a new log when the old one is large; return where the next words will begin."""
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        os.close(_open_own(self.log))
        return self.log.stat().st_size

    def _old_children_linger(self, begun: int) -> bool:
        """A killed server's child was still at work and Postgres refused to start beside it."""
        return "pre-existing shared memory block" in self._said_since(begun)

    def _said_since(self, begun: int) -> str:
        return self.log.read_bytes()[begun:].decode(errors="replace")

    def _failure(self, why: str, begun: int) -> PostgresDidNotStart:
        last_words = "\n".join(self._said_since(begun).splitlines()[-15:])
        return PostgresDidNotStart(why, self.log, last_words)


@dataclass(frozen=True, slots=True)
class _Claim:
    fd: int

    def close(self) -> None:
        os.close(self.fd)


def _open_own(path: Path) -> int:
    """Open or create a private file. In a user's home it is the user's, even when root makes it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(fd, owner.st_uid, owner.st_gid)
    return fd


@contextmanager
def _open(path: Path, flags: int) -> Generator[int, None, None]:
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def _works_in(pid: int, directory: Path) -> bool:
    """Whether the process is the server of *directory*, not a stranger with its old number."""
    try:
        return Path(f"/proc/{pid}/cwd").samefile(directory)
    except OSError:
        return not Path(_HERE).exists()  # without /proc the lock alone must do
