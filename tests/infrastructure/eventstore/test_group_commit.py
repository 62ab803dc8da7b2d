"""Appends of one transaction: each whole or not at all, none at another's expense."""

import json
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from time import monotonic, sleep
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError
from psycopg.errors import UniqueViolation

from application.errors import LogIsBusy
from infrastructure.api.problems import response
from infrastructure.eventstore.recorder import NameIsHeld, PostgresRecorder, ReceiptExists
from infrastructure.eventstore.requests import Beside
from infrastructure.eventstore.stored import SealedEvent
from infrastructure.sql import Statements
from tests.support.event_log import Pool

TAKE_THE_LOG = "SELECT pg_advisory_xact_lock(7301, 1)"
WAITING_FOR_THE_LOG = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
"""
"""In this database alone: another test may hold a log of the same cluster up at the same time."""


def sealed(stream: UUID | None = None, version: int = 1, tenant: str = "acme") -> SealedEvent:
    return SealedEvent(
        stream or uuid4(), version, "probe", b"{}", event_id=uuid4(), tenant=tenant, metadata="{}"
    )


def keep(into: Statements, items: Sequence[Any]) -> None:
    into.execute("INSERT INTO kept SELECT unnest(%s::text[])", [items])


def kept(item: str) -> Beside:
    return Beside(write=keep, item=item)


def receipt(key: str, stream: UUID) -> dict[str, str | int]:
    return {
        "tenant": "acme",
        "command_id": key,
        "fingerprint": "f",
        "command": "Note",
        "aggregate_id": str(stream),
        "version": 1,
    }


def claim(name: str, holder: UUID) -> dict[str, str]:
    return {"tenant": "acme", "kind": "program", "name": name, "holder": str(holder)}


class Together:
    """Appends that all wait while the first one is held up, and so go in one transaction."""

    def __init__(self, recorder: PostgresRecorder) -> None:
        self._recorder = recorder

    def append(self, events: Sequence[SealedEvent], beside: Beside = Beside()) -> Future[Any]:  # noqa: B008 - immutable
        before = self._recorder._queue._waiting
        future: Future[Any] = Future()

        def call() -> None:
            try:
                future.set_result(self._recorder.append(events, beside))
            except BaseException as error:  # noqa: BLE001 - the test asks for it
                future.set_exception(error)

        Thread(target=call, daemon=True).start()
        until = monotonic() + 5
        while self._recorder._queue._waiting == before:
            assert monotonic() < until
            sleep(0.001)
        return future


@pytest.fixture(autouse=True)
def _table(pool: Pool) -> None:
    with pool.connection() as connection:
        connection.execute("CREATE TABLE kept (item text PRIMARY KEY)")


@contextmanager
def together(database: str, recorder: PostgresRecorder) -> Generator[Together, None, None]:
    """What is appended within the block goes in one transaction after it."""
    with psycopg.connect(database) as other:
        other.execute(TAKE_THE_LOG)
        leader = Thread(target=recorder.append, args=([sealed()],), daemon=True)
        leader.start()
        while other.execute(WAITING_FOR_THE_LOG).fetchone() != (1,):
            sleep(0.001)
        yield Together(recorder)
    leader.join(10)


def items(pool: Pool) -> set[str]:
    with pool.connection() as connection:
        return {item for (item,) in connection.execute("SELECT item FROM kept")}


def transactions(pool: Pool) -> int:
    with pool.connection() as connection:
        row = connection.execute("SELECT count(DISTINCT xmin::text) FROM stratal.events").fetchone()
    assert row is not None
    return int(row[0])


def test_appends_that_wait_share_a_transaction_and_keep_their_order(
    database: str, recorder: PostgresRecorder, pool: Pool
) -> None:
    with together(database, recorder) as crowd:
        futures = [
            crowd.append([sealed(stream := uuid4()), sealed(stream, 2)], kept(str(number)))
            for number in range(20)
        ]
    assert [each.result(5) for each in futures] == [[n, n + 1] for n in range(2, 42, 2)]
    assert transactions(pool) == 2
    assert items(pool) == {str(number) for number in range(20)}
    assert len({entry.recorded_at for entry in recorder.select_notifications(2, 100)}) == 1


def test_appends_that_wait_are_announced_together(
    database: str, recorder: PostgresRecorder, pool: Pool
) -> None:
    with pool.connection() as listener:
        listener.execute("LISTEN stratal_log")
        with together(database, recorder) as crowd:
            futures = [crowd.append([sealed()]) for _ in range(3)]
        for each in futures:
            each.result(5)
        heard = [each.payload.split()[0] for each in listener.notifies(timeout=5, stop_after=2)]
        listener.execute("UNLISTEN *")
    assert heard == ["1", "4"]


def test_who_comes_too_late_is_refused_alone_and_leaves_nothing(
    database: str, recorder: PostgresRecorder, pool: Pool
) -> None:
    stream = uuid4()
    first = Beside(receipt=receipt("used", stream), claim=claim("spam", stream))
    recorder.append([sealed(stream)], first)
    with together(database, recorder) as crowd:
        before = crowd.append([sealed()], kept("before"))
        version = crowd.append([sealed(stream)], kept("version"))
        gap = crowd.append([sealed(uuid4(), 7)], kept("gap"))
        again = crowd.append(
            [sealed(other := uuid4())],
            Beside(receipt=receipt("used", other), write=keep, item="receipt"),
        )
        named = crowd.append(
            [sealed(other := uuid4())],
            Beside(claim=claim("spam", other), write=keep, item="name"),
        )
        after = crowd.append([sealed(stream, 2)], kept("after"))
    with pytest.raises(IntegrityError):
        version.result(5)
    with pytest.raises(IntegrityError):
        gap.result(5)
    with pytest.raises(ReceiptExists):
        again.result(5)
    with pytest.raises(NameIsHeld):
        named.result(5)
    assert [before.result(5), after.result(5)] == [[3], [4]]
    assert items(pool) == {"before", "after"}
    assert [entry.id for entry in recorder.select_notifications(0, 100)] == [1, 2, 3, 4]


def test_of_two_that_continue_a_stream_at_once_exactly_one_does(
    database: str, recorder: PostgresRecorder, pool: Pool
) -> None:
    stream = uuid4()
    recorder.append([sealed(stream)])
    with together(database, recorder) as crowd:
        one = crowd.append([sealed(stream, 2)], kept("one"))
        other = crowd.append([sealed(stream, 2)], kept("other"))
        next_one = crowd.append([sealed(stream, 3)], kept("next"))
    assert one.result(5) == [3]
    with pytest.raises(IntegrityError):
        other.result(5)
    assert next_one.result(5) == [4]
    assert items(pool) == {"one", "next"}


def test_of_two_with_one_key_exactly_one_is_carried_out(
    database: str, recorder: PostgresRecorder, pool: Pool
) -> None:
    with together(database, recorder) as crowd:
        one, other = (
            crowd.append(
                [sealed(stream := uuid4())],
                Beside(receipt=receipt("key", stream), write=keep, item=item),
            )
            for item in ("one", "other")
        )
    assert one.result(5) == [2]
    with pytest.raises(ReceiptExists):
        other.result(5)
    assert items(pool) == {"one"}


def test_of_two_who_claim_a_name_exactly_one_gets_it_and_the_holder_may_claim_it_again(
    database: str, recorder: PostgresRecorder
) -> None:
    holder, stranger = uuid4(), uuid4()
    with together(database, recorder) as crowd:
        one = crowd.append([sealed(holder)], Beside(claim=claim("spam", holder)))
        other = crowd.append([sealed(stranger)], Beside(claim=claim("spam", stranger)))
        again = crowd.append([sealed(holder, 2)], Beside(claim=claim("spam", holder)))
    assert one.result(5) == [2]
    with pytest.raises(NameIsHeld):
        other.result(5)
    assert again.result(5) == [3]


def test_the_same_append_twice_at_once_is_stored_once_and_both_are_told_where(
    database: str, recorder: PostgresRecorder
) -> None:
    events = [sealed(stream := uuid4()), sealed(stream, 2)]
    with together(database, recorder) as crowd:
        futures = [crowd.append(events) for _ in range(2)]
    assert [each.result(5) for each in futures] == [[2, 3], [2, 3]]
    assert recorder.max_notification_id() == 3


def test_who_cannot_be_stored_at_all_is_refused_alone(
    database: str, recorder: PostgresRecorder, pool: Pool
) -> None:
    def fail(into: object, items: object) -> None:
        raise ZeroDivisionError

    with together(database, recorder) as crowd:
        before = crowd.append([sealed()], kept("before"))
        double = crowd.append([sealed()], kept("before"))
        broken = crowd.append([sealed()], Beside(write=fail))
        unreadable = crowd.append([sealed(tenant="a\x00b")], kept("unreadable"))
        after = crowd.append([sealed()], kept("after"))
    assert [before.result(5), after.result(5)] == [[2], [3]]
    with pytest.raises(UniqueViolation):
        double.result(5)
    with pytest.raises(ZeroDivisionError):
        broken.result(5)
    with pytest.raises(psycopg.DataError):
        unreadable.result(5)
    assert items(pool) == {"before", "after"}


def test_a_receipt_without_events_goes_along(
    database: str, recorder: PostgresRecorder, pool: Pool
) -> None:
    with together(database, recorder) as crowd:
        without = crowd.append([], Beside(receipt=receipt("key", uuid4())))
        with_events = crowd.append([sealed(), sealed()], Beside(receipt=receipt("two", uuid4())))
    assert without.result(5) == []
    assert with_events.result(5) == [2, 3]
    with pool.connection() as connection:
        rows = connection.execute("SELECT command_id, position FROM stratal.receipts ORDER BY 1")
        assert rows.fetchall() == [("key", 0), ("two", 3)]


def test_beyond_the_bound_an_append_is_refused_at_once_and_stores_nothing(
    database: str, pool: Pool
) -> None:
    small = PostgresRecorder(pool, most_waiting=2, wait_s=100)
    with together(database, small) as crowd:
        waiting = [crowd.append([sealed()]) for _ in range(2)]
        with pytest.raises(LogIsBusy) as refused:
            small.append([sealed()], kept("refused"))
        other = crowd.append([sealed(tenant="other")])
    assert sorted(each.result(5) for each in [*waiting, other]) == [[2], [3], [4]]
    assert items(pool) == set()
    reply = response(refused.value, None)
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "1")
    assert json.loads(reply.body)["code"] == "log.busy"


class Stopped(BaseException):
    """As a worker's time limit stops a thread wherever it is."""


def test_when_the_leader_is_stopped_the_others_learn_what_became_of_theirs(
    database: str, recorder: PostgresRecorder, pool: Pool
) -> None:
    def stop(into: object, items: object) -> None:
        raise Stopped

    with together(database, recorder) as crowd:
        stopped = crowd.append([sealed()], Beside(write=stop))
        others = [crowd.append([sealed()], kept(str(number))) for number in range(3)]
    with pytest.raises(Stopped):
        stopped.result(10)
    for each in others:
        with pytest.raises(Exception, match=r"was stopped.*Nothing was stored"):
            each.result(10)
    assert items(pool) == set()
    assert recorder.append([sealed()]) == [2]
