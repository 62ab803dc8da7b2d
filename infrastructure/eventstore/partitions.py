"""Takes old partitions out of the log where a policy allows it; nothing is ever dropped."""

from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, LiteralString

from psycopg import Connection
from psycopg.errors import LockNotAvailable
from psycopg.rows import TupleRow, class_row
from psycopg.sql import SQL, Identifier

_PARTITIONS: LiteralString = """
    SELECT table_name, first_position, last_position, detached_at FROM stratal.partitions
    ORDER BY first_position
"""
_LAST_RECORDED: LiteralString = """
    SELECT recorded_at > clock_timestamp() - %(min_age)s, stratal.head() FROM {}
    ORDER BY notification_id DESC LIMIT 1
"""
_READERS_BEFORE: LiteralString = """
    SELECT name FROM stratal.projections WHERE live AND position < %(last)s
    UNION ALL
    SELECT 'the notary'
    WHERE NOT EXISTS (
        SELECT FROM (
            SELECT first + length(entries) / 40 AS leaves FROM stratal.notary_leaves
            WHERE last_position >= %(last)s ORDER BY last_position LIMIT 1
        ) AS kept
        WHERE leaves <= (SELECT max(size) FROM stratal.checkpoints)
    )
    ORDER BY name
"""
_OPEN: LiteralString = """
    WITH mine AS (
        SELECT originator_id, (array_agg(topic ORDER BY notification_id DESC))[1] AS topic
        FROM {} GROUP BY originator_id
    )
    SELECT originator_id::text FROM mine JOIN stratal.streams AS s USING (originator_id)
    WHERE s.first_position < %(first)s OR s.last_position > %(last)s
       OR topic <> ALL (%(closing)s::text[])
    LIMIT 1
"""
_CONTINUED_SINCE: LiteralString = """
    SELECT e.originator_id::text FROM stratal.events_after(%(after)s, NULL, NULL, NULL, NULL) AS e
    WHERE EXISTS (SELECT FROM {} AS mine WHERE mine.originator_id = e.originator_id) LIMIT 1
"""
_HOLD_THE_LOG: LiteralString = "SELECT pg_advisory_xact_lock(7301, 1)"
_ARCHIVE: LiteralString = "CREATE SCHEMA IF NOT EXISTS stratal_archive"
_DETACH: LiteralString = "ALTER TABLE stratal.events DETACH PARTITION {}"
_PUT_AWAY: LiteralString = "ALTER TABLE {} SET SCHEMA stratal_archive"
_ENTER: LiteralString = """
    UPDATE stratal.partitions SET detached_at = clock_timestamp() WHERE table_name = %s
    RETURNING table_name, first_position, last_position, detached_at
"""


@dataclass(frozen=True, slots=True)
class Partition:
    """A stretch of the log, both ends included; one that was detached is in ``stratal_archive``."""

    table_name: str
    first_position: int
    last_position: int
    detached_at: datetime | None


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """What may leave the log: streams that ended with one of *closing_topics*, *min_age* ago."""

    min_age: timedelta
    closing_topics: Collection[str]


class PartitionIsKept(Exception):
    """It stays in the log; nothing was changed."""

    code: ClassVar[str] = "log.partition_kept"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The partition {name} stays in the log: {why}.")
        self.name = name


class PartitionIsUnknown(PartitionIsKept):
    code: ClassVar[str] = "log.partition_unknown"

    def __init__(self, name: str) -> None:
        super().__init__(name, "the log has none of that name now; list them to see which it has")


class PartitionIsYoung(PartitionIsKept):
    code: ClassVar[str] = "log.partition_young"

    def __init__(self, name: str, min_age: timedelta) -> None:
        super().__init__(name, f"its last event is not {min_age} old, or may not be its last")


class PartitionIsUnread(PartitionIsKept):
    code: ClassVar[str] = "log.partition_unread"

    def __init__(self, name: str, projections: Sequence[str]) -> None:
        super().__init__(name, f"{', '.join(projections)} has yet to read it; wait, or mend that")
        self.projections = projections


class StreamIsOpen(PartitionIsKept):
    code: ClassVar[str] = "log.stream_open"

    def __init__(self, name: str, stream: str) -> None:
        super().__init__(
            name, f"the stream {stream} has events outside of it too, or may still get more"
        )
        self.stream = stream


class PartitionIsInUse(PartitionIsKept):
    code: ClassVar[str] = "log.partition_in_use"

    def __init__(self, name: str) -> None:
        super().__init__(name, "a long query or an append is in the way; try again")


def partitions(connection: Connection[TupleRow]) -> Sequence[Partition]:
    """All that the log ever had, oldest first."""
    return connection.cursor(row_factory=class_row(Partition)).execute(_PARTITIONS).fetchall()


def detach(connection: Connection[TupleRow], name: str, policy: RetentionPolicy) -> Partition:
    """Take a partition out of the log and put it, whole, into the schema ``stratal_archive``.

    Its streams read as if they had never been, and a rebuilt read model knows nothing of them;
    their names, receipts and the heads of the streams stay, so none of them can begin anew.

    Args:
        connection: The owner's, in autocommit. Looking through a full partition takes seconds.
        name: Its table.
        policy: What may leave.

    Raises:
        PartitionIsKept: It may not leave; the kind of error says why.
    """
    found = next((each for each in partitions(connection) if each.table_name == name), None)
    if found is None or found.detached_at is not None:
        raise PartitionIsUnknown(name)
    head = _check(connection, found, policy)
    with _briefly(connection, found):
        connection.execute(_HOLD_THE_LOG)
        continued = SQL(_CONTINUED_SINCE).format(_table(found))
        if row := connection.execute(continued, {"after": head}).fetchone():
            raise StreamIsOpen(name, row[0])
        connection.execute(_ARCHIVE)
        connection.execute(SQL(_DETACH).format(_table(found)))
        connection.execute(SQL(_PUT_AWAY).format(_table(found)))
        cursor = connection.cursor(row_factory=class_row(Partition))
        entered = cursor.execute(_ENTER, [name]).fetchone()
    assert entered is not None
    return entered


def _check(connection: Connection[TupleRow], found: Partition, policy: RetentionPolicy) -> int:
    """The head of the log when *found* was seen to be one that may leave."""
    name, table = found.table_name, _table(found)
    last = connection.execute(SQL(_LAST_RECORDED).format(table), {"min_age": policy.min_age})
    is_young, head = last.fetchone() or (True, 0)
    if is_young or head <= found.last_position:
        raise PartitionIsYoung(name, policy.min_age)
    late = connection.execute(_READERS_BEFORE, {"last": found.last_position}).fetchall()
    if late:
        raise PartitionIsUnread(name, [projection for (projection,) in late])
    params = {
        "first": found.first_position,
        "last": found.last_position,
        "closing": list(policy.closing_topics),
    }
    if row := connection.execute(SQL(_OPEN).format(table), params).fetchone():
        raise StreamIsOpen(name, row[0])
    return int(head)


@contextmanager
def _briefly(connection: Connection[TupleRow], found: Partition) -> Generator[None, None, None]:
    """A transaction that waits a second at most for each lock: appends wait as long."""
    try:
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '1s'")
            yield
    except LockNotAvailable as error:
        raise PartitionIsInUse(found.table_name) from error


def _table(found: Partition) -> Identifier:
    return Identifier("stratal", found.table_name)
