"""Sends the writes of a fold by the batch; the server carries them out one after the other."""

import select
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import LiteralString, NamedTuple
from uuid import uuid4

import orjson
from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from projections.kernel import Write

# Plans are made while the tables are empty, and kept: so they look rows up by key from the start.
# A plan for each execution, which arrays make look cheaper, costs more than the execution.
_PLANNER: Sequence[LiteralString] = (
    "SET plan_cache_mode TO force_generic_plan",
    "SET enable_seqscan TO off",
    "SET enable_hashjoin TO off",
    "SET enable_mergejoin TO off",
    "SET jit TO off",
)
_TYPES: LiteralString = """
    SELECT coalesce(array_agg(t.typname::text ORDER BY p.place), '{}')
    FROM pg_prepared_statements AS s,
         unnest(s.parameter_types::oid[]) WITH ORDINALITY AS p (type, place)
    JOIN pg_type AS t ON t.oid = p.type
    WHERE s.name = %s
"""
_JSON = frozenset({"json", "jsonb"})


class Batch(NamedTuple):
    """Writes in their order, ready to be sent; ``statements`` are those they need, each once."""

    statements: frozenset[LiteralString]
    rows: str | None


class _Statement(NamedTuple):
    """A statement of a fold: the text between its parameters, their names and their types."""

    pieces: Sequence[LiteralString]
    names: Sequence[LiteralString]
    types: Sequence[str]


class WriteBatches:
    """Carries out the writes of one projection in one *schema*, a batch with one statement.

    A function of this session runs the statements of a batch in their order: the rows are those of
    a fold one by one, for a fraction of the work of as many statements of the client's.
    """

    def __init__(self, connection: Connection[TupleRow], schema: str) -> None:
        self._connection = connection
        self._path = SQL("SET LOCAL search_path TO {}").format(Identifier(schema))
        self._function = Identifier("pg_temp", f"fold_{schema}")
        self._call = SQL("SELECT {}(%s::json)").format(self._function)
        self._numbers: dict[LiteralString, int] = {}
        self._known: dict[LiteralString, _Statement] = {}

    def pack(self, writes: Sequence[Write]) -> Batch:
        """Make *writes* ready to be sent, without the database."""
        if not writes:
            return Batch(frozenset(), None)
        numbers = self._numbers
        rows = [{**params, "#": numbers.setdefault(sql, len(numbers))} for sql, params in writes]
        packed = orjson.dumps(rows, default=str).decode()
        return Batch(frozenset(sql for sql, _ in writes), packed)

    def learn(self, batch: Batch) -> None:
        """Have the function know every statement of *batch*, before the transaction begins.

        Raises:
            psycopg.Error: A statement does not fit the tables.
        """
        if batch.statements <= self._known.keys():
            return
        with self._connection.transaction():
            self._connection.execute(self._path)
            missing = batch.statements - self._known.keys()
            known = dict(self._known)
            for sql in self._numbers:
                if sql in missing:
                    known[sql] = self._probe(sql)
            numbered = {self._numbers[sql]: each for sql, each in known.items()}
            self._connection.execute(_definition(self._function, numbered))
        self._known = known

    def send(self, batch: Batch) -> None:
        """Carry *batch* out, within a transaction."""
        if batch.rows is not None:
            self._connection.execute(self._path)
            self._connection.execute(self._call, (batch.rows,))

    def _probe(self, sql: LiteralString) -> _Statement:
        """Have the server say which types the parameters of *sql* have."""
        pieces, names = _split(sql)
        distinct = list(dict.fromkeys(names))
        places = [SQL("$") + Literal(distinct.index(each) + 1) for each in names]
        name = f"stratal_probe_{uuid4().hex}"  # one that was broken off is in nobody's way
        prepare = SQL("PREPARE {} AS ").format(Identifier(name))
        self._connection.execute(prepare + _joined(pieces, places))
        row = self._connection.execute(_TYPES, (name,)).fetchone()
        self._connection.execute(SQL("DEALLOCATE {}").format(Identifier(name)))
        assert row is not None
        types = dict(zip(distinct, row[0], strict=True))
        return _Statement(pieces, names, [types[each] for each in names])


def prepare_session(connection: Connection[TupleRow]) -> None:
    """Set a session up to write read models.

    Rows are lost together with their position when the server crashes, and are projected again:
    so it does not wait for the disk.
    """
    for setting in ("SET synchronous_commit TO off", *_PLANNER):
        connection.execute(setting)


@contextmanager
def together(
    connection: Connection[TupleRow], meanwhile: Callable[[], object] | None = None
) -> Generator[None, None, None]:
    """One transaction in one round trip; *meanwhile* runs here while the server works."""
    try:
        with connection.pipeline():
            connection.execute("BEGIN")
            yield
            connection.execute("COMMIT")
            if meanwhile is not None:
                _hand_over(connection)
                meanwhile()
    except BaseException:
        if not connection.closed:
            connection.rollback()
        raise


def _hand_over(connection: Connection[TupleRow]) -> None:
    """Have the server get all that was sent; a pipeline hands over only what fits at once."""
    while connection.pgconn.flush():
        select.select([], [connection], [], 1)


def _split(sql: LiteralString) -> tuple[Sequence[LiteralString], Sequence[LiteralString]]:
    """The text between the parameters of *sql*, and their names."""
    first, *rest = sql.split("%(")
    parts = [part.partition(")s") for part in rest]
    texts: list[LiteralString] = [first, *(after for _, _, after in parts)]
    whole: list[LiteralString] = [text.replace("%%", "%") for text in texts]
    return whole, [name for name, _, _ in parts]


def _joined(pieces: Sequence[LiteralString], places: Sequence[Composable]) -> Composed:
    parts: list[Composable] = [SQL(pieces[0])]
    for place, piece in zip(places, pieces[1:], strict=True):
        parts += [place, SQL(piece)]
    return Composed(parts)


def _definition(function: Identifier, statements: dict[int, _Statement]) -> Composed:
    columns = _columns(statements.values())
    cases = [
        SQL("WHEN {} THEN {};").format(Literal(number), _joined(it.pieces, _places(it, columns)))
        for number, it in statements.items()
    ]
    return SQL(
        """CREATE OR REPLACE FUNCTION {}(writes json) RETURNS void LANGUAGE plpgsql AS $fold$
        DECLARE
            this_write record;
        BEGIN
            FOR this_write IN SELECT * FROM json_to_recordset(writes) AS sent({}) LOOP
                CASE this_write."#" {} END CASE;
            END LOOP;
        END $fold$"""
    ).format(
        function,
        SQL(", ").join(
            SQL("{} {}").format(Identifier(name), Identifier(kind))
            for name, kind in [("#", "int4"), *columns.items()]
        ),
        SQL(" ").join(cases),
    )


def _columns(statements: Iterable[_Statement]) -> dict[str, str]:
    """One column for each name of a parameter.

    It is a text where statements differ in the type, and for JSON, which comes as a text.
    """
    columns: dict[str, str] = {}
    for each in statements:
        for name, kind in zip(each.names, each.types, strict=True):
            if columns.setdefault(name, kind) != kind or kind in _JSON:
                columns[name] = "text"
    return columns


def _places(statement: _Statement, columns: dict[str, str]) -> Sequence[Composable]:
    """Where the parameters of *statement* are found, with their types."""
    return [
        SQL("(this_write.{})::{}").format(Identifier(name), Identifier(kind))
        if columns[name] != kind
        else Identifier("this_write", name)
        for name, kind in zip(statement.names, statement.types, strict=True)
    ]
