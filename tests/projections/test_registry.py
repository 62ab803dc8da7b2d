"""What is asked of every read model alike: its keys, its SQL, and the events it listens to."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from domain.kernel import Recorded
from projections.kernel import Projection
from projections.registry import PROJECTIONS
from tests.support.projecting import ReadModels, writes_of
from tests.support.stories import a_story, everything

MARK = "sesame"


def named(projection: Projection) -> str:
    return projection.name


def marked() -> Iterator[Recorded]:
    """The whole log of a tenant whose every word is a mark."""
    for each in everything().recorded:
        envelope = each.envelope.model_copy(
            update={"tenant": MARK, "actor": MARK, "command": MARK, "command_id": MARK}
        )
        yield Recorded(
            each.originator_id,
            each.originator_version,
            each.event.model_copy(update={"name": MARK, "reason": MARK, "worker": MARK}),
            each.timestamp,
            envelope,
            each.position,
        )


@pytest.mark.parametrize("projection", PROJECTIONS, ids=named)
def test_statements_are_constants_and_values_are_bound(projection: Projection) -> None:
    plain_sql = {write.sql for write in writes_of(projection, everything().recorded)}
    marked_sql = {write.sql for write in writes_of(projection, marked())}
    assert plain_sql == marked_sql
    assert len(plain_sql) <= 12
    for sql in plain_sql:
        assert MARK not in sql
        assert not re.search(r"\{|\d{4}-|%[^(]", sql)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=named)
def test_it_listens_to_exactly_the_events_that_it_folds(projection: Projection) -> None:
    folded = {type(each.event) for each in everything().recorded if list(projection.project(each))}
    assert set(projection.events) == folded
    assert len(projection.events) == len(set(projection.events))


@pytest.mark.parametrize("projection", PROJECTIONS, ids=named)
def test_the_same_event_always_gives_the_same_writes(projection: Projection) -> None:
    first = list(writes_of(projection, a_story().recorded))
    assert first == list(writes_of(projection, a_story().recorded))


@pytest.mark.postgres
def test_names_of_projections_and_of_tables_are_unique(models: ReadModels) -> None:
    assert max(Counter(each.name for each in PROJECTIONS).values()) == 1
    assert max(Counter(table for _, table in models.names()).values()) == 1


@pytest.mark.postgres
def test_the_tenant_comes_first_in_every_key_and_index(models: ReadModels) -> None:
    schemas = [schema for schema, _ in models.names()]
    found = models.tables.connection.execute(
        "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = ANY(%s)", [schemas]
    ).fetchall()
    assert {table for table, _ in found} == {table for _, table in models.names()}
    for table, definition in found:
        assert "(tenant, " in definition or "(tenant)" in definition, (table, definition)
