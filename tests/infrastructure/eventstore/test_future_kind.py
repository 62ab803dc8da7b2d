"""A stored program with a kind of module that this release does not know stops nothing else."""

from dataclasses import replace
from uuid import uuid4

import pytest

from domain.kernel import Event
from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.recorder import PostgresRecorder
from projections.program_catalog import ProgramCatalog
from projections.signatures import Signatures
from tests.support import histories as build
from tests.support.event_log import Pool
from tests.support.following import catch_up, runner_of, state
from tests.support.histories import Log

pytestmark = pytest.mark.postgres

KNOWN, LATER = b'"kind":"predict"', b'"kind":"telepathy"'


def append(recorder: PostgresRecorder, event: Event, *, of_the_future: bool = False) -> None:
    [recorded] = Log().append(uuid4(), event, event_id=uuid4())
    sealed = EventMapper().to_stored_event(recorded)
    if of_the_future:
        assert KNOWN in sealed.state
        sealed = replace(sealed, state=sealed.state.replace(KNOWN, LATER))
    recorder.append([sealed])


@pytest.mark.feature("MOD-28")
def test_mod_28_a_kind_of_the_future_is_parked_and_everything_else_goes_on(
    database: str, pool: Pool, recorder: PostgresRecorder
) -> None:
    append(recorder, build.signature_defined("before"))
    append(recorder, build.program_created("future"), of_the_future=True)
    append(recorder, build.program_created("present"))
    append(recorder, build.signature_defined("after"))
    catalog, signatures = ProgramCatalog(), Signatures()
    with runner_of(database, catalog, signatures) as runner:
        catch_up(runner)
    assert {position for position, _, failure in state(pool).values() if failure is None} == {4}
    with pool.connection() as connection:
        ((projection, position, reason),) = connection.execute(
            "SELECT projection, position, reason FROM stratal.parked"
        ).fetchall()
        programs = connection.execute(
            f"SELECT name FROM program_catalog_v{catalog.version}.program".encode()
        ).fetchall()
        defined = connection.execute(
            f"SELECT name FROM signatures_v{signatures.version}.signature ORDER BY name".encode()
        ).fetchall()
    assert (projection, position) == ("program_catalog", 2)
    assert reason.startswith("UnreadableEvent")
    assert "telepathy" not in reason
    assert programs == [("present",)]
    assert defined == [("after",), ("before",)]
