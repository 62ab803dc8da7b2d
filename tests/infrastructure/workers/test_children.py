"""Isolated jobs: a process each, which ends with its worker and whose death loses nothing."""

import signal
import sys
import threading
import time
from uuid import UUID, uuid4

import psutil
import pytest

from infrastructure.workers.children import ChildFailed, Children
from infrastructure.workers.jobs import Job, JobContext, JobIsUnreadable
from infrastructure.workers.settlement import JobHandedBack
from tests.support.workers import NoteApart, Notebook, running, spawned, worker

pytestmark = [pytest.mark.postgres, pytest.mark.worker, pytest.mark.slow]


def child_of(notebook: Notebook) -> psutil.Process:
    notebook.wait("count(*) > 0 FROM notes WHERE step = 'start'")
    return psutil.Process(notebook.number("SELECT max(pid) FROM notes WHERE step = 'start'"))


def test_an_isolated_job_runs_in_a_process_with_a_fixed_hash_seed(notebook: Notebook) -> None:
    with spawned(notebook.conninfo) as process:
        notebook.queue(NoteApart(n=1, sleep_s=0.5))
        child = child_of(notebook)
        assert child.ppid() == process.pid
        environment = child.environ()
        assert environment["PYTHONHASHSEED"] == "0"
        assert environment["LITELLM_LOCAL_MODEL_COST_MAP"] == "true"
        notebook.wait_done(1)
        notebook.wait("count(*) = 0 FROM stratal.jobs")


def test_a_killed_child_is_started_again(notebook: Notebook) -> None:
    with running(worker(notebook.conninfo)):
        notebook.queue(NoteApart(n=1, sleep_s=1))
        child_of(notebook).kill()
        notebook.wait_done(1)
        notebook.wait("count(*) = 0 FROM stratal.jobs")
    assert notebook.number("SELECT count(*) FROM notes WHERE step = 'start'") == 2


def has_ended(child: psutil.Process) -> bool:
    """Whether it is gone, or dead and only not yet collected by whoever inherited it."""
    try:
        return child.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_child_dies_with_its_killed_worker(notebook: Notebook) -> None:
    with spawned(notebook.conninfo) as process:
        notebook.queue(NoteApart(n=1, sleep_s=30))
        child = child_of(notebook)
        process.send_signal(signal.SIGKILL)
        psutil.wait_procs([child], timeout=2)
        assert has_ended(child)
    with running(worker(notebook.conninfo)):
        notebook.wait("count(*) = 2 FROM notes")


def test_a_worker_that_stops_ends_its_child_and_hands_the_job_back(notebook: Notebook) -> None:
    with spawned(notebook.conninfo) as process:
        notebook.queue(NoteApart(n=1, sleep_s=30))
        child = child_of(notebook)
        process.terminate()
        assert process.wait(12) == 0
        assert not child.is_running()
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
    assert notebook.rows("SELECT owner, tries, dead_at, run_at <= now() FROM stratal.jobs") == [
        (None, 0, None, True)
    ]


@pytest.mark.parametrize(
    ("fault", "starts"), [("away once", 2), ("refused", 1)], ids=["obstacle", "refusal"]
)
def test_a_child_says_how_it_went(notebook: Notebook, fault: str, starts: int) -> None:
    with running(worker(notebook.conninfo)):
        notebook.queue(NoteApart(n=1, fault=fault))
        notebook.wait("count(*) = 0 FROM stratal.jobs")
    assert notebook.number("SELECT count(*) FROM notes WHERE step = 'start'") == starts


def children(program: str) -> Children:
    return Children([sys.executable, "-c", f"import os, signal, sys, time; {program}"])


JOB = Job(
    uuid4(),
    NoteApart(n=1, fault="x" * 200_000),
    JobContext(tenant="acme", actor="ann", correlation_id=UUID(int=7)),
)


def test_a_job_its_child_cannot_read_is_hopeless() -> None:
    with pytest.raises(JobIsUnreadable):
        children("sys.stdin.read(); sys.exit(65)").carry(JOB)


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("sys.stdin.read(); sys.exit(3)", 3, "ended with 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, "was killed by SIGKILL"),
        ("sys.stdin.close(); os.close(0); time.sleep(0.2); sys.exit(75)", 75, "ended with 75"),
    ],
)
def test_a_child_that_fails_is_an_error_that_says_how(program: str, code: int, said: str) -> None:
    with pytest.raises(ChildFailed, match=f"carried out NoteApart {said}") as failed:
        children(program).carry(JOB)
    assert failed.value.exit_code == code


def test_a_child_that_ignores_the_end_is_killed_with_its_own_children() -> None:
    stubborn = children(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); sys.stdin.read(); os.fork(); time.sleep(30)"
    )
    others = set(psutil.Process().children(recursive=True))
    threading.Timer(0.6, stubborn.stop).start()
    began = time.monotonic()
    with pytest.raises(JobHandedBack):
        stubborn.carry(JOB)
    assert time.monotonic() - began < 5
    left = set(psutil.Process().children(recursive=True)) - others
    assert psutil.wait_procs(left, timeout=1)[1] == []


def test_a_worker_that_stops_starts_no_child() -> None:
    stopped = children("raise SystemExit(1)")
    stopped.stop()
    with pytest.raises(JobHandedBack):
        stopped.carry(JOB)
