"""What a projection cannot fold is parked with its stream; nothing else waits for it."""

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import UniqueViolation

from domain.kernel import Recorded
from infrastructure.eventstore.parking import Replay
from infrastructure.eventstore.projection_tables import Packed, ProjectionTables
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from infrastructure.eventstore.stored import SealedEvent
from projections.kernel import Projection, Write
from tests.support.event_log import Pool
from tests.support.following import again, catch_up, note, runner_of, running, state, table, until
from tests.support.projections import FussyBoard, ModuleBoard, NoteBoard

pytestmark = pytest.mark.postgres


class Mended(FussyBoard):
    """The same read model, after its author found the fault."""

    project = NoteBoard.project


class LaterFussyBoard(FussyBoard):
    version: ClassVar[int] = 2


def parked(pool: Pool) -> list[tuple[Any, ...]]:
    with pool.connection() as connection:
        return connection.execute(
            "SELECT projection, position, stream, attempts, reason"
            " FROM stratal.parked ORDER BY projection, position"
        ).fetchall()


def replay(database: str, projection: Projection) -> tuple[int, int]:
    with psycopg.connect(database, autocommit=True) as connection:
        done = Replay(connection, projection).run()
    return done.folded, done.parked


def test_a_poison_event_is_parked_with_the_rest_of_its_stream_and_everything_else_goes_on(
    database: str, pool: Pool, log: EventLog
) -> None:
    bad, good = uuid4(), uuid4()
    note(log, "a", id=bad)
    note(log, "b", id=good)
    poison = again(log, bad, "poison")
    behind = again(log, bad, "c")
    head = again(log, good, "d")
    fussy = FussyBoard()
    with runner_of(database, fussy, NoteBoard()) as runner:
        catch_up(runner)
        later = again(log, bad, "e")
        end = again(log, good, "f")
        catch_up(runner)
    assert state(pool) == {
        "fussy_board_v1": (end, True, None),
        "note_board_v1": (end, True, None),
    }
    expected = sorted([(bad, "a", 1), (good, "f", 3)])
    assert sorted(table(pool, "fussy_board_v1")) == expected
    waits = "It waits for an earlier event of its stream that is parked."
    assert parked(pool) == [
        ("fussy_board", poison, bad, 3, "DivisionByZero: division by zero"),
        ("fussy_board", behind, bad, 0, waits),
        ("fussy_board", later, bad, 0, waits),
    ]
    assert fussy.tries >= 3
    assert head < later


@pytest.mark.parametrize("batch", [1, 2, 3, 500])
def test_the_size_of_batches_does_not_matter_to_what_is_parked(
    database: str, pool: Pool, log: EventLog, batch: int
) -> None:
    streams = [uuid4() for _ in range(4)]
    for number, stream in enumerate(streams):
        note(log, *(["poison"] if number == 1 else ["a"]), id=stream)
    for stream in streams:
        again(log, stream, "b", "c")
    with runner_of(database, FussyBoard(), batch=batch) as runner:
        catch_up(runner)
    assert [(position, stream) for _, position, stream, _, _ in parked(pool)] == [
        (2, streams[1]),
        (7, streams[1]),
        (8, streams[1]),
    ]
    assert sorted(table(pool, "fussy_board_v1")) == sorted(
        (stream, "c", 3) for stream in streams if stream != streams[1]
    )


def test_a_mended_projection_folds_what_was_parked_in_order(
    database: str, pool: Pool, log: EventLog
) -> None:
    bad = uuid4()
    note(log, "poison", id=bad)
    again(log, bad, "b")
    with runner_of(database, FussyBoard(), NoteBoard()) as runner:
        catch_up(runner)
        assert replay(database, FussyBoard()) == (0, 2)
        assert [attempts for *_, attempts, _ in parked(pool)] == [4, 0]
        assert replay(database, Mended()) == (2, 0)
        # The leader noticed nothing yet; it looks again before it writes.
        again(log, bad, "c")
        catch_up(runner)
        catch_up(runner)
    assert parked(pool) == []
    assert table(pool, "fussy_board_v1") == table(pool, "note_board_v1") == [(bad, "c", 3)]


def test_what_waits_is_known_to_the_next_leader(database: str, pool: Pool, log: EventLog) -> None:
    bad = uuid4()
    note(log, "poison", id=bad)
    with runner_of(database, FussyBoard()) as runner:
        catch_up(runner)
    again(log, bad, "b")
    with runner_of(database, Mended()) as runner:
        catch_up(runner)
    assert len(parked(pool)) == 2
    assert table(pool, "fussy_board_v1") == []


