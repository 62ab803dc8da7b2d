"""Workers under a supervisor, with jobs to do: one is killed, the others go on."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infrastructure.supervision import Child, ChildSpec, Supervisor
from tests.support.service import until
from tests.support.workers import Note, Notebook

pytestmark = [pytest.mark.postgres, pytest.mark.worker, pytest.mark.slow]

WORKERS = 4
JOBS = 60


@contextmanager
def supervised(conninfo: str) -> Iterator[list[Child]]:
    """Four workers that are kept alive during the block."""
    argv = [sys.executable, "-m", "tests.support.workers", "worker", conninfo]
    children = [Child(ChildSpec(f"worker-{n}", argv, 5), os.environ) for n in range(WORKERS)]
    supervisor, stop = Supervisor(children), threading.Event()
    supervisor.start()
    runner = threading.Thread(target=supervisor.run, args=(stop,))
    runner.start()
    try:
        yield children
    finally:
        stop.set()
        runner.join()
        supervisor.stop()


def pid_of(child: Child) -> int:
    return child.process.pid if child.process else 0


@pytest.mark.feature("JOB-06")
def test_job_06_one_of_four_workers_is_killed_the_others_go_on_and_a_new_one_comes_within_5_s(
    notebook: Notebook,
) -> None:
    with supervised(notebook.conninfo) as children:
        notebook.queue(*(Note(n=n) for n in range(8)))
        notebook.wait_done(8, timeout_s=60)
        pids = [pid_of(each) for each in children]
        notebook.queue(*(Note(n=n, sleep_s=0.2) for n in range(8, JOBS)))
        notebook.wait("count(*) > 8 FROM notes WHERE step = 'start'")
        os.kill(pids[1], signal.SIGKILL)
        until(lambda: pid_of(children[1]), lambda pid: pid not in (0, pids[1]), timeout_s=5)
        notebook.wait_done(JOBS, timeout_s=60)
        notebook.wait("count(*) = 0 FROM stratal.jobs")
        now = [pid_of(each) for each in children]
        assert [now[n] == pids[n] for n in range(WORKERS)] == [True, False, True, True]
