from uuid import uuid4

import pytest
from eventsourcing.persistence import IntegrityError
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)
from psycopg.errors import UniqueViolation
from psycopg_pool import ConnectionPool

from application.errors import OutcomeIsUnknown, StoreIsUnavailable
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.requests import Beside
from infrastructure.eventstore.stored import SealedEvent
from tests.support.event_log import Pool


class _OverPostgres:
    recorder: PostgresRecorder

    @pytest.fixture(autouse=True)
    def _open(self, recorder: PostgresRecorder) -> None:
        self.recorder = recorder

    def create_recorder(self) -> PostgresRecorder:
        return self.recorder


class TestLibrarySuite(_OverPostgres, ApplicationRecorderTestCase[PostgresRecorder]):
    def test_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestLibraryOrder(_OverPostgres, NonInterleavingNotificationIDsBaseCase):
    pass


del ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase


def sealed(version: int = 1) -> SealedEvent:
    return SealedEvent(
        uuid4(), version, "probe", b"{}", event_id=uuid4(), tenant="acme", metadata="{}"
    )


def test_appending_the_same_events_again_gives_the_same_positions(
    recorder: PostgresRecorder,
) -> None:
    events = [sealed(), sealed()]
    assert recorder.append(events) == recorder.append(events) == [1, 2]


def test_half_of_an_append_is_not_taken_for_the_whole(recorder: PostgresRecorder) -> None:
    first, second = sealed(), sealed()
    recorder.append([first])
    with pytest.raises(IntegrityError):
        recorder.append([first, second])
    assert recorder.max_notification_id() == 1


def test_what_is_beside_the_events_is_rolled_back_with_them(
    recorder: PostgresRecorder, pool: Pool
) -> None:
    with pool.connection() as connection:
        connection.execute("CREATE TABLE beside (n int)")
    taken = sealed()
    recorder.append([taken])
    clash = SealedEvent(
        taken.originator_id, 1, "probe", b"{}", event_id=uuid4(), tenant="acme", metadata="{}"
    )
    with pytest.raises(IntegrityError):
        recorder.append(
            [clash], Beside(write=lambda into, _: into.execute("INSERT INTO beside VALUES (1)"))
        )
    with pool.connection() as connection:
        assert connection.execute("SELECT count(*) FROM beside").fetchone() == (0,)


def test_a_writer_beside_that_fails_leaves_nothing_and_a_clean_connection(
    recorder: PostgresRecorder,
) -> None:
    def fail(into: object, items: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        recorder.append([sealed()], Beside(write=fail))
    assert recorder.append([sealed()])
    assert len(recorder.select_notifications(0, 10)) == 1


def test_an_append_tells_listeners_the_last_topic_of_each_stream(
    recorder: PostgresRecorder, pool: Pool
) -> None:
    one, other = sealed(1), sealed(1)
    two = SealedEvent(
        one.originator_id, 2, "later", b"{}", event_id=uuid4(), tenant="acme", metadata="{}"
    )
    with pool.connection() as listener:
        listener.execute("LISTEN stratal_log")
        recorder.append([one, other, two])
        (notify,) = listener.notifies(timeout=5, stop_after=1)
        listener.execute("UNLISTEN *")
    assert notify.payload == f"3 {one.originator_id}:later {other.originator_id}:probe"


def test_a_notification_is_cut_to_what_postgres_takes(
    recorder: PostgresRecorder, pool: Pool
) -> None:
    with pool.connection() as listener:
        listener.execute("LISTEN stratal_log")
        recorder.append([sealed() for _ in range(300)])
        (notify,) = listener.notifies(timeout=5, stop_after=1)
        listener.execute("UNLISTEN *")
    assert 7000 < len(notify.payload) < 7900
    assert all(len(word) == 36 + len(":probe") for word in notify.payload.split()[1:])


def test_a_server_that_only_reads_is_said_to_be_so(database: str) -> None:
    options = {"autocommit": True, "options": "-c default_transaction_read_only=on"}
    with (
        ConnectionPool(database, kwargs=options, min_size=1, max_size=2, open=True) as pool,
        pytest.raises(StoreIsUnavailable, match="read only"),
    ):
        PostgresRecorder(pool).append([sealed()])


def test_no_free_connection_is_said_to_be_so(database: str) -> None:
    options = {"autocommit": True}
    with (
        ConnectionPool(database, kwargs=options, min_size=1, max_size=1, timeout=0.1) as pool,
        pool.connection(timeout=10),
        pytest.raises(StoreIsUnavailable, match="no connection was free"),
    ):
        PostgresRecorder(pool).append([sealed()])


def test_what_was_never_sent_is_refused_at_once(
    recorder: PostgresRecorder, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "resolve_s", 0.0)  # nobody is asked what became of it
    pool.close()
    for events in ([sealed()], []):
        with pytest.raises(StoreIsUnavailable) as refused:
            recorder.append(events)
        assert not isinstance(refused.value, OutcomeIsUnknown)


def test_a_mistake_in_what_is_beside_is_not_taken_for_a_conflict(
    recorder: PostgresRecorder, pool: Pool
) -> None:
    with pool.connection() as connection:
        connection.execute("CREATE TABLE beside (n int PRIMARY KEY)")
    twice = Beside(write=lambda into, _: into.execute("INSERT INTO beside VALUES (1), (1)"))
    with pytest.raises(UniqueViolation):
        recorder.append([sealed()], twice)