def test_an_unreadable_event_is_parked_by_those_who_want_it(
    database: str, pool: Pool, recorder: PostgresRecorder
) -> None:
    bad = SealedEvent(
        uuid4(), 1, "program.retired", b"{}", event_id=uuid4(), tenant="acme", metadata="{}"
    )
    recorder.append([bad])
    with runner_of(database, NoteBoard(), ModuleBoard()) as runner:
        catch_up(runner)
    assert state(pool) == {
        "note_board_v1": (1, True, None),
        "module_board_v1": (1, True, None),
    }
    ((name, position, stream, _, reason),) = parked(pool)
    assert (name, position, stream) == ("note_board", 1, bad.originator_id)
    assert reason.startswith("UnreadableEvent")


def test_a_version_that_does_without_an_event_does_not_replace_the_live_one(
    database: str, pool: Pool, log: EventLog
) -> None:
    head = note(log, "poison")
    with runner_of(database, Mended()) as runner:
        catch_up(runner)
    with runner_of(database, LaterFussyBoard()) as runner:
        catch_up(runner)
    assert state(pool) == {
        "fussy_board_v1": (head, True, None),
        "fussy_board_v2": (head, False, None),
    }


def test_tables_that_were_dropped_are_made_and_filled_again(
    database: str, pool: Pool, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.eventstore.projector.AGAIN_S", 0.0)
    stream = uuid4()
    note(log, "a", id=stream)
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
        with pool.connection() as connection:
            connection.execute("DROP SCHEMA note_board_v1 CASCADE")
        head = again(log, stream, "b")
        runner.step()
        assert state(pool)["note_board_v1"][2] == (
            'It has no tables: relation "notes" does not exist'
        )
        catch_up(runner)
    assert state(pool) == {"note_board_v1": (head, True, None)}
    assert parked(pool) == []
    assert table(pool, "note_board_v1") == [(stream, "b", 2)]


def test_a_projection_that_begins_anew_has_nothing_parked(
    database: str, pool: Pool, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.eventstore.projector.AGAIN_S", 0.0)
    bad = uuid4()
    note(log, "a", id=bad)
    poison = again(log, bad, "poison")
    with runner_of(database, FussyBoard()) as runner:
        catch_up(runner)
        with pool.connection() as connection:
            connection.execute("DROP SCHEMA fussy_board_v1 CASCADE")
        note(log, "b")
        runner.step()
        catch_up(runner)
    assert len(table(pool, "fussy_board_v1")) == 2
    assert [position for _, position, *_ in parked(pool)] == [poison]


def test_an_event_that_cannot_even_be_parked_is_not_passed_over(
    database: str, pool: Pool, log: EventLog
) -> None:
    poison = note(log, "poison")
    with runner_of(database, FussyBoard()) as runner:
        runner.step()
        with pool.connection() as connection:
            connection.execute("UPDATE stratal.projections SET position = 0")
        runner.close()
        with pytest.raises(UniqueViolation):
            catch_up(runner)
    assert state(pool)["fussy_board_v1"][0] == poison - 1


def test_a_parking_that_fails_is_tried_again(
    database: str, pool: Pool, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [RuntimeError("Not now."), RuntimeError("Nor now.")]
    park = ProjectionTables._park

    def fail(tables: ProjectionTables, packed: Packed) -> None:
        if packed.parked and failures:
            raise failures.pop()
        park(tables, packed)

    monkeypatch.setattr(ProjectionTables, "_park", fail)
    poison = note(log, "poison")
    with runner_of(database, FussyBoard()) as runner, running(runner):
        until(lambda: parked(pool))
    assert state(pool)["fussy_board_v1"][0] == poison
    assert not failures


def test_a_reason_that_no_text_of_the_database_can_hold_is_mended(
    database: str, pool: Pool, log: EventLog
) -> None:
    class Garbled(NoteBoard):
        def project(self, recorded: Recorded) -> Iterable[Write]:
            raise RuntimeError("a\0b\ud800c")

    note(log, "a")
    with runner_of(database, Garbled()) as runner:
        catch_up(runner)
    assert [reason for *_, reason in parked(pool)] == ["RuntimeError: a\ufffdb\ufffdc"]
