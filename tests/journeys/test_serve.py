"""``stratal serve`` as its user meets it: alone on a home, stopped by Ctrl-C, killed, adopted."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.main.address import free_port
from tests.support.home import READY_S, SOON_S, Home, children, wait_until_gone
from tests.support.service import until

pytestmark = [pytest.mark.journey, pytest.mark.slow]


@pytest.fixture
def stratal(tmp_path: Path) -> Iterator[Home]:
    stratal = Home(tmp_path, '{"default": {"reply": {"answer": "yes"}}}')
    yield stratal
    stratal.close()


def test_serve_from_the_first_start_to_ctrl_c(stratal: Home) -> None:
    serve = stratal.start("serve")
    stratal.wait_until_ready()

    second = stratal.call("serve")
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.endswith("(serve.already_running)\n")
    assert second.stderr.count("\n") == 1

    beside = stratal.call("serve", HOME=stratal.home / "other")
    assert beside.returncode == 1
    assert beside.stderr.endswith("(serve.port_taken)\n")
    assert not (stratal.home / "other" / "postgres").exists()

    doctor = stratal.call("doctor")
    assert (doctor.returncode, "answers at" in doctor.stdout) == (0, True)

    kept, began_s = children(serve), time.monotonic()
    os.killpg(serve.pid, signal.SIGINT)
    assert serve.wait(SOON_S) == 0
    assert time.monotonic() - began_s < 20
    wait_until_gone(kept)
    assert stratal.postgres == "stopped"
    said = stratal.said()
    assert "Traceback" not in said
    stopped = [said.index(f"{name}: stopped") for name in ("api", "worker-1", "projector")]
    assert stopped == sorted(stopped)


def test_a_killed_serve_takes_its_children_along_and_the_next_adopts_postgres(
    stratal: Home,
) -> None:
    serve = stratal.start("serve")
    stratal.wait_until_ready()
    stratal.call("program", "create", "kept", "--signature", "question -> answer")
    kept = children(serve)
    assert len(kept) == 4  # API, worker, projector, notary
    serve.kill()
    serve.wait()
    wait_until_gone(kept)
    assert stratal.postgres == "running"

    again = stratal.start("serve", WORKERS=2)
    stratal.wait_until_ready()
    assert len(children(again)) == 5
    ran = stratal.call("program", "run", "kept", "question=Are you there?")
    assert (ran.returncode, ran.stdout.splitlines()[0]) == (0, "answer  yes")


def test_processes_run_alone_on_a_database_and_stop_at_ctrl_c(stratal: Home, database: str) -> None:
    alone = [stratal.start(role, DATABASE_URL=database) for role in ("projector", "worker", "api")]
    stratal.wait_until_ready()
    made = stratal.call("program", "create", "alone", "--signature", "question -> answer")
    assert made.returncode == 0, made.stderr
    ran = stratal.call("program", "run", "alone", "question=Are you there?")
    assert (ran.returncode, ran.stdout.splitlines()[0]) == (0, "answer  yes")
    assert stratal.postgres == "stopped"
    for process in alone:
        os.killpg(process.pid, signal.SIGINT)
    assert [process.wait(SOON_S) for process in alone] == [0, 0, 0], stratal.said()


def test_a_child_that_cannot_run_says_why_in_one_line(stratal: Home) -> None:
    serve = stratal.start("serve", LM="local:nothing")
    until(
        stratal.said,
        lambda said: "(model.setting_invalid)" in said,
        timeout_s=READY_S,
    )
    serve.terminate()
    assert serve.wait(SOON_S) == 0
    assert "Traceback" not in stratal.said()


def test_serve_listens_on_every_address_and_on_ipv6(stratal: Home) -> None:
    if not _has_ipv6():
        stratal.port = free_port("0.0.0.0", 0)
    host = "::" if _has_ipv6() else "0.0.0.0"
    stratal.start("serve", HOST=host)
    said = until(
        stratal.said,
        lambda said: "serve serving on " in said,
        timeout_s=READY_S,
    )
    reached = f"http://[::1]:{stratal.port}" if _has_ipv6() else f"http://127.0.0.1:{stratal.port}"
    assert f"serving on {reached}, " in said
    assert stratal.call("audit", HOST=host).returncode == 0


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
