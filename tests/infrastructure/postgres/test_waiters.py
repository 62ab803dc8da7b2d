import asyncio
import threading
import time
from uuid import UUID, uuid4

import psycopg
import pytest

from infrastructure.postgres.listener import LogListener
from infrastructure.postgres.waiters import Announcement, Waiters

ENDED = frozenset({"execution.completed", "execution.failed"})
STREAM, OTHER = UUID(int=1), UUID(int=2)
COMPLETED = f"7 {OTHER}:program.created {STREAM}:execution.completed"


def test_an_announcement_is_read() -> None:
    assert Announcement.parse(COMPLETED) == Announcement(
        position=7,
        topics={OTHER: "program.created", STREAM: "execution.completed"},
        whole=True,
    )
    assert Announcement.parse("7") == Announcement(7, {}, whole=True)


@pytest.mark.parametrize(
    ("payload", "woken"),
    [
        (COMPLETED, True),
        (None, True),
        (f"7 {STREAM}:execution.started", False),
        (f"7 {OTHER}:execution.completed", False),
        ("7 " + " ".join(f"{uuid4()}:execution.lm_called" for _ in range(150)), True),
    ],
    ids=["the topic", "reconnected", "another topic", "another stream", "possibly cut"],
)
def test_who_waits_is_woken_by_what_concerns_it(payload: str | None, woken: bool) -> None:
    waiters = Waiters()
    with waiters.expect(STREAM, ENDED) as expectation:
        waiters.heard(payload)
        assert expectation.wait(0) is woken


def test_what_happens_between_registering_and_waiting_counts_once() -> None:
    waiters = Waiters()
    with waiters.expect(STREAM, ENDED) as expectation:
        waiters.heard(COMPLETED)
        assert expectation.wait(0)
        assert not expectation.wait(0)
        waiters.heard(COMPLETED)
        assert expectation.wait(0)


def test_a_thread_is_woken_while_it_waits() -> None:
    waiters = Waiters()
    threading.Timer(0.05, waiters.heard, [COMPLETED]).start()
    began = time.monotonic()
    assert waiters.wait(STREAM, ENDED, 10)
    assert time.monotonic() - began < 5


def test_waiting_in_vain_ends_in_time_and_leaves_nothing() -> None:
    waiters = Waiters()
    assert not waiters.wait(STREAM, ENDED, 0.01)
    assert not asyncio.run(waiters.await_(STREAM, ENDED, 0.01))
    waiters.heard(COMPLETED)
    assert waiters._expectations == {}


def test_all_who_wait_for_a_stream_are_woken() -> None:
    waiters = Waiters()
    with waiters.expect(STREAM, ENDED) as first:
        with waiters.expect(STREAM, ENDED) as second:
            waiters.heard(COMPLETED)
            assert second.wait(0)
        assert first.wait(0)


def test_a_hundred_tasks_of_one_loop_are_woken_from_another_thread() -> None:
    waiters = Waiters()
    streams = [uuid4() for _ in range(100)]

    async def all_of_them() -> list[bool]:
        waiting = [asyncio.create_task(waiters.await_(each, ENDED, 10)) for each in streams]
        await asyncio.sleep(0.02)
        payload = " ".join(f"{each}:execution.completed" for each in streams)
        threading.Thread(target=waiters.heard, args=[f"9 {payload}"]).start()
        return list(await asyncio.gather(*waiting))

    assert asyncio.run(all_of_them()) == [True] * 100


def test_a_task_that_is_cancelled_leaves_nothing() -> None:
    waiters = Waiters()

    async def cancelled() -> None:
        waiting = asyncio.create_task(waiters.await_(STREAM, ENDED, 10))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(cancelled())
    assert waiters._expectations == {}


@pytest.mark.postgres
def test_a_commit_in_another_session_wakes_who_waits(database: str) -> None:
    waiters, listener = Waiters(), LogListener(database)
    listener.subscribe(waiters.heard)
    with listener, waiters.expect(STREAM, ENDED) as expectation:
        assert expectation.wait(10)  # the connection is there: look again
        with psycopg.connect(database) as connection:
            connection.execute("SELECT pg_notify('stratal_log', %s)", [COMPLETED])
            assert not expectation.wait(0.05)
        assert expectation.wait(5)
