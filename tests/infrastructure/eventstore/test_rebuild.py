"""A read model is built anew beside the live one, proven to be what the log makes, and switched."""

from collections.abc import Iterable
from itertools import count
from typing import ClassVar, LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import TupleRow

from domain.kernel import Recorded
from infrastructure.eventstore.fold_from_zero import (
    EventCannotBeFolded,
    FoldFromZero,
    FoldIsUnderWay,
    without_limits,
)
from infrastructure.eventstore.parking import Replay
from infrastructure.eventstore.projection_tables import schema_of
from infrastructure.eventstore.rebuild import (
    ProjectionHasNoTables,
    ProjectionIsNewer,
    Rebuilder,
    RebuildIsUnverified,
    TablesKeepChanging,
)
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from infrastructure.eventstore.stored import SealedEvent
from infrastructure.postgres.sessions import session
from projections.audit_trail import AuditTrail
from projections.kernel import Write
from tests.support.event_log import Pool
from tests.support.following import again, catch_up, note, runner_of, running, state, table, until
from tests.support.projections import FussyBoard, NoteBoard, RebuiltNoteBoard

pytestmark = pytest.mark.postgres


class MoodyBoard(NoteBoard):
    """Depends on something that is in no event."""

    name: ClassVar[str] = "moody_board"
    moods: ClassVar[Iterable[int]] = count()

    def project(self, recorded: Recorded) -> Iterable[Write]:
        for write in super().project(recorded):
            yield Write(write.sql, {**write.params, "reason": str(next(iter(self.moods)))})


class Mended(FussyBoard):
    """The same read model, after its author found the fault."""

    project = NoteBoard.project


@pytest.fixture
def rebuilder(database: str) -> Rebuilder:
    return Rebuilder(session(database, "rebuild"))


def schemas(pool: Pool) -> set[str]:
    with pool.connection() as connection:
        rows = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%%board%%'"
        ).fetchall()
    return {name for (name,) in rows}


def change(pool: Pool, sql: str) -> None:
    with pool.connection() as connection:
        connection.execute(sql.encode())


def test_tables_that_are_what_the_log_makes_of_them_are_well(
    database: str, pool: Pool, log: EventLog, rebuilder: Rebuilder
) -> None:
    head = note(log, "a", "b")
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
    steps: list[tuple[int, int]] = []
    found = rebuilder.verify(NoteBoard(), lambda at, end: steps.append((at, end)))
    assert found.is_well
    assert (found.position, steps[-1]) == (head, (head, head))
    assert schemas(pool) == {"note_board_v1"}


def test_the_first_rows_that_differ_are_named(
    database: str, pool: Pool, log: EventLog, rebuilder: Rebuilder
) -> None:
    stream, other = uuid4(), uuid4()
    note(log, "a", id=stream)
    note(log, "b", id=other)
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
    change(pool, f"UPDATE note_board_v1.notes SET times = 7 WHERE id = '{stream}'")
    change(pool, f"DELETE FROM note_board_v1.notes WHERE id = '{other}'")
    found = rebuilder.verify(NoteBoard())
    assert not found.is_well
    (table,) = found.differences
    assert (table.table, table.rows, table.rows_of_fold) == ("notes", 1, 2)
    assert table.only_here == [f"({stream},a,7)"]
    assert set(table.only_in_fold) == {f"({stream},a,1)", f"({other},b,1)"}


def test_a_projection_that_does_without_an_event_is_not_well(
    database: str, log: EventLog, rebuilder: Rebuilder
) -> None:
    bad = uuid4()
    note(log, "poison", id=bad)
    again(log, bad, "b")
    note(log, "c")
    with runner_of(database, FussyBoard()) as runner:
        catch_up(runner)
    found = rebuilder.verify(FussyBoard())
    assert (found.is_well, found.parked, list(found.differences)) == (False, 2, [])


def test_a_version_behind_the_live_one_is_verified_at_its_own_position(
    database: str, pool: Pool, log: EventLog, rebuilder: Rebuilder
) -> None:
    head = note(log, "a", "b")
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
    with runner_of(database, RebuiltNoteBoard(), batch=1) as runner:
        runner.step()
        found = rebuilder.verify(RebuiltNoteBoard())
    assert state(pool)["note_board_v1"] == (head, True, None)
    assert (found.position, found.is_well) == (head - 1, True)


