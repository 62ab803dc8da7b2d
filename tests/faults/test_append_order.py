"""A reader that follows the log never misses an event (TRAP-01, F-25)."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Event
from time import sleep
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from application.errors import StoreIsUnavailable
from infrastructure.eventstore import statements
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.stored import SealedEvent
from infrastructure.postgres.pool import open_pool
from tests.support.invariants import check_streams
from tests.support.log_writers import positions, start
from tests.support.postgres import prepared
from tests.support.throwaway_cluster import ThrowawayCluster, throwaway_cluster

WRITERS, SAVES, EVENTS = 8, 300, 20
ALL = WRITERS * SAVES * EVENTS


def sealed(stream: UUID, version: int) -> SealedEvent:
    return SealedEvent(
        stream, version, "probe", b"{}", event_id=uuid4(), tenant="acme", metadata="{}"
    )


def _tail(recorder: PostgresRecorder, done: Event) -> list[int]:
    """The positions a reader sees who follows the log until *done* and nothing more comes."""
    seen: list[int] = [0]
    while True:
        finished = done.is_set()
        try:
            batch = recorder.select_notifications(seen[-1], 500, inclusive_of_start=False)
        except (StoreIsUnavailable, PoolTimeout):
            sleep(0.02)
            continue
        seen += [entry.id for entry in batch]
        if finished and not batch:
            return seen[1:]


def _restart(cluster: ThrowawayCluster, recorder: PostgresRecorder, restarts: int) -> None:
    """Kill the server as often, each time when the log has grown by a share."""
    for number in range(1, restarts + 1):
        while (recorder.max_notification_id() or 0) < number * ALL // (restarts + 1):
            sleep(0.01)
        cluster.stop("immediate")
        cluster.start()


@pytest.mark.slow
@pytest.mark.parametrize("restarts", [0, 2])
def test_a_tailing_reader_misses_none_of_48000_events_of_8_writers_in_two_processes(
    restarts: int,
) -> None:
    done = Event()
    with throwaway_cluster() as cluster:
        conninfo = prepared(cluster.conninfo)
        with (
            open_pool(conninfo, min_size=1, max_size=2, name="reader") as pool,
            open_pool(conninfo, min_size=1, max_size=2, name="watch") as other,
            ThreadPoolExecutor(1) as thread,
        ):
            reader = thread.submit(_tail, PostgresRecorder(pool), done)
            writers = [
                start(conninfo, writers=WRITERS // 2, saves=SAVES, events=EVENTS) for _ in range(2)
            ]
            try:
                _restart(cluster, PostgresRecorder(other), restarts)
                appended = [each for process in writers for each in positions(process)]
            finally:
                done.set()
                for process in writers:
                    process.kill()
            seen = reader.result(60)
        check_streams(conninfo)

    assert len(appended) == ALL
    assert all(earlier < later for earlier, later in pairwise(seen))
    assert sorted(appended) == seen


def test_nothing_is_seen_beyond_an_append_that_has_not_committed(
    database: str, recorder: PostgresRecorder
) -> None:
    with (
        ThreadPoolExecutor(1) as thread,
        psycopg.connect(database) as slow,
    ):
        first, second = sealed(uuid4(), 1), sealed(uuid4(), 1)
        parameters = (
            [0], [first.originator_id], [1], ["probe"], [b"{}"], [first.event_id], ["acme"], ["{}"],
            None, None, "",
        )  # fmt: skip
        slow.execute(statements.APPEND, parameters)
        later = thread.submit(recorder.append, [second])
        with pytest.raises(TimeoutError):
            later.result(timeout=0.3)
        assert recorder.select_notifications(0, 10) == []
        slow.commit()
        assert later.result(timeout=5) == [2]
    assert [entry.id for entry in recorder.select_notifications(0, 10)] == [1, 2]
