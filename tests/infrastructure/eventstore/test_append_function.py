"""Whoever calls the appending function, with whatever arguments, each stream stays whole."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, NotNullViolation

from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.postgres.roles import SERVICE_ROLE
from tests.support.event_log import Pool
from tests.support.postgres import owner_of

pytestmark = pytest.mark.postgres

ONE, OTHER = UUID(int=1), UUID(int=2)

Event = tuple[UUID | None, int | None, str]

TOO_LATE = "ST003"


def append(
    pool: Pool,
    *events: Event,
    requests: Sequence[int | None] | None = None,
) -> int:
    """The position of the first of *events*, as the service's role."""
    ids, versions, tenants = ([each[n] for each in events] for n in range(3))
    count = len(events)
    with pool.connection() as connection:
        found = connection.execute(
            "SELECT stratal.append_events(%s::int[], %s::uuid[], %s::bigint[], %s::text[],"
            " %s::bytea[], %s::uuid[], %s::text[], %s::text[], NULL, NULL, '')",
            [
                [0] * count if requests is None else requests,
                ids,
                versions,
                ["probe"] * count,
                [b"{}"] * count,
                [uuid4() for _ in events],
                tenants,
                ["{}"] * count,
            ],
        ).fetchone()
    assert found is not None
    return int(found[0])


def versions(recorder: PostgresRecorder, stream: UUID) -> list[int]:
    return [each.originator_version for each in recorder.select_events(stream)]


def test_events_of_a_stream_may_lie_between_those_of_another(
    pool: Pool, recorder: PostgresRecorder
) -> None:
    assert append(pool, (ONE, 1, "acme"), (OTHER, 0, "acme"), (ONE, 2, "acme")) == 1
    assert append(pool, (OTHER, 1, "acme"), (ONE, 3, "acme"), (OTHER, 2, "acme")) == 4
    assert versions(recorder, ONE) == [1, 2, 3]
    assert versions(recorder, OTHER) == [0, 1, 2]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([(ONE, 2, "acme")], id="a version that is there"),
        pytest.param([(ONE, 1, "acme")], id="the first again"),
        pytest.param([(ONE, 4, "acme")], id="a gap"),
        pytest.param([(ONE, 3, "other")], id="another tenant's stream"),
        pytest.param([(ONE, 3, "acme"), (ONE, 3, "acme")], id="one version twice"),
        pytest.param([(ONE, 3, "acme"), (ONE, 3, "acme"), (ONE, 5, "acme")], id="twice, then one"),
        pytest.param([(ONE, 4, "acme"), (ONE, 3, "acme")], id="backwards"),
        pytest.param([(ONE, 3, "acme"), (ONE, 4, "other")], id="two tenants"),
        pytest.param([(OTHER, 1, "acme"), (ONE, 2, "acme")], id="with a stream that is in order"),
        pytest.param([(OTHER, 2, "acme")], id="a new stream from its second version"),
        pytest.param([(OTHER, -1, "acme")], id="a new stream from before its first version"),
        pytest.param([(OTHER, 1, "acme"), (OTHER, 1, "acme"), (OTHER, 3, "acme")], id="new, twice"),
        pytest.param([(OTHER, 2, "acme"), (OTHER, 1, "acme")], id="new, backwards"),
        pytest.param([(OTHER, 1, "acme"), (OTHER, 2, "other")], id="new, of two tenants"),
    ],
)
@pytest.mark.parametrize("requests", [None, [], [None] * 3])
def test_what_would_break_a_stream_is_refused(
    pool: Pool,
    recorder: PostgresRecorder,
    events: Sequence[Event],
    requests: Sequence[int | None] | None,
) -> None:
    append(pool, (ONE, 1, "acme"), (ONE, 2, "acme"))
    with pytest.raises(psycopg.Error) as refused:
        append(pool, *events, requests=requests)
    assert refused.value.sqlstate == TOO_LATE
    assert versions(recorder, ONE) == [1, 2]
    assert versions(recorder, OTHER) == []
    assert append(pool, (ONE, 3, "acme"), (OTHER, 1, "acme")) == 3


@pytest.mark.parametrize(
    "events",
    [
        [(None, 1, "acme")],
        [(OTHER, 1, "acme"), (None, 1, "acme")],
        [(OTHER, 1, "acme"), (OTHER, None, "acme")],
    ],
)
def test_what_lacks_a_stream_or_a_version_is_refused(
    pool: Pool, recorder: PostgresRecorder, events: Sequence[Event]
) -> None:
    with pytest.raises(NotNullViolation):
        append(pool, *events)
    assert recorder.select_notifications(0, 10) == []


def test_only_who_was_given_the_right_may_append(database: str) -> None:
    owner, role = owner_of(database), f"role_{uuid4().hex}"
    call = "SELECT stratal.append_events('{}','{}','{}','{}','{}','{}','{}','{}',NULL,NULL,'')"
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role}".encode())
        try:
            connection.execute(f"GRANT USAGE ON SCHEMA stratal TO {role}".encode())
            connection.execute(f"SET ROLE {role}".encode())
            for statement in (
                call,
                "SELECT stratal.make_room(1)",
                "SELECT stratal.make_partition(1, 2)",
            ):
                with pytest.raises(InsufficientPrivilege, match="for function"):
                    connection.execute(statement.encode())
            connection.execute(f"SET ROLE {SERVICE_ROLE}")
            assert connection.execute(call.encode()).fetchone() == (0,)
        finally:
            connection.execute("RESET ROLE")
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}".encode())
