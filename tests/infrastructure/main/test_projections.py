"""The verbs of ``stratal projections`` on a real database."""

from collections.abc import Iterator

import psycopg
import pytest

from infrastructure.eventstore.parking_reports import ParkingReports
from infrastructure.eventstore.projection_tables import drop_schema, schema_of
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from infrastructure.main.projections import (
    ProjectionIsUnknown,
    ProjectionOffice,
    projection_office,
)
from infrastructure.postgres.pool import open_pool
from infrastructure.settings import Settings
from projections.audit_trail import AuditTrail, audit
from projections.registry import PROJECTIONS
from tests.contracts.repository import CONTEXT
from tests.support.following import catch_up, note, runner_of, until
from tests.support.histories import TENANT
from tests.support.projecting import read_models
from tests.support.projections import FussyBoard, NoteBoard
from tests.support.stories import everything

pytestmark = pytest.mark.postgres


@pytest.fixture
def log(database: str) -> Iterator[EventLog]:
    with open_pool(database, min_size=1, max_size=2, name="log") as pool:
        yield EventLog(PostgresRecorder(pool))


def nothing(_at: int, _end: int) -> None:
    pass


def test_all_read_models_of_a_story_verify_and_are_rebuilt(database: str, log: EventLog) -> None:
    log.append(everything().recorded)
    with runner_of(database, *PROJECTIONS) as runner:
        catch_up(runner)
    with projection_office(Settings(database_url=database), "ada") as office:
        assert [each["state"] for each in office.lags()] == ["live"] * len(PROJECTIONS)
        for name in office.names():
            assert office.verify(name, nothing)["is_well"]
            assert office.rebuild(name, nothing)["verified_against"] == "live tables"
            assert office.verify(name, nothing)["is_well"]


@pytest.mark.feature("VIS-26")
def test_vis_26_read_models_that_were_dropped_are_rebuilt_from_the_log_row_by_row(
    database: str, log: EventLog
) -> None:
    log.append(everything().recorded)
    with runner_of(database, *PROJECTIONS) as runner:
        catch_up(runner)
    with read_models(database) as models:
        before = models.dump(TENANT)
    assert sum(map(len, before.values())) > len(PROJECTIONS)
    with psycopg.connect(database, autocommit=True) as connection:
        for each in PROJECTIONS:
            drop_schema(connection, schema_of(each))
    office = ProjectionOffice(database)
    for name in office.names():
        assert office.rebuild(name, nothing)["verified_against"] == "second fold"
    with read_models(database) as models:
        assert models.dump(TENANT) == before


def test_what_is_parked_is_told_and_replayed(database: str, log: EventLog) -> None:
    class Mended(FussyBoard):
        project = NoteBoard.project

    position = note(log, "poison")
    with (
        open_pool(database, min_size=1, max_size=1, name="reports") as pool,
        runner_of(database, FussyBoard(), tell_parked=ParkingReports(pool, log).parked) as runner,
    ):
        until(lambda: not runner.step() and log.head() > position)
        until(lambda: not runner.step())
    office = ProjectionOffice(database, [Mended()], actor="ada")
    (lag,) = office.lags()
    assert (lag["state"], lag["parked"], lag["behind"]) == ("degraded", 1, 0)
    assert lag["why"].startswith(f"parked: event at position {position} (program.retired):")
    assert office.replay("fussy_board") == {"name": "fussy_board", "folded": 1, "parked": 0}
    assert office.lags()[0]["state"] == "live"
    with runner_of(database, AuditTrail()) as runner, read_models(database, [AuditTrail()]) as kept:
        catch_up(runner)
        replayed, parked = audit(kept.store, tenant=CONTEXT.tenant).rows[:2]
    assert f"Stratal parked event {position} (program.retired) of " in parked.sentence
    assert " in version 1 of fussy_board because of DivisionByZero " in parked.sentence
    assert f"ada replayed event {position} (program.retired) of " in replayed.sentence
    assert parked.causation_id == log.events(0, 1)[0].envelope.event_id


def test_what_was_parked_is_told_once_though_it_is_told_twice(database: str, log: EventLog) -> None:
    note(log, "poison")
    with open_pool(database, min_size=1, max_size=1, name="reports") as pool:
        with runner_of(database, FussyBoard()) as runner:
            catch_up(runner)
        reports = ParkingReports(pool, log)
        reports.parked()
        with pool.connection() as connection:  # a crash before it was noted
            connection.execute("UPDATE stratal.parked SET told = false")
        reports.parked()
    assert [each.event.TOPIC for each in log.events(1, 10)] == ["parking.event_parked"]


def test_what_has_left_the_log_since_it_was_parked_holds_up_no_report(
    database: str, log: EventLog
) -> None:
    note(log, "poison")
    note(log, "poison")
    with open_pool(database, min_size=1, max_size=1, name="reports") as pool:
        with runner_of(database, FussyBoard()) as runner:
            catch_up(runner)
        with pool.connection() as connection:
            connection.execute("UPDATE stratal.parked SET position = 0 WHERE position = 1")
        reports = ParkingReports(pool, log)
        reports.parked()
        reports.replayed("fussy_board", 1, [0], "ada")
        with pool.connection() as connection:
            told = connection.execute("SELECT position, told FROM stratal.parked").fetchall()
    assert sorted(told) == [(0, True), (2, True)]
    assert [each.event.TOPIC for each in log.events(2, 10)] == ["parking.event_parked"]


def test_a_name_that_no_projection_has_is_refused(database: str) -> None:
    with pytest.raises(ProjectionIsUnknown, match="program_catalog"):
        ProjectionOffice(database).rebuild("programs", nothing)
