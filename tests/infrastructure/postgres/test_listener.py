import logging
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.listener import LogListener

pytestmark = pytest.mark.postgres

Inbox = queue.SimpleQueue[str | None]


@pytest.fixture
def inbox() -> Inbox:
    return queue.SimpleQueue()


@pytest.fixture
def listener(database: str, inbox: Inbox) -> Iterator[LogListener]:
    listener = LogListener(database)
    listener.subscribe(inbox.put)
    with listener:
        assert inbox.get(timeout=10) is None
        yield listener


def announce(database: str, *payloads: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for payload in payloads:
            connection.execute("SELECT pg_notify('stratal_log', %s)", [payload])


def test_announcements_arrive_in_order_and_soon(
    listener: LogListener, inbox: Inbox, database: str
) -> None:
    announce(database, "1 a:b", "2 c:d")
    began = time.monotonic()
    assert [inbox.get(timeout=5), inbox.get(timeout=5)] == ["1 a:b", "2 c:d"]
    assert time.monotonic() - began < 1
    assert listener.is_listening


def test_a_subscriber_that_fails_does_not_silence_the_others(
    listener: LogListener, inbox: Inbox, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(payload: str | None) -> None:
        raise RuntimeError("a fault of its own")

    late: Inbox = queue.SimpleQueue()
    listener.subscribe(fail)
    listener.subscribe(late.put)
    with caplog.at_level(logging.ERROR):
        announce(database, "1", "2")
        assert [late.get(timeout=5), late.get(timeout=5)] == ["1", "2"]
    assert "A subscriber of the log failed" in caplog.text


def test_who_unsubscribes_hears_no_more(listener: LogListener, inbox: Inbox, database: str) -> None:
    former: Inbox = queue.SimpleQueue()
    unsubscribe = listener.subscribe(former.put)
    unsubscribe()
    announce(database, "1")
    assert inbox.get(timeout=5) == "1"
    assert former.empty()


def test_a_lost_connection_comes_back_and_tells_to_check_again(
    listener: LogListener, inbox: Inbox, database: str
) -> None:
    cut(database)
    assert inbox.get(timeout=10) is None
    announce(database, "after")
    assert inbox.get(timeout=5) == "after"


def cut(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'stratal listener' AND datname = current_database()"
        )


@pytest.mark.slow
def test_trap_04_the_listener_survives_a_restart_of_the_database(home: Path, inbox: Inbox) -> None:
    server = EmbeddedPostgres(home)
    url = server.start()
    listener = LogListener(url)
    listener.subscribe(inbox.put)
    with listener:
        assert inbox.get(timeout=10) is None
        server.stop()
        until(lambda: not listener.is_listening)
        time.sleep(1)
        server.start()
        back = time.monotonic()
        assert inbox.get(timeout=20) is None
        assert time.monotonic() - back < 10
        announce(url, "after")
        assert inbox.get(timeout=5) == "after"


def test_a_listener_may_start_before_its_database(home: Path) -> None:
    server = EmbeddedPostgres(home)
    with LogListener(server.url) as listener:
        assert not listener.wait_until_listening(0.2)
        server.start()
        assert listener.wait_until_listening(10)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_stopping_takes_no_time(database: str) -> None:
    listener = LogListener(database)
    listener.start()
    assert listener.wait_until_listening(10)
    began = time.monotonic()
    listener.stop()
    assert time.monotonic() - began < 1
    assert not listener.is_listening
