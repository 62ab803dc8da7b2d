"""Writes sent by the batch arrive as if each had been sent by itself."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import DivisionByZero, InvalidTextRepresentation, UndefinedColumn

from infrastructure.eventstore.projection_tables import create_schema, enter
from infrastructure.eventstore.write_batches import WriteBatches, prepare_session, together
from projections.kernel import Write

pytestmark = pytest.mark.postgres

TABLES: LiteralString = """
    CREATE TABLE thing (
        id uuid PRIMARY KEY, at timestamptz, cost numeric, score double precision, said json,
        names text[], others uuid[], mark text, number integer
    );
    CREATE TABLE tally (mark integer PRIMARY KEY, times integer NOT NULL);
"""
INSERT: Final[LiteralString] = """
    INSERT INTO thing VALUES (%(id)s, %(at)s, %(cost)s, %(score)s, %(said)s, %(names)s::text[],
                              %(others)s::uuid[], %(mark)s, 7 %% 4)"""
TALLY: Final[LiteralString] = """
    INSERT INTO tally VALUES (%(mark)s, 1)
    ON CONFLICT (mark) DO UPDATE SET times = tally.times + 1"""
DOUBLE: Final[LiteralString] = "UPDATE tally SET times = times * 2 WHERE mark = %(mark)s"


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        prepare_session(connection)
        with connection.transaction():
            create_schema(connection, "things", TABLES)
        yield connection


def write(connection: Connection[Any], batches: WriteBatches, *writes: Write) -> None:
    batch = batches.pack(writes)
    batches.learn(batch)
    with together(connection):
        batches.send(batch)


def rows(connection: Connection[Any], query: str) -> list[tuple[Any, ...]]:
    with connection.transaction():
        connection.execute(enter("things"))
        return connection.execute(query.encode()).fetchall()


def a_thing(**values: object) -> dict[str, object]:
    return {
        "id": uuid4(),
        "at": datetime(2030, 1, 1, 12, 0, 0, 123456, tzinfo=UTC),
        "cost": Decimal("1E-12"),
        "score": 0.1 + 0.2,
        "said": '{"b": 1,  "a": 1.10}',
        "names": ["a'b", "\\", '"', "{,}"],
        "others": [UUID(int=1), None],
        "mark": "1",
        **values,
    }


def test_values_arrive_as_they_are(connection: Connection[Any]) -> None:
    thing = a_thing()
    write(connection, WriteBatches(connection, "things"), Write(INSERT, thing))
    ((*values, number),) = rows(
        connection, "SELECT id, at, cost, score, said::text, names, others, mark, number FROM thing"
    )
    assert values == list(thing.values())
    assert number == 3


def test_what_is_missing_is_null(connection: Connection[Any]) -> None:
    thing = a_thing(at=None, cost=None, score=None, said=None, names=None, others=None)
    write(connection, WriteBatches(connection, "things"), Write(INSERT, thing))
    found = rows(connection, "SELECT at, cost, score, said, names, others FROM thing")
    assert found == [(None,) * 6]


def test_statements_are_carried_out_in_their_order(connection: Connection[Any]) -> None:
    tally, double = Write(TALLY, {"mark": 1}), Write(DOUBLE, {"mark": 1})
    write(connection, WriteBatches(connection, "things"), tally, double, tally, tally, double)
    assert rows(connection, "SELECT mark, times FROM tally") == [(1, 8)]


def test_one_name_may_have_a_type_in_each_statement(connection: Connection[Any]) -> None:
    batches = WriteBatches(connection, "things")
    write(connection, batches, Write(TALLY, {"mark": 2}))
    write(connection, batches, Write(INSERT, a_thing(mark="two")), Write(TALLY, {"mark": 2}))
    assert rows(connection, "SELECT mark, times FROM tally") == [(2, 2)]
    assert rows(connection, "SELECT mark FROM thing") == [("two",)]


def test_a_batch_that_fails_leaves_nothing_and_hinders_no_other(
    connection: Connection[Any],
) -> None:
    batches = WriteBatches(connection, "things")
    good = Write(TALLY, {"mark": 3})
    with pytest.raises(InvalidTextRepresentation):
        write(connection, batches, good, Write(TALLY, {"mark": "three"}))
    with pytest.raises(UndefinedColumn):
        write(connection, batches, good, Write("UPDATE tally SET mrak = %(mark)s", {"mark": 1}))
    assert rows(connection, "SELECT * FROM tally") == []
    write(connection, batches, good)
    assert rows(connection, "SELECT * FROM tally") == [(3, 1)]


def test_nothing_is_sent_of_nothing(connection: Connection[Any]) -> None:
    write(connection, WriteBatches(connection, "things"))
    assert rows(connection, "SELECT * FROM tally") == []


def test_a_probe_that_was_broken_off_hinders_no_other(
    connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken: LiteralString = "SELECT 1 / 0 WHERE %s <> ''"
    with monkeypatch.context() as patch:
        patch.setattr("infrastructure.eventstore.write_batches._TYPES", broken)
        with pytest.raises(DivisionByZero):
            write(connection, WriteBatches(connection, "things"), Write(TALLY, {"mark": 3}))
    write(connection, WriteBatches(connection, "things"), Write(TALLY, {"mark": 3}))
    assert rows(connection, "SELECT * FROM tally") == [(3, 1)]
