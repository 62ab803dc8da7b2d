"""A partition leaves the log only where the policy allows it, and is kept even then."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Thread
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError
from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.eventstore.partitions import (
    PartitionIsInUse,
    PartitionIsUnknown,
    PartitionIsUnread,
    PartitionIsYoung,
    RetentionPolicy,
    StreamIsOpen,
    detach,
    partitions,
)
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.stored import SealedEvent
from tests.support.postgres import owner_of
from tests.support.small_partitions import make_small_partitions

POLICY = RetentionPolicy(timedelta(0), ["probe.ended"])
FIRST, SECOND = "events_from_1", "events_from_5"


@pytest.fixture
def owner(database: str, recorder: PostgresRecorder) -> Iterator[Connection[TupleRow]]:
    make_small_partitions(owner_of(database), width=4, count=6)
    with psycopg.connect(owner_of(database), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO stratal.notary_leaves (first, last_position, entries)"
            " VALUES (0, 3, decode(repeat('00', 120), 'hex')),"
            " (3, 100, decode(repeat('00', 120), 'hex'))"
        )
        connection.execute("INSERT INTO stratal.checkpoints (size, note) VALUES (3, ''), (6, '')")
        yield connection


def step(stream: UUID, version: int, topic: str = "probe.went_on") -> SealedEvent:
    return SealedEvent(
        stream, version, topic, b"{}", event_id=uuid4(), tenant="acme", metadata="{}"
    )


def end(stream: UUID, version: int) -> SealedEvent:
    return step(stream, version, "probe.ended")


def two_closed_streams(recorder: PostgresRecorder) -> list[UUID]:
    """Fill the first partition, and begin the second."""
    one, other = uuid4(), uuid4()
    recorder.append([step(one, 1), step(other, 1), end(one, 2), end(other, 2)])
    recorder.append([step(uuid4(), 1)])
    return [one, other]


def test_a_partition_of_closed_streams_leaves_the_log_and_is_kept(
    owner: Connection[TupleRow], recorder: PostgresRecorder
) -> None:
    closed = two_closed_streams(recorder)
    detached = detach(owner, FIRST, POLICY)
    assert (detached.first_position, detached.last_position) == (1, 4)
    assert detached.detached_at is not None
    assert [each.table_name for each in partitions(owner) if each.detached_at] == [FIRST]
    assert [entry.id for entry in recorder.select_notifications(0, 10)] == [5]
    assert recorder.max_notification_id() == 5
    assert recorder.select_events(closed[0]) == []
    kept = owner.execute("SELECT count(*) FROM stratal_archive.events_from_1").fetchone()
    assert kept == (4,)
    with pytest.raises(IntegrityError):
        recorder.append([step(closed[0], 1)])
    assert recorder.append([step(uuid4(), 1)]) == [6]
    for moment, position in (("1999-01-01", 0), ("2999-01-01", 6)):
        found = owner.execute("SELECT stratal.position_at(%s)", [moment]).fetchone()
        assert found == (position,)


def test_a_partition_leaves_once(owner: Connection[TupleRow], recorder: PostgresRecorder) -> None:
    two_closed_streams(recorder)
    detach(owner, FIRST, POLICY)
    with pytest.raises(PartitionIsUnknown):
        detach(owner, FIRST, POLICY)
    with pytest.raises(PartitionIsUnknown):
        detach(owner, "streams", POLICY)


def test_the_last_partition_with_events_stays(
    owner: Connection[TupleRow], recorder: PostgresRecorder
) -> None:
    for name in (FIRST, SECOND):
        with pytest.raises(PartitionIsYoung):
            detach(owner, name, POLICY)
    one = uuid4()
    recorder.append([step(one, 1), step(one, 2), step(one, 3), end(one, 4)])
    with pytest.raises(PartitionIsYoung):
        detach(owner, FIRST, POLICY)


def test_a_young_partition_stays(owner: Connection[TupleRow], recorder: PostgresRecorder) -> None:
    two_closed_streams(recorder)
    with pytest.raises(PartitionIsYoung, match="30 days"):
        detach(owner, FIRST, RetentionPolicy(timedelta(days=30), POLICY.closing_topics))


def test_a_partition_with_an_open_stream_stays(
    owner: Connection[TupleRow], recorder: PostgresRecorder
) -> None:
    one, other = uuid4(), uuid4()
    recorder.append([end(one, 1), step(other, 1), step(other, 2), step(other, 3)])
    recorder.append([step(uuid4(), 1)])
    with pytest.raises(StreamIsOpen, match=str(other)):
        detach(owner, FIRST, POLICY)


def test_a_partition_with_a_stream_that_goes_beyond_it_stays(
    owner: Connection[TupleRow], recorder: PostgresRecorder
) -> None:
    one, other = uuid4(), uuid4()
    recorder.append([end(one, 1), step(other, 1), step(other, 2), end(other, 3)])
    recorder.append([end(other, 4), step(uuid4(), 1), step(uuid4(), 1), step(uuid4(), 1)])
    recorder.append([step(uuid4(), 1)])
    for name in (FIRST, SECOND):
        with pytest.raises(StreamIsOpen):
            detach(owner, name, POLICY)


def test_a_partition_that_a_live_projection_has_yet_to_read_stays(
    owner: Connection[TupleRow], recorder: PostgresRecorder
) -> None:
    two_closed_streams(recorder)
    owner.execute(
        "INSERT INTO stratal.projections (name, version, position, live)"
        " VALUES ('behind', 1, 3, true), ('abandoned', 1, 0, false), ('past', 1, 4, true)"
    )
    with pytest.raises(PartitionIsUnread) as refused:
        detach(owner, FIRST, POLICY)
    assert refused.value.projections == ["behind"]


def test_a_partition_that_the_notary_has_yet_to_see_stays(
    owner: Connection[TupleRow], recorder: PostgresRecorder
) -> None:
    two_closed_streams(recorder)
    owner.execute("DELETE FROM stratal.notary_leaves WHERE first = 3")
    with pytest.raises(PartitionIsUnread, match="the notary has yet to read it"):
        detach(owner, FIRST, POLICY)


def test_a_partition_that_the_notary_has_yet_to_sign_stays(
    owner: Connection[TupleRow], recorder: PostgresRecorder
) -> None:
    two_closed_streams(recorder)
    for size in (6, 3):
        owner.execute("DELETE FROM stratal.checkpoints WHERE size = %s", [size])
        with pytest.raises(PartitionIsUnread, match="the notary has yet to read it"):
            detach(owner, FIRST, POLICY)
    owner.execute("INSERT INTO stratal.checkpoints (size, note) VALUES (6, '')")
    detach(owner, FIRST, POLICY)


def test_a_partition_that_a_query_reads_stays(
    owner: Connection[TupleRow], recorder: PostgresRecorder, database: str
) -> None:
    two_closed_streams(recorder)
    with psycopg.connect(database) as reader:
        reader.execute("SELECT count(*) FROM stratal.events")
        with pytest.raises(PartitionIsInUse):
            detach(owner, FIRST, POLICY)
    assert recorder.append([step(uuid4(), 1)]) == [6]
    detach(owner, FIRST, POLICY)


def test_a_stream_that_is_continued_while_its_partition_is_looked_through_keeps_it(
    owner: Connection[TupleRow], recorder: PostgresRecorder, database: str
) -> None:
    (closed, _) = two_closed_streams(recorder)
    with psycopg.connect(database) as other:
        other.execute("SELECT pg_advisory_xact_lock(7301, 1)")
        refused: list[Exception] = []

        def leave() -> None:
            try:
                detach(owner, FIRST, POLICY)
            except StreamIsOpen as error:
                refused.append(error)

        leaving = Thread(target=leave)
        leaving.start()
        waiting = """
            SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
            WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
        """
        while other.execute(waiting).fetchone() != (1,):
            pass
        other.execute(
            "SELECT stratal.append_events('{0}', %s, '{3}', '{probe}', '{x}', %s, '{acme}', '{1}',"
            " NULL, NULL, '')",
            [[closed], [uuid4()]],
        )
        other.commit()
        leaving.join(5)
    assert len(refused) == 1
