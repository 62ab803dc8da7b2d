"""The embedded server on bad days: kills at any moment, stale files, races, other accounts."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from infrastructure.postgres.account import Account
from infrastructure.postgres.binaries import find_binaries
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.errors import PostgresDidNotStart, PostgresDidNotStop, PostgresIsBusy

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

START = """
import sys
from pathlib import Path
from infrastructure.postgres.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.status().pid, flush=True)
"""

HOLD = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""

# The interpreter may lie where the other account cannot go: load everything, then change over.
START_AS = """
import os, sys, encodings.idna, psycopg
from infrastructure.postgres.embedded import EmbeddedPostgres
uid = int(sys.argv[2])
if uid != os.geteuid():
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
from pathlib import Path
server = EmbeddedPostgres(Path(sys.argv[1]))
with psycopg.connect(server.start()) as connection:
    print(connection.execute("SHOW data_checksums").fetchone()[0])
print(server.data.stat().st_uid == uid, os.geteuid() == uid, server.stop())
"""


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )


def answers(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def pid_of(server: EmbeddedPostgres) -> int:
    pid = server.status().pid
    assert pid is not None
    return pid


@pytest.fixture
def zombie() -> Iterator[int]:
    child = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    yield child.pid
    child.wait()


def test_an_ordinary_user_needs_nobody_else(home: Path) -> None:
    uid = os.geteuid() or 65534
    os.chown(home, uid, -1)
    with python(START_AS, str(home), str(uid)) as process:
        said, complained = process.communicate(timeout=60)
    assert said.split() == ["on", "True", "True", "True"], complained


def test_root_and_the_owner_of_a_home_take_turns(home: Path) -> None:
    """When not root, both turns are the same user's."""
    uid = os.geteuid() or 65534
    os.chown(home, uid, -1)
    server = EmbeddedPostgres(home)
    assert answers(server.start())
    assert server.stop()
    with python(START_AS, str(home), str(uid)) as process:
        said, complained = process.communicate(timeout=60)
    assert said.split() == ["on", "True", "True", "True"], complained
    assert answers(server.start())


def test_the_server_outlives_a_killed_starter_and_is_adopted_at_once(home: Path) -> None:
    with python(START + "\nsys.stdin.read()", str(home)) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        starter.kill()
    server = EmbeddedPostgres(home)
    began = time.monotonic()
    assert answers(server.start())
    assert time.monotonic() - began < 1
    assert pid_of(server) == pid


def test_a_starter_killed_at_any_moment_leaves_a_home_that_starts(home: Path) -> None:
    for delay_ms in (250, 450, 700):
        place = home / str(delay_ms)
        with python(START, str(place)) as starter:
            time.sleep(delay_ms / 1000)
            starter.kill()
        server = EmbeddedPostgres(place)
        assert answers(server.start())
        assert sorted(each.name for each in (place / "postgres").iterdir()) == [
            "alive", "data", "lock", "server.log",
        ]  # fmt: skip
        assert server.stop()


def test_six_processes_that_race_a_cold_start_share_one_server(home: Path) -> None:
    racers = [python(START, str(home)) for _ in range(6)]
    pids = set()
    for racer in racers:
        with racer:
            said, complained = racer.communicate(timeout=60)
            assert racer.returncode == 0, complained
            pids.add(said)
    assert pids == {f"{pid_of(EmbeddedPostgres(home))}\n"}


def test_no_acknowledged_write_is_lost_when_the_server_is_killed(home: Path) -> None:
    server = EmbeddedPostgres(home)
    url = server.start()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE acknowledged (number int PRIMARY KEY)")
    for attempt in range(3):
        acknowledged: list[int] = []
        writer = threading.Thread(target=write_until_cut, args=(url, attempt, acknowledged))
        writer.start()
        time.sleep(0.3)
        os.kill(pid_of(server), signal.SIGKILL)
        url = server.start()
        writer.join()
        assert len(acknowledged) > 20
        with psycopg.connect(url) as connection:
            stored = connection.execute("SELECT number FROM acknowledged").fetchall()
        assert set(acknowledged) <= {number for (number,) in stored}


def write_until_cut(url: str, attempt: int, acknowledged: list[int]) -> None:
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            for number in range(attempt * 1_000_000, (attempt + 1) * 1_000_000):
                connection.execute("INSERT INTO acknowledged VALUES (%s)", [number])
                acknowledged.append(number)
    except psycopg.OperationalError:
        return


def test_a_new_server_waits_until_the_children_of_a_killed_one_have_ended(home: Path) -> None:
    server = EmbeddedPostgres(home)
    connection = psycopg.connect(server.start(), autocommit=True)
    connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 8000000)")
    time.sleep(0.2)
    os.kill(pid_of(server), signal.SIGKILL)
    assert answers(server.start())
    busy = connection.pgconn.get_result()  # the old child ended first, by its own will or not
    connection.close()
    assert busy is not None


@pytest.mark.parametrize("stranger", ["ourselves", "zombie", "nobody"])
def test_a_process_number_that_now_means_another_is_not_believed(
    home: Path, zombie: int, stranger: str
) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    written = (server.data / "postmaster.pid").read_text().split("\n")
    os.kill(int(written[0]), signal.SIGKILL)
    written[0] = str({"ourselves": os.getpid(), "zombie": zombie, "nobody": 4_000_000}[stranger])
    (server.data / "postmaster.pid").write_text("\n".join(written))
    assert answers(server.start())
    assert server.stop()


def test_a_server_that_is_stopped_dead_is_never_handed_out(home: Path) -> None:
    EmbeddedPostgres(home).start()
    server = EmbeddedPostgres(home, start_timeout_s=1, stop_timeout_s=1)
    pid = pid_of(server)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(PostgresDidNotStart, match="gave no answer within 1 s"):
            server.start()
        assert server.status().state == "unready"
        with pytest.raises(PostgresDidNotStop, match=str(pid)):
            server.stop()
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_start_that_never_ends_elsewhere_is_reported(home: Path) -> None:
    server = EmbeddedPostgres(home, start_timeout_s=0.2)
    (home / "postgres").mkdir(mode=0o700)
    with python(HOLD, str(home / "postgres" / "lock")) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(PostgresIsBusy, match="lock"):
            server.start()
        holder.kill()
    assert answers(EmbeddedPostgres(home).start())


def test_stopping_cuts_clients_off_and_loses_nothing(home: Path) -> None:
    server = EmbeddedPostgres(home)
    url = server.start()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (number int)")
    idle = psycopg.connect(url)
    idle.execute("INSERT INTO kept VALUES (1)")
    began = time.monotonic()
    assert server.stop()
    assert time.monotonic() - began < 10
    idle.close()
    with psycopg.connect(server.start()) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_a_server_started_by_hand_is_adopted_and_stopped(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    server.stop()
    account = Account.for_server(home, server.data)
    by_hand = subprocess.Popen(
        [
            find_binaries(account) / "postgres",
            "-D",
            server._seen_by(account, server.data),
            "-h",
            "",
            "-k",
            ".",
        ],
        cwd=server.data,
        user=None if account is None else account.uid,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 10
        while server.status().state != "running" and time.monotonic() < deadline:
            time.sleep(0.02)
        assert answers(server.start())
        assert pid_of(server) == by_hand.pid
    finally:
        by_hand.send_signal(signal.SIGINT)
        by_hand.wait(10)
