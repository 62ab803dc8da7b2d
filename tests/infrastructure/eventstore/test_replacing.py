"""A comparison of a new version goes wrong, or does not end: the projections go on, and stop."""

from threading import Thread

import psycopg
import pytest

from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.rebuild import Rebuilder
from infrastructure.eventstore.replacing import Replacements
from infrastructure.eventstore.repository import EventLog
from infrastructure.postgres.sessions import session
from tests.support.event_log import Pool
from tests.support.following import catch_up, note, runner_of, state, until
from tests.support.projections import NoteBoard, RebuiltNoteBoard

pytestmark = pytest.mark.postgres


def test_a_verification_that_ends_in_an_unforeseen_way_is_no_verdict(
    database: str,
    pool: Pool,
    log: EventLog,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("infrastructure.eventstore.replacing.AGAIN_S", 0.0)
    head = note(log, "a")
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
    faults = [RuntimeError("a fault of ours")]
    verify = Rebuilder.verify

    def at_second_try(*args: object) -> object:
        if faults:
            raise faults.pop()
        return verify(*args)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(Rebuilder, "verify", at_second_try)
    with runner_of(database, RebuiltNoteBoard()) as runner:
        catch_up(runner)
    assert state(pool)["note_board_v2"] == (head, True, None)
    assert "note_board_v2 could not be verified and will be again: a fault of ours" in caplog.text


def test_a_verification_that_waits_for_others_is_broken_off_at_the_end(
    database: str, pool: Pool, log: EventLog
) -> None:
    note(log, "a")
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
    replacements = Replacements(session(database, "verification"), EventMapper())
    with psycopg.connect(database) as other:
        other.execute("SELECT FROM stratal.projections FOR UPDATE")
        assert replacements.verdict(NoteBoard()) is None
        until(lambda: _waiting(pool) == 1)
        closing = Thread(target=replacements.close)
        closing.start()
        closing.join(20)
        assert not closing.is_alive()
        assert _waiting(pool) == 0


def _waiting(pool: Pool) -> int:
    with pool.connection() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'stratal verification' AND wait_event_type = 'Lock'"
        ).fetchone()
    assert row is not None
    return int(row[0])
