"""A reader that follows the log never misses an event (TRAP-01, F-25)."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Event
from uuid import UUID, uuid4

import psycopg
import pytest

from infrastructure.eventstore import statements
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.requests import Beside
from infrastructure.eventstore.stored import SealedEvent

WRITERS, SAVES, EVENTS = 8, 300, 20


def sealed(stream: UUID, version: int) -> SealedEvent:
    return SealedEvent(
        stream, version, "probe", b"{}", event_id=uuid4(), tenant="acme", metadata="{}"
    )


@pytest.mark.slow
def test_a_tailing_reader_misses_none_of_48000_events_of_8_writers(
    recorder: PostgresRecorder,
) -> None:
    done = Event()
    inline = Beside(write=lambda cursor, _: cursor.execute("SELECT 1"))

    def write(writer: int) -> list[int]:
        beside = inline if writer % 2 else Beside()
        positions: list[int] = []
        for _ in range(SAVES):
            stream = uuid4()
            events = [sealed(stream, version) for version in range(1, EVENTS + 1)]
            positions += recorder.append(events, beside)
        return positions

    def tail() -> list[int]:
        seen: list[int] = [0]
        while True:
            finished = done.is_set()
            batch = recorder.select_notifications(seen[-1], 500, inclusive_of_start=False)
            seen += [entry.id for entry in batch]
            if finished and not batch:
                return seen[1:]

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        reader = threads.submit(tail)
        appended = [each for part in threads.map(write, range(WRITERS)) for each in part]
        done.set()
        seen = reader.result()

    assert len(appended) == WRITERS * SAVES * EVENTS
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
            1, None, None, "",
        )  # fmt: skip
        slow.execute(statements.APPEND, parameters)
        later = thread.submit(recorder.append, [second])
        with pytest.raises(TimeoutError):
            later.result(timeout=0.3)
        assert recorder.select_notifications(0, 10) == []
        slow.commit()
        assert later.result(timeout=5) == [2]
    assert [entry.id for entry in recorder.select_notifications(0, 10)] == [1, 2]
