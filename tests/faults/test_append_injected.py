"""An error of the database at any statement of the log has its typed outcome (F-12)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Cursor
from psycopg.rows import TupleRow

from application.context import Context, within
from application.errors import ConcurrentWrite, OutcomeIsUnknown, StoreIsUnavailable
from application.payloads import Payload
from application.ports import Claim
from domain.kernel import Recorded
from infrastructure.api.problems import status_of
from infrastructure.eventstore.receipts import PostgresNames
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from tests.contracts.repository import CONTEXT, Notes
from tests.support import invariants
from tests.support.event_log import Pool
from tests.support.faulty_pool import Fault, faulty_pool

REFUSALS = ["40001", "40P01", "53100", "53300", "55P03", "25006"]
LOSSES = ["57P01", "08006"]
SITES = {
    "begin": "BEGIN",
    "write": "INSERT INTO beside",
    "append": "append_events",
    "end": "COMMIT",
}


def beside(
    cursor: Cursor[TupleRow], recorded: Sequence[Recorded], payloads: Sequence[Payload]
) -> None:
    commands = [each.envelope.command_id for each in recorded]
    cursor.execute("INSERT INTO beside SELECT unnest(%s::text[])", [commands])


class Caller:
    """Saves notes with a key each, and remembers what it was told."""

    def __init__(self, recorder: PostgresRecorder, conninfo: str) -> None:
        self.log = EventLog(recorder, inline=[beside])
        self.repository = EventSourcedRepository(self.log, Notes)
        self.names = PostgresNames(recorder)
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self._conninfo = conninfo

    def save(self, id: UUID | None = None, *, key: str | None = None) -> None:
        context = _keyed(key or uuid4().hex)
        notes = Notes(id or uuid4()).note("x")
        with within(context):
            try:
                self.repository.save(notes, claim=Claim("note", context.command_id, notes.id))
            except OutcomeIsUnknown:
                raise
            except StoreIsUnavailable:
                self.refused.append(context.command_id)
                raise
        self.acknowledged.append(context.command_id)

    def check(self) -> None:
        """I-01 and I-02, for what is beside the events too."""
        invariants.check_streams(self._conninfo)
        recorded = invariants.whole_log(self._conninfo)
        invariants.check_commands(recorded, acknowledged=self.acknowledged, refused=self.refused)
        with psycopg.connect(self._conninfo) as connection:
            rows = connection.execute("SELECT command FROM beside ORDER BY 1").fetchall()
            claimed = connection.execute("SELECT name FROM stratal.claims ORDER BY 1").fetchall()
            keys = connection.execute("SELECT command_id FROM stratal.receipts").fetchall()
        assert rows == claimed == sorted(keys)
        assert [command for (command,) in rows] == sorted(
            each.envelope.command_id for each in recorded
        )


def _keyed(key: str) -> Context:
    return replace(CONTEXT, command_id=key, fingerprint="f" * 64)


@pytest.fixture
def faulty(database: str) -> Iterator[tuple[Fault, Pool]]:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE beside (command text)")
    with faulty_pool(database) as made:
        yield made


@pytest.fixture
def fault(faulty: tuple[Fault, Pool]) -> Fault:
    return faulty[0]


@pytest.fixture
def caller(faulty: tuple[Fault, Pool], database: str) -> Caller:
    return Caller(PostgresRecorder(faulty[1], resolve_s=2.0), database)


@pytest.mark.parametrize("code", REFUSALS + LOSSES)
@pytest.mark.parametrize("site", SITES)
def test_an_error_on_the_way_to_the_log_refuses_and_leaves_nothing(
    caller: Caller, fault: Fault, site: str, code: str
) -> None:
    caller.save()
    fault.plan(SITES[site], code)
    with pytest.raises(StoreIsUnavailable) as refused:
        caller.save(key="refused")
    assert not fault.plans
    assert type(refused.value) is StoreIsUnavailable
    assert status_of(type(refused.value)) == HTTPStatus.SERVICE_UNAVAILABLE
    caller.save()
    caller.check()
    caller.refused.clear()
    caller.save(key="refused")
    caller.check()


@pytest.mark.parametrize("code", LOSSES)
def test_a_connection_lost_in_place_of_the_answer_is_a_success(
    caller: Caller, fault: Fault, code: str
) -> None:
    fault.plan("append_events", code, when="answered")
    caller.save()
    assert not fault.plans
    caller.check()


@pytest.mark.parametrize("code", REFUSALS + LOSSES)
@pytest.mark.parametrize("site", ["pg_terminate_backend", "stream_events"])
def test_an_error_while_the_outcome_is_looked_for_is_looked_past(
    caller: Caller, fault: Fault, site: str, code: str
) -> None:
    fault.plan("append_events", "08006", when="answered")
    fault.plan(site, code, times=2)
    caller.save()
    assert not fault.plans
    caller.check()


@pytest.mark.parametrize("site", ["pg_terminate_backend", "stream_events"])
def test_an_outcome_that_cannot_be_looked_for_is_said_to_be_unknown(
    faulty: tuple[Fault, Pool], database: str, site: str
) -> None:
    fault, pool = faulty
    caller = Caller(PostgresRecorder(pool, resolve_s=0.2), database)
    fault.plan("append_events", "08006", when="answered")
    fault.plan(site, "53300", times=1000)
    with pytest.raises(OutcomeIsUnknown):
        caller.save(key="unknown")
    fault.plans.clear()
    caller.check()
    caller.save(key="known")
    caller.check()


def test_a_lost_answer_about_a_receipt_without_events_is_unknown_until_it_is_repeated(
    caller: Caller, fault: Fault
) -> None:
    unchanged = Notes.fold(uuid4(), [])
    fault.plan("append_events", "08006", when="answered")
    with within(_keyed("again")):
        with pytest.raises(OutcomeIsUnknown):
            caller.repository.save(unchanged)
        assert caller.repository.save(unchanged).position == 0


READS: dict[str, tuple[str, Callable[[Caller], object]]] = {
    "history": ("stream_events", lambda it: it.log.history(uuid4())),
    "events": ("events_after", lambda it: it.log.events(0, 10)),
    "head": ("stratal.head", lambda it: it.log.head()),
    "receipt": ("stratal.receipts", lambda it: it.log.receipts.find(_keyed("key"))),
    "holder": ("stratal.claims", lambda it: it.names.holder("note", "key")),
}


@pytest.mark.parametrize("code", REFUSALS + LOSSES)
@pytest.mark.parametrize("read", READS)
def test_an_error_at_a_read_refuses_it_and_the_next_one_succeeds(
    caller: Caller, fault: Fault, read: str, code: str
) -> None:
    part, ask = READS[read]
    fault.plan(part, code)
    with within(CONTEXT):
        with pytest.raises(StoreIsUnavailable) as refused:
            ask(caller)
        assert status_of(type(refused.value)) == HTTPStatus.SERVICE_UNAVAILABLE
        assert not fault.plans
        ask(caller)


@pytest.mark.parametrize("code", REFUSALS + LOSSES)
def test_an_error_while_a_conflict_is_looked_into_refuses(
    caller: Caller, fault: Fault, code: str
) -> None:
    taken = uuid4()
    caller.save(taken)
    fault.plan("stream_events", code)
    with pytest.raises(StoreIsUnavailable):
        caller.save(taken)
    with pytest.raises(ConcurrentWrite):
        caller.save(taken)
    caller.check()
