"""A connection lost at the commit is neither a lost write nor a false conflict (TRAP-02, F-06)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from application.context import within
from application.errors import OutcomeIsUnknown, StoreIsUnavailable
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from infrastructure.postgres.pool import open_pool
from tests.contracts.repository import CONTEXT, Notes
from tests.support import invariants
from tests.support.event_log import Pool
from tests.support.tcp_proxy import Proxy, proxied


@pytest.fixture
def proxy(database: str) -> Iterator[tuple[Proxy, Pool]]:
    with (
        proxied(database) as (proxy, conninfo),
        open_pool(conninfo, min_size=2, max_size=4, name="proxied") as pool,
    ):
        proxy.marker = b"cut here"
        yield proxy, pool


def test_f_06_100_commits_cut_after_commit_are_100_successes_and_no_doubles(
    proxy: tuple[Proxy, Pool], log: EventLog, database: str
) -> None:
    faulty, pool = proxy
    faulty.loses = "reply"
    inline = EventLog(
        PostgresRecorder(pool), inline=[lambda cursor, *_: cursor.execute("SELECT 1")]
    )
    plain = EventLog(PostgresRecorder(pool))
    notes = Notes(uuid4())
    for number in range(100):
        repository = EventSourcedRepository(inline if number % 2 else plain, Notes)
        with within(replace(CONTEXT, command_id=f"cut-{number}")):
            receipt = repository.save(notes.note("cut here"))
        assert receipt.version == number + 1
        assert receipt.position == log.head()
    assert faulty.losses == 100
    assert [each.originator_version for each in log.history(notes.id)] == list(range(1, 101))
    invariants.check_streams(database)
    keys = [f"cut-{number}" for number in range(100)]
    invariants.check_commands(invariants.whole_log(database), acknowledged=keys, refused=[])


def test_each_of_many_in_a_transaction_cut_after_its_commit_is_told_of_its_success(
    proxy: tuple[Proxy, Pool], log: EventLog
) -> None:
    faulty, pool = proxy
    faulty.loses = "reply"
    recorder = PostgresRecorder(pool)
    repository = EventSourcedRepository(EventLog(recorder), Notes)

    def save(_: int) -> tuple[UUID, int]:
        notes = Notes(uuid4())
        with within(CONTEXT):
            return notes.id, repository.save(notes.note("cut here")).position

    with ThreadPoolExecutor(8) as threads:
        told = sorted(threads.map(save, range(80)), key=lambda saved: saved[1])
    assert told == [(each.originator_id, each.position) for each in log.events(0, 100)]
    assert 1 <= faulty.losses < 80


def test_a_request_that_was_lost_on_its_way_is_refused_and_may_be_repeated(
    proxy: tuple[Proxy, Pool], log: EventLog
) -> None:
    faulty, pool = proxy
    faulty.loses = "request"
    repository = EventSourcedRepository(EventLog(PostgresRecorder(pool)), Notes)
    notes = Notes(uuid4())
    with within(CONTEXT):
        with pytest.raises(StoreIsUnavailable) as refused:
            repository.save(notes.note("cut here"))
        assert not isinstance(refused.value, OutcomeIsUnknown)
        assert log.head() == 0
        faulty.loses = None
        assert repository.save(Notes(notes.id).note("cut here")).version == 1


def test_when_nobody_can_be_asked_the_outcome_is_said_to_be_unknown(
    proxy: tuple[Proxy, Pool], log: EventLog
) -> None:
    faulty, pool = proxy
    faulty.loses, faulty.marker = "reply", b"cut here"
    repository = EventSourcedRepository(EventLog(PostgresRecorder(pool, resolve_s=0.5)), Notes)
    with within(CONTEXT):
        faulty.refuses = True
        with pool.connection() as spare:  # so that no connection made earlier can be asked
            spare.execute("SELECT 1")
            with pytest.raises(OutcomeIsUnknown):
                repository.save(Notes(uuid4()).note("cut here"))
    assert log.head() == 1
