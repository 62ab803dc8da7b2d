"""The log over many small partitions reads and grows as one."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from infrastructure import bootstrap
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.stored import LogEntry, SealedEvent
from infrastructure.postgres.migrations import migrate
from infrastructure.postgres.pool import open_pool
from tests.support.event_log import Pool
from tests.support.postgres import owner_of
from tests.support.small_partitions import make_small_partitions

STREAMS = [UUID(int=n) for n in range(5)]


def sealed(stream: UUID, version: int, tenant: str = "acme") -> SealedEvent:
    topic = f"probe.{stream.int % 2}"
    return SealedEvent(
        stream, version, topic, b"{}", event_id=uuid4(), tenant=tenant, metadata='{"a" : 1}'
    )


@pytest.fixture
def small(database: str, recorder: PostgresRecorder) -> PostgresRecorder:
    make_small_partitions(owner_of(database), width=7, count=12)
    return recorder


def fill(recorder: PostgresRecorder, turns: list[int]) -> list[SealedEvent]:
    """Append one event for each of *turns*, to the stream it names."""
    versions = [0] * len(STREAMS)
    events: list[SealedEvent] = []
    for turn in turns:
        versions[turn] += 1
        events.append(sealed(STREAMS[turn], versions[turn], tenant=f"t{turn % 3}"))
        assert recorder.append([events[-1]]) == [len(events)]
    return events


def plain(entries: list[LogEntry]) -> list[UUID]:
    return [each.event_id for each in entries]


def ids(events: list[SealedEvent]) -> list[UUID]:
    return [each.event_id for each in events]


TURNS = [0, 1, 2, 3, 0, 1, 4, 4, 4, 2, 0] * 5


def test_a_stream_over_many_partitions_is_read_as_one(small: PostgresRecorder) -> None:
    events = fill(small, TURNS)
    for stream in STREAMS:
        mine = [each for each in events if each.originator_id == stream]
        assert plain([*small.select_events(stream)]) == ids(mine)
        assert plain([*small.select_events(stream, desc=True)]) == ids(mine[::-1])
        assert plain([*small.select_events(stream, desc=True, limit=3)]) == ids(mine[::-1][:3])
        assert plain([*small.select_events(stream, gt=2, lte=4)]) == ids(mine[2:4])
        assert plain([*small.select_events(stream, limit=4)]) == ids(mine[:4])
        for position in (0, 1, 7, 8, 20, 55):
            until = [each for each in mine if events.index(each) < position]
            assert plain([*small.select_events(stream, up_to=position)]) == ids(until)


def test_the_log_over_many_partitions_is_read_on_from_any_position(small: PostgresRecorder) -> None:
    events = fill(small, TURNS)
    for after in (0, 6, 7, 8, 30, 54, 55, 99):
        for limit in (1, 7, 20, 100):
            found = small.select_notifications(after, limit, inclusive_of_start=False)
            assert plain([*found]) == ids(events[after : after + limit])
    odd = [each for each in events[10:40] if each.topic == "probe.1" and each.tenant == "t0"]
    found = small.select_notifications(11, 100, stop=40, topics=["probe.1"], tenant="t0")
    assert plain([*found]) == ids(odd)


def test_the_head_is_the_last_committed_position(small: PostgresRecorder, database: str) -> None:
    assert small.max_notification_id() is None
    for head, _ in enumerate(fill(small, TURNS[:9]), start=1):
        assert head <= 9
    assert small.max_notification_id() == 9
    with psycopg.connect(owner_of(database)) as connection:
        connection.execute("SELECT setval('stratal.log_position', 40)")
    assert small.max_notification_id() == 9
    assert small.append([sealed(uuid4(), 1)]) == [41]
    assert small.max_notification_id() == 41


def test_partitions_are_made_ahead_of_need(small: PostgresRecorder, pool: Pool) -> None:
    def last() -> int:
        with pool.connection() as connection:
            row = connection.execute("SELECT max(last_position) FROM stratal.partitions").fetchone()
        assert row is not None
        return int(row[0])

    assert last() == 84
    small.append([sealed(uuid4(), 1) for _ in range(80)])
    assert last() == 84
    small.append([sealed(uuid4(), 1) for _ in range(2)])
    assert last() == 5_000_084
    small.append([sealed(uuid4(), 1) for _ in range(200)])
    assert small.max_notification_id() == 282
    assert len(small.select_notifications(0, 1000)) == 282


def test_an_append_that_finds_the_table_in_use_makes_its_partition_later(
    small: PostgresRecorder, database: str, pool: Pool
) -> None:
    with psycopg.connect(owner_of(database)) as other:
        other.execute("LOCK TABLE stratal.events IN SHARE UPDATE EXCLUSIVE MODE")
        assert len(small.append([sealed(uuid4(), 1) for _ in range(83)])) == 83
    count = "SELECT count(*) FROM stratal.partitions"
    with pool.connection() as connection:
        assert connection.execute(count).fetchone() == (12,)
        small.append([sealed(uuid4(), 1)])
        assert connection.execute(count).fetchone() == (13,)


@pytest.mark.parametrize("turns", [TURNS[:1], TURNS[:8], TURNS])
def test_the_position_at_a_time_is_the_last_one_recorded_by_then(
    small: PostgresRecorder, pool: Pool, turns: list[int]
) -> None:
    fill(small, turns)
    entries = small.select_notifications(0, 100)
    times = [each.recorded_at for each in entries]
    assert times == sorted(times)

    def position_at(moment: datetime) -> int:
        with pool.connection() as connection:
            row = connection.execute("SELECT stratal.position_at(%s)", [moment]).fetchone()
        assert row is not None
        return int(row[0])

    step = timedelta(microseconds=1)
    for entry in entries:
        at = entry.recorded_at
        assert position_at(at) == max(each.id for each in entries if each.recorded_at <= at)
        assert position_at(at - step) == max(
            (each.id for each in entries if each.recorded_at < at), default=0
        )
    assert position_at(datetime(1999, 1, 1, tzinfo=UTC)) == 0
    assert position_at(datetime(2999, 1, 1, tzinfo=UTC)) == len(entries)


def test_an_empty_log_has_position_0_at_any_time(pool: Pool) -> None:
    with pool.connection() as connection:
        assert connection.execute("SELECT stratal.position_at(now())").fetchone() == (0,)


def test_times_go_on_when_the_clock_goes_back(recorder: PostgresRecorder, database: str) -> None:
    ahead = datetime(2999, 1, 1, tzinfo=UTC)
    with psycopg.connect(owner_of(database)) as connection:
        connection.execute(
            "SELECT setval('stratal.log_clock', %s)", [int(ahead.timestamp() * 1_000_000)]
        )
    recorder.append([sealed(uuid4(), 1)])
    (entry,) = recorder.select_notifications(0, 10)
    assert entry.recorded_at == ahead


@pytest.mark.parametrize("metadata", ['{"b":1, "a" : 2.50}', '{"a":1,"a":2}', '{"e":"\\u00e9"}'])
def test_the_text_of_an_envelope_is_kept_as_it_was_appended(
    recorder: PostgresRecorder, metadata: str
) -> None:
    event = SealedEvent(
        uuid4(), 1, "probe", b"{}", event_id=uuid4(), tenant="acme", metadata=metadata
    )
    recorder.append([event])
    (entry,) = recorder.select_notifications(0, 10)
    assert entry.metadata == metadata


OLD = "eventstore_projections"


def test_the_events_of_an_older_home_are_carried_over(empty_database: str) -> None:
    every = bootstrap.migrations()
    names = [name for name, _ in every]
    migrate(empty_database, every[: names.index(OLD) + 1])
    with psycopg.connect(empty_database, autocommit=True) as connection:
        for number, version, gap in ((1, 1, 0), (2, 1, 3), (1, 2, 0), (1, 3, 1)):
            for _ in range(gap):
                connection.execute("SELECT nextval('stratal.events_notification_id_seq')")
            connection.execute(
                "SELECT stratal.append_events(%s, %s, %s, %s, %s, %s, %s, NULL, NULL, '')",
                (
                    [UUID(int=number)],
                    [version],
                    ["probe"],
                    [b"{}"],
                    [uuid4()],
                    ["acme"],
                    ['{"a": 1}'],
                ),
            )
        rows = "SELECT originator_id, originator_version, notification_id, event_id, recorded_at"
        before = connection.execute(f"{rows} FROM stratal.events ORDER BY 3").fetchall()
        migrate(empty_database, every)
        assert connection.execute(f"{rows} FROM stratal.events ORDER BY 3").fetchall() == before
        head = connection.execute("SELECT stratal.head()").fetchone()
        assert head == (before[-1][2],) == (8,)
        assert connection.execute("SELECT stratal.position_at(%s)", [before[1][4]]).fetchone() == (
            before[1][2],
        )
    with open_pool(empty_database, min_size=1, max_size=2, name="test") as pool:
        recorder = PostgresRecorder(pool)
        assert recorder.append([sealed(UUID(int=1), 4)]) == [9]
        assert [each.originator_version for each in recorder.select_events(UUID(int=1))] == [
            1, 2, 3, 4,
        ]  # fmt: skip