def test_what_is_replayed_while_it_is_verified_is_no_difference(
    database: str,
    pool: Pool,
    log: EventLog,
    rebuilder: Rebuilder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infrastructure.eventstore.rebuild.CLOSE_ENOUGH", 0)
    note(log, "poison")
    with runner_of(database, FussyBoard()) as runner:
        catch_up(runner)
    replayed: list[int] = []

    def replay(_at: int, _end: int) -> None:
        if not replayed:
            with psycopg.connect(database, autocommit=True) as connection:
                replayed.append(Replay(connection, Mended()).run().folded)

    assert rebuilder.verify(Mended(), replay).is_well
    assert replayed == [1]


def test_a_verification_that_is_disturbed_each_time_says_so(
    database: str,
    pool: Pool,
    log: EventLog,
    rebuilder: Rebuilder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infrastructure.eventstore.rebuild.CLOSE_ENOUGH", 0)
    note(log, "poison")
    with runner_of(database, FussyBoard()) as runner:
        catch_up(runner)
    other = "UPDATE stratal.parked SET stream = gen_random_uuid()"
    with pytest.raises(TablesKeepChanging):
        rebuilder.verify(Mended(), lambda _at, _end: change(pool, other))


def test_what_is_parked_while_it_is_verified_is_left_out(
    database: str,
    pool: Pool,
    log: EventLog,
    rebuilder: Rebuilder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infrastructure.eventstore.rebuild.CLOSE_ENOUGH", 0)
    note(log, "a")
    with runner_of(database, FussyBoard()) as runner:
        catch_up(runner)
        poisons: list[int] = []

        def poison(_at: int, _end: int) -> None:
            if not poisons:
                poisons.append(note(log, "poison"))
                catch_up(runner)

        found = rebuilder.verify(FussyBoard(), poison)
    assert (found.position, found.parked, list(found.differences)) == (poisons[0], 1, [])


def test_a_rebuild_that_equals_the_live_tables_takes_their_place(
    database: str, pool: Pool, log: EventLog, rebuilder: Rebuilder
) -> None:
    stream = uuid4()
    note(log, "a", id=stream)
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
        oid = _oid(pool)
        built = rebuilder.rebuild(NoteBoard())
        assert (built.verified_against, list(built.differed)) == ("live tables", [])
        assert _oid(pool) != oid
        # The leader goes on in the new tables.
        head = again(log, stream, "b")
        catch_up(runner)
        catch_up(runner)
    assert table(pool, "note_board_v1") == [(stream, "b", 2)]
    assert state(pool) == {"note_board_v1": (head, True, None)}
    assert schemas(pool) == {"note_board_v1"}


def test_a_rebuild_mends_damaged_tables_once_a_second_fold_agrees(
    database: str, pool: Pool, log: EventLog, rebuilder: Rebuilder
) -> None:
    stream = uuid4()
    note(log, "a", id=stream)
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
    change(pool, "UPDATE note_board_v1.notes SET times = 7")
    built = rebuilder.rebuild(NoteBoard())
    assert (built.verified_against, list(built.differed)) == ("second fold", ["notes"])
    assert table(pool, "note_board_v1") == [(stream, "a", 1)]
    assert rebuilder.verify(NoteBoard()).is_well


def test_a_rebuild_takes_in_what_was_parked(
    database: str, pool: Pool, log: EventLog, rebuilder: Rebuilder
) -> None:
    stream = uuid4()
    note(log, "poison", id=stream)
    with runner_of(database, FussyBoard()) as runner:
        catch_up(runner)
    built = rebuilder.rebuild(Mended())
    assert built.verified_against == "second fold"
    assert table(pool, "fussy_board_v1") == [(stream, "poison", 1)]
    assert rebuilder.verify(Mended()).is_well


def test_a_new_version_is_built_without_a_projector_of_its_release(
    database: str, pool: Pool, log: EventLog, rebuilder: Rebuilder
) -> None:
    stream = uuid4()
    head = note(log, "a", id=stream)
    with runner_of(database, NoteBoard()) as older:
        catch_up(older)
        built = rebuilder.rebuild(RebuiltNoteBoard())
        assert (built.version, built.verified_against) == (2, "second fold")
        assert state(pool) == {
            "note_board_v1": (head, False, None),
            "note_board_v2": (head, True, None),
        }
        head = again(log, stream, "b")
        catch_up(older)
    with runner_of(database, RebuiltNoteBoard()) as newer:
        catch_up(newer)
    assert table(pool, "note_board_v2") == [(stream, "b", 2)]
    with pytest.raises(ProjectionIsNewer):
        rebuilder.rebuild(NoteBoard())


def test_an_event_that_cannot_be_folded_is_named_and_nothing_is_switched(
    database: str, pool: Pool, log: EventLog, rebuilder: Rebuilder
) -> None:
    note(log, "a")
    poison = note(log, "poison")
    note(log, "b")
    with runner_of(database, Mended()) as runner:
        catch_up(runner)
    before = table(pool, "fussy_board_v1")
    with pytest.raises(EventCannotBeFolded, match="division by zero") as refused:
        rebuilder.rebuild(FussyBoard())
    assert refused.value.position == poison
    assert table(pool, "fussy_board_v1") == before
    assert schemas(pool) == {"fussy_board_v1"}


@pytest.mark.parametrize("span", [1, 2, 100])
def test_an_event_that_cannot_be_read_is_named_wherever_it_stands(
    database: str,
    pool: Pool,
    log: EventLog,
    rebuilder: Rebuilder,
    recorder: PostgresRecorder,
    monkeypatch: pytest.MonkeyPatch,
    span: int,
) -> None:
    monkeypatch.setattr("infrastructure.eventstore.fold_from_zero.SPAN", span)
    note(log, "a")
    note(log, "b")
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
        bad = SealedEvent(
            uuid4(), 1, "program.retired", b"{}", event_id=uuid4(), tenant="acme", metadata="{}"
        )
        (position,) = recorder.append([bad])
        note(log, "c")
        catch_up(runner)
    with pytest.raises(EventCannotBeFolded, match="UnreadableEvent") as refused:
        rebuilder.rebuild(NoteBoard())
    assert refused.value.position == position
    assert len(table(pool, "note_board_v1")) == 3


def test_a_fold_that_does_not_depend_on_events_alone_is_not_switched_to(
    database: str, pool: Pool, log: EventLog, rebuilder: Rebuilder
) -> None:
    note(log, "a")
    with runner_of(database, MoodyBoard()) as runner:
        catch_up(runner)
    before = table(pool, "moody_board_v1")
    with pytest.raises(RebuildIsUnverified, match="notes"):
        rebuilder.rebuild(MoodyBoard())
    assert table(pool, "moody_board_v1") == before


def test_there_is_nothing_to_verify_or_replace_before_a_projector_has_run(
    rebuilder: Rebuilder,
) -> None:
    with pytest.raises(ProjectionHasNoTables):
        rebuilder.verify(NoteBoard())
    with pytest.raises(ProjectionHasNoTables):
        rebuilder.rebuild(NoteBoard())


def test_two_rebuilds_of_one_projection_do_not_meet(
    database: str, log: EventLog, rebuilder: Rebuilder
) -> None:
    note(log, "a")
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
    with (
        FoldFromZero(database, NoteBoard(), "note_board_v1_build"),
        pytest.raises(FoldIsUnderWay),
    ):
        rebuilder.rebuild(NoteBoard())


def test_a_rebuild_that_was_killed_leaves_the_live_tables_and_does_not_hinder_the_next(
    database: str, pool: Pool, log: EventLog, rebuilder: Rebuilder
) -> None:
    stream = uuid4()
    note(log, "a", id=stream)
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
    killed = FoldFromZero(database, NoteBoard(), "note_board_v1_build")
    killed.__enter__()
    killed.advance(log.head())
    killed._sessions.close()
    assert "note_board_v1_build" in schemas(pool)
    assert table(pool, "note_board_v1") == [(stream, "a", 1)]
    rebuilder.rebuild(NoteBoard())
    assert schemas(pool) == {"note_board_v1"}
    assert table(pool, "note_board_v1") == [(stream, "a", 1)]


class BrokenBoard(NoteBoard):
    """Has tables that cannot be made."""

    name: ClassVar[str] = "broken_board"
    schema: ClassVar[LiteralString] = "CREATE TABLE nonsense"


def test_a_fold_that_cannot_begin_leaves_no_session_behind(database: str) -> None:
    opened: list[psycopg.Connection[TupleRow]] = []

    def connect(conninfo: str) -> psycopg.Connection[TupleRow]:
        opened.append(without_limits(conninfo))
        return opened[-1]

    fold = FoldFromZero(database, BrokenBoard(), "broken_board_v1_build", connect=connect)
    with pytest.raises(psycopg.errors.SyntaxError), fold:
        raise AssertionError
    assert opened
    assert all(each.closed for each in opened)


def test_a_rebuild_makes_every_index_that_a_projector_makes(
    database: str, pool: Pool, log: EventLog, rebuilder: Rebuilder
) -> None:
    note(log, "a")

    def indexes() -> set[str]:
        sql = "SELECT indexdef FROM pg_indexes WHERE schemaname = %s"
        with pool.connection() as connection:
            found = connection.execute(sql, [schema_of(AuditTrail())]).fetchall()
        return {definition for (definition,) in found}

    with runner_of(database, AuditTrail()) as runner:
        catch_up(runner)
    before = indexes()
    assert rebuilder.rebuild(AuditTrail()).verified_against == "live tables"
    assert len(before) == AuditTrail.indexes.count("CREATE INDEX") + 2  # with the primary keys
    assert indexes() == before


def test_events_that_come_during_a_rebuild_are_in_it(
    database: str, pool: Pool, log: EventLog, rebuilder: Rebuilder
) -> None:
    for _ in range(20):
        note(log, "a", "b")
    with runner_of(database, NoteBoard()) as runner, running(runner) as wake:

        def more(_at: int, _end: int) -> None:
            note(log, "c")
            wake.set()

        until(lambda: "note_board_v1" in state(pool))
        for _ in range(3):
            rebuilder.rebuild(NoteBoard(), more)
            found = rebuilder.verify(NoteBoard(), more)
            assert found.is_well
    with psycopg.connect(database, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM stratal.parked").fetchone() == (0,)


def _oid(pool: Pool) -> int:
    with pool.connection() as connection:
        row = connection.execute("SELECT 'note_board_v1.notes'::regclass::oid::bigint").fetchone()
    assert row is not None
    return int(row[0])
