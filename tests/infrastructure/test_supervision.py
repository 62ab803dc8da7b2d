"""Children are kept alive, stopped in order, and end with their parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from infrastructure.supervision import Child, ChildSpec, Supervisor

SLEEP = "import time; time.sleep(60)"
DEAF = (
    "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "pathlib.Path({sign!r}).touch(); time.sleep(60)"
)


def child(name: str, code: str, *, grace_s: float = 5) -> Child:
    return Child(ChildSpec(name, [sys.executable, "-c", code], grace_s), os.environ)


def until(condition: object, *, timeout_s: float = 10) -> None:
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.02)


def pid_of(one: Child) -> int:
    assert one.process is not None
    return one.process.pid


def test_a_killed_child_is_started_again() -> None:
    one = child("one", SLEEP)
    supervisor, stop = Supervisor([one]), threading.Event()
    supervisor.start()
    runner = threading.Thread(target=supervisor.run, args=(stop,), kwargs={"every_s": 0.02})
    runner.start()
    try:
        first = pid_of(one)
        os.kill(first, signal.SIGKILL)
        until(lambda: one.process is not None and one.process.pid != first)
    finally:
        stop.set()
        runner.join()
        supervisor.stop()


@pytest.mark.feature("BRG-09")
def test_brg_09_one_of_four_is_killed_and_started_again_while_the_others_go_on() -> None:
    four = [child(f"worker {number}", SLEEP) for number in range(4)]
    supervisor, stop = Supervisor(four), threading.Event()
    supervisor.start()
    runner = threading.Thread(target=supervisor.run, args=(stop,), kwargs={"every_s": 0.02})
    runner.start()
    try:
        first = [pid_of(each) for each in four]
        os.kill(first[2], signal.SIGKILL)
        until(lambda: four[2].process is not None and four[2].process.pid not in first, timeout_s=5)
        assert [pid_of(four[number]) for number in (0, 1, 3)] == [first[0], first[1], first[3]]
        assert all(psutil.Process(pid_of(each)).is_running() for each in four)
    finally:
        stop.set()
        runner.join()
        supervisor.stop()


def test_children_stop_in_reverse_order_of_start() -> None:
    first, second = child("first", SLEEP), child("second", SLEEP)
    order: list[str] = []
    for each in (first, second):
        join = each.join
        each.join = lambda each=each, join=join: (join(), order.append(each.spec.name))[0]  # type: ignore[method-assign]
    supervisor = Supervisor([first], [second])
    supervisor.start()
    supervisor.stop()

    assert order == ["second", "first"]


def test_the_children_of_a_group_are_told_together_and_then_waited_for() -> None:
    first, second = child("first", SLEEP), child("second", SLEEP)
    told: list[str] = []
    for each in (first, second):
        for verb in ("terminate", "join"):
            real = getattr(each, verb)
            note = f"{verb} {each.spec.name}"
            setattr(each, verb, lambda real=real, note=note: (told.append(note), real())[1])
    supervisor = Supervisor([first, second])
    supervisor.start()
    supervisor.stop()

    assert told == ["terminate first", "terminate second", "join first", "join second"]


def test_a_deaf_child_is_killed_after_its_grace(tmp_path: Path) -> None:
    sign = tmp_path / "deaf"
    deaf = child("deaf", DEAF.format(sign=str(sign)), grace_s=0.2)
    deaf.start()
    until(sign.exists)
    deaf.terminate()
    deaf.join()

    assert deaf.process is not None
    assert deaf.process.returncode == -signal.SIGKILL


def test_children_end_when_the_parent_is_killed() -> None:
    parent_code = (
        "import os, sys, time\n"
        "from infrastructure.supervision import Child, ChildSpec\n"
        f"one = Child(ChildSpec('one', [sys.executable, '-c', {SLEEP!r}], 5), os.environ)\n"
        "one.start(); print(one.process.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent_code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    until(
        lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    )


IMPATIENT = (
    "import sys\n"
    "from infrastructure import supervision\n"
    "supervision.ONE_WISH_S = float(sys.argv[1])\n"
    "stop = supervision.stop_on_signals()\n"
    "print('ready', flush=True); stop.wait(); print('stopping', flush=True)\n"
    "sys.stdin.read(); print('stopped', flush=True)\n"
)


@pytest.mark.parametrize(
    ("one_wish_s", "status", "said"),
    [(60.0, 0, "stopped\n"), (0.0, 128 + signal.SIGTERM, "")],
)
def test_a_second_signal_ends_at_once_unless_it_is_the_same_wish(
    one_wish_s: float, status: int, said: str
) -> None:
    command = [sys.executable, "-c", IMPATIENT, str(one_wish_s)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        if not one_wish_s:
            assert process.wait(10) == status
        process.stdin.close()
        assert (process.stdout.read(), process.wait(10)) == (said, status)


def test_a_child_that_ends_well_is_started_again_without_growing_delays() -> None:
    """A worker that did its share is no failure, however often that is."""
    one = child("one", "raise SystemExit(0)")
    pids = set[int]()

    def look() -> bool:
        one.tick()
        if one.process is not None:
            pids.add(one.process.pid)
        return len(pids) >= 6

    one.start()
    until(look, timeout_s=30)
    one.join()
    assert one._failures == 0
