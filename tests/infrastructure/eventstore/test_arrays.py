"""Arrays that are put together by hand are what the general way makes of them."""

from uuid import UUID

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.eventstore.arrays import bigints, byteas, integers, texts, uuids

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    small=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5),
    large=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5),
    ids=st.lists(st.uuids(), max_size=5),
    words=st.lists(_TEXT, max_size=5),
    bodies=st.lists(st.binary(), max_size=5),
)
def test_postgres_reads_what_was_put_together(
    database: str,
    small: list[int],
    large: list[int],
    ids: list[UUID],
    words: list[str],
    bodies: list[bytes],
) -> None:
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT %b::int[], %b::bigint[], %b::uuid[], %b::text[], %b::bytea[]",
            (integers(small), bigints(large), uuids(ids), texts(words), byteas(bodies)),
            binary=True,
        ).fetchone()
    assert row == (small, large, ids, words, bodies)
