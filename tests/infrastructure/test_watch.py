"""Alarms ring once, for what goes on; what does not end even then is told of."""

import threading
import time
import weakref

import pytest

from infrastructure.watch import Watch


def test_an_alarm_rings_once_and_only_for_a_block_that_goes_on() -> None:
    watch, rung, stuck = Watch(grace_s=60), list[str](), list[int]()
    watch.on_stuck = lambda: stuck.append(1)
    with watch.set(0.05, lambda: rung.append("left")):
        pass
    with watch.set(None, lambda: rung.append("without a time")):
        pass
    heard = threading.Event()
    with watch.set(30, lambda: rung.append("much later")), watch.set(0.1, heard.set):
        assert heard.wait(10)
    assert rung == stuck == []


def test_what_goes_on_after_its_alarm_is_told_of_once() -> None:
    watch, stuck = Watch(grace_s=0.05), threading.Event()
    watch.on_stuck = stuck.set
    with watch.set(0.01, lambda: None):
        assert stuck.wait(10)
    stuck.clear()
    with watch.set(0.01, lambda: None):
        time.sleep(0.03)
    assert not stuck.wait(0.2)


def test_an_alarm_that_fails_or_takes_long_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch, heard, end = Watch(grace_s=60), threading.Event(), threading.Event()

    def fail() -> None:
        raise ValueError("no database")

    with watch.set(0.01, fail), watch.set(0.02, lambda: end.wait(10)), watch.set(0.03, heard.set):
        assert heard.wait(10)
        end.set()
    assert "An alarm could not do what it was set for." in caplog.text


def test_what_a_block_held_is_let_go_with_it_however_late_its_alarm_is() -> None:
    class Held:
        def ring(self) -> None:
            """It would, in ten minutes."""

    watch, held = Watch(), Held()
    seen = weakref.ref(held)
    with watch.set(600, held.ring):
        del held
        assert seen() is not None
    assert seen() is None
