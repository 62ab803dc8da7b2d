"""Workers that did their share end by themselves, with nothing lost."""

import subprocess
import sys

import pytest
from dramatiq.broker import MessageProxy
from dramatiq.brokers.stub import StubBroker

from infrastructure.system import resident_mb
from infrastructure.workers.recycling import Recycling, Wear
from tests.support.workers import Note, Notebook, spawned


def replaced_after(wear: Wear, jobs: int) -> int:
    """How often a process of *wear* asks to be replaced in so many *jobs*."""
    asked: list[int] = []
    recycling = Recycling(wear)
    recycling.on_worn = lambda: asked.append(1)
    for _ in range(jobs):
        recycling.after_process_message(StubBroker(), MessageProxy(None))  # type: ignore[no-untyped-call]  # Dramatiq's own
    return len(asked)


@pytest.mark.feature("BRG-03")
@pytest.mark.parametrize(
    ("wear", "jobs", "asked"),
    [
        (Wear(), 100, 0),
        (Wear(jobs=3), 2, 0),
        (Wear(jobs=3), 3, 1),
        (Wear(jobs=3), 9, 1),
        (Wear(memory_mb=1_000_000), 100, 0),
        (Wear(memory_mb=1), 1, 1),
        (Wear(jobs=50, memory_mb=1), 9, 1),
    ],
)
def test_brg_03_a_worker_is_replaced_once_it_is_worn_out(wear: Wear, jobs: int, asked: int) -> None:
    assert replaced_after(wear, jobs) == asked
    assert resident_mb() > 1


@pytest.mark.feature("BRG-03")
@pytest.mark.postgres
@pytest.mark.worker
def test_brg_03_a_worn_worker_finishes_what_it_has_and_ends(notebook: Notebook) -> None:
    with spawned(notebook.conninfo, "--jobs=2") as first:
        notebook.queue(Note(n=1, sleep_s=1.0), Note(n=2), Note(n=3))
        assert first.wait(30) == 0
        done = {n for (n,) in notebook.rows("SELECT n FROM notes WHERE step = 'done'")}
        assert {1, 2} <= done, "what it had begun, it finished"
    for n in range(4, 7):
        notebook.queue(Note(n=n))
    with spawned(notebook.conninfo):
        notebook.wait_done(6)
    begun = [n for (n,) in notebook.rows("SELECT n FROM notes WHERE step = 'start'")]
    assert len(begun) == len(set(begun)), "nothing was done twice"


def test_memory_is_told_by_the_system() -> None:
    code = (
        "from infrastructure.system import resident_mb; before = resident_mb();"
        "kept = bytearray(100 << 20); kept[::4096] = b'x' * len(kept[::4096]);"
        "print(resident_mb() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 90 <= int(done.stdout) <= 130
