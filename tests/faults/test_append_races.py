"""Writers of one aggregate, and callers with one idempotency key, at the same time (F-26, F-29)."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random
from uuid import UUID, uuid4

import pytest

from application.context import within
from application.errors import ConcurrentWrite, IdempotencyKeyReused, NameIsTaken
from application.payloads import Payload
from application.ports import Claim, Receipt
from domain.kernel import Recorded
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from infrastructure.payloads.store import insert_payloads
from infrastructure.sql import Statements
from tests.contracts.repository import CONTEXT, Notes
from tests.support.event_log import Pool

CALLERS = 50


def write_job(into: Statements, recorded: Sequence[Recorded], payloads: Sequence[Payload]) -> None:
    into.execute("INSERT INTO jobs SELECT generate_series(1, %s)", [len(recorded)])


@pytest.fixture
def repository(recorder: PostgresRecorder) -> EventSourcedRepository[Notes]:
    with recorder.pool.connection() as connection:
        connection.execute("CREATE TABLE jobs (n int)")
    return EventSourcedRepository(EventLog(recorder, inline=[write_job]), Notes)


def jobs(recorder: PostgresRecorder) -> int:
    with recorder.reading() as cursor:
        row = cursor.execute("SELECT count(*) FROM jobs").fetchone()
    assert row is not None
    return int(row[0])


def test_of_50_writers_who_expect_one_version_exactly_one_succeeds_each_round(
    repository: EventSourcedRepository[Notes], recorder: PostgresRecorder
) -> None:
    ids = [uuid4() for _ in range(4)]

    def write(id: UUID, version: int) -> str:
        notes = Notes.fold(id, [])
        notes.version = version
        with within(CONTEXT):
            try:
                repository.save(notes.note("x"))
            except ConcurrentWrite:
                return "conflict"
            return "success"

    with ThreadPoolExecutor(CALLERS) as threads:
        for version in range(5):
            calls = [threads.submit(write, ids[n % 4], version) for n in range(CALLERS)]
            assert Counter(call.result() for call in calls) == {"success": 4, "conflict": 46}
    assert jobs(recorder) == 20


def test_50_callers_with_one_key_append_once_and_get_the_same_receipt(
    repository: EventSourcedRepository[Notes], recorder: PostgresRecorder
) -> None:
    keyed = replace(CONTEXT, command_id="key", fingerprint="f" * 64)

    def call() -> Receipt:
        with within(keyed):
            return repository.save(Notes(uuid4()).note("once"))

    with ThreadPoolExecutor(CALLERS) as threads:
        receipts = {each.result() for each in [threads.submit(call) for _ in range(CALLERS)]}
    assert len(receipts) == 1
    assert recorder.max_notification_id() == receipts.pop().position
    assert len(recorder.select_notifications(0, 10)) == 1
    assert jobs(recorder) == 1


def test_a_key_with_two_bodies_at_the_same_time_is_good_for_one(
    repository: EventSourcedRepository[Notes],
) -> None:
    def call(body: int) -> str:
        with within(replace(CONTEXT, command_id="key", fingerprint=f"{body}" * 64)):
            try:
                repository.save(Notes(uuid4()).note("once"))
            except IdempotencyKeyReused:
                return "reused"
            return "success"

    with ThreadPoolExecutor(8) as threads:
        answers = Counter(threads.map(call, [1, 2] * 10))
    assert answers == {"success": 10, "reused": 10}


def test_of_50_callers_who_claim_one_name_exactly_one_gets_it(
    repository: EventSourcedRepository[Notes],
) -> None:
    def call() -> str:
        notes = Notes(uuid4()).note("x")
        with within(CONTEXT):
            try:
                repository.save(notes, claim=Claim("program", "spam", notes.id))
            except NameIsTaken:
                return "taken"
            return "success"

    with ThreadPoolExecutor(CALLERS) as threads:
        answers = Counter(each.result() for each in [threads.submit(call) for _ in range(CALLERS)])
    assert answers == {"success": 1, "taken": CALLERS - 1}


def test_transactions_with_the_same_texts_never_wait_for_each_other_in_a_circle(
    recorder: PostgresRecorder, pool: Pool
) -> None:
    """Each recorder groups appends for itself, as two processes do."""

    def store(into: Statements, recorded: Sequence[Recorded], payloads: Sequence[Payload]) -> None:
        insert_payloads(into, recorded[0].envelope.tenant, payloads)

    repositories = [
        EventSourcedRepository(EventLog(each, inline=[store]), Notes)
        for each in (recorder, PostgresRecorder(pool))
    ]

    def save(number: int) -> Receipt:
        texts = [f"{number // 16} {which}" for which in range(6)]
        Random(number).shuffle(texts)
        with within(replace(CONTEXT, tenant=f"t{number % 3}")):
            notes = Notes(uuid4()).note("x")
            payloads = [Payload.of(text) for text in texts[:4]]
            return repositories[number % 2].save(notes, payloads=payloads)

    with ThreadPoolExecutor(16) as threads:
        positions = [receipt.position for receipt in threads.map(save, range(800))]
    assert sorted(positions) == [*range(1, 801)]
