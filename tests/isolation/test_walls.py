"""The second wall: the database shows a request its tenant's rows, whatever is asked of it."""

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

from application.context import Context, within
from application.errors import PayloadIsMissing
from domain.values import PayloadRef
from infrastructure.api import dependencies
from infrastructure.postgres.sessions import session
from projections.kernel import Projection, ReadStore
from projections.registry import PROJECTIONS
from tests.isolation.cases import CASES, RESOURCES
from tests.isolation.things import Tenant
from tests.support.walled import Walled

pytestmark = [pytest.mark.postgres, pytest.mark.feature("VIS-24")]

Pair = tuple[Tenant, Tenant]

OF_NO_TENANT: Final = frozenset(
    {
        "checkpoints",
        "jobs",
        "lm_rates",
        "migrations",
        "notary_leaves",
        "notary_log",
        "notary_nodes",
        "parked",
        "partitions",
        "paused_queues",
        "policy_positions",
        "projections",
    }
)
"""Tables of ``stratal`` that no answer to a tenant is made of: hashes, positions, ids, work."""

_TABLES: Final = """
    SELECT n.nspname::text, c.relname::text,
           EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'tenant')
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND (n.nspname = 'stratal' OR n.nspname = ANY(%s))
    ORDER BY 1, 2
"""


def test_vis_24_every_table_has_a_tenant_or_is_known_to_need_none(service: Walled) -> None:
    """A new table of ``stratal`` gets ``stratal.wall``, or is named here and never read for one."""
    found = [name for _, name, has_tenant in _tables(service) if not has_tenant]
    assert set(found) == OF_NO_TENANT


def test_vis_24_a_session_for_requests_sees_the_tenant_that_it_names_and_no_other(
    service: Walled, tenants: Pair
) -> None:
    tables = [(schema, name) for schema, name, has_tenant in _tables(service) if has_tenant]
    assert len(tables) > 25
    with _asking(service) as connection:
        for schema, name in tables:
            assert _tenants_in(connection, schema, name) == set(), "It has named none."
        seen = dict.fromkeys(tables, frozenset[str]())
        for tenant in tenants:
            connection.execute("SELECT set_config('stratal.tenant', %s, false)", [tenant.name])
            for schema, name in tables:
                found = _tenants_in(connection, schema, name)
                assert found <= {tenant.name}, f"{schema}.{name}"
                seen[schema, name] |= found
    both = {each.name for each in tenants}
    # Without rows a wall holds nothing back; what the story leaves empty has the same policy.
    assert sum(found == both for found in seen.values()) > 20


def test_vis_24_the_functions_that_read_the_log_stand_behind_the_wall_too(
    service: Walled, tenants: Pair
) -> None:
    mine, theirs = tenants
    stream = "SELECT count(*) FROM stratal.stream_events(%s, NULL, NULL, NULL, false, NULL, NULL)"
    after = "SELECT count(*), count(*) FILTER (WHERE tenant = %s) FROM"
    after += " stratal.events_after(0, NULL, NULL, NULL, NULL)"
    program = theirs.things["program"]
    with _asking(service) as connection:
        assert connection.execute(stream, [program]).fetchone() == (0,)
        assert connection.execute(after, [mine.name]).fetchone() == (0, 0)
        connection.execute("SELECT set_config('stratal.tenant', %s, false)", [mine.name])
        assert connection.execute(stream, [program]).fetchone() == (0,)
        all_of_it, of_mine = connection.execute(after, [mine.name]).fetchone() or (0, 0)
        assert all_of_it == of_mine > 0
        connection.execute("SELECT set_config('stratal.tenant', %s, false)", [theirs.name])
        assert connection.execute(stream, [program]).fetchone() != (0,)


def test_vis_24_a_text_of_another_tenant_is_missing(service: Walled, tenants: Pair) -> None:
    sql = "SELECT tenant, encode(digest, 'hex'), size_bytes FROM stratal.payloads"
    with psycopg.connect(session(service.database, "test")) as connection:
        texts = connection.execute(sql).fetchall()
    held = {tenant.name: {d for t, d, _ in texts if t == tenant.name} for tenant in tenants}
    assert held["amber"] & held["birch"], "Some texts are the same in both."
    only = [(t, PayloadRef(digest=d, size_bytes=n)) for t, d, n in texts if _is_alone(d, held)]
    assert only
    for owner, ref in only:
        for tenant in tenants:
            with within(Context(tenant=tenant.name, actor="ann", correlation_id=uuid4())):
                if tenant.name == owner:
                    service.system.payloads.get(ref)
                else:
                    with pytest.raises(PayloadIsMissing):
                        service.system.payloads.get(ref)


@dataclass(frozen=True)
class Forgetful:
    """A read store that is asked for every tenant's rows."""

    store: ReadStore
    forgotten: list[str]

    def rows(
        self, sql: Any, params: Mapping[str, object], *, of: type[Projection] | None = None
    ) -> Sequence[Mapping[str, object]]:
        wide = re.sub(r"(\w+\.)?tenant = %\(tenant\)s", "%(tenant)s::text IS NOT NULL", sql)
        self.forgotten.extend([sql] if wide != sql else [])
        return self.store.rows(wide, params, of=of)


def test_vis_24_queries_that_forget_their_tenant_find_what_they_found_before(
    service: Walled, tenants: Pair
) -> None:
    service.settle()
    deps, forgotten = service.app.state.deps, list[str]()
    app = service.app_over(replace(deps, store=Forgetful(deps.store, forgotten)))
    reads = [route for route in CASES if route.startswith("GET /v1/") and "{" not in route]
    for mine in tenants:
        headers = {"X-Stratal-Tenant": mine.name}
        with TestClient(app, headers=headers) as forgetful:
            paths = [route.split(" ")[1] for route in reads]
            paths.remove("/v1/audit/attempts")  # it grows beside the log
            paths += [
                f"/v1/{where}/{mine.things[kind]}"
                for kind, where in RESOURCES.items()
                if kind != "record"
            ]
            for path in paths:
                assert forgetful.get(path).text == mine.api.get(path).text, path
    assert len(forgotten) > 40


def test_vis_24_a_log_that_is_not_asked_whose_it_is_tells_no_other_tenants(
    service: Walled, tenants: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    deps = service.app.state.deps

    def forgetful(after: int, limit: int, **narrowed: Any) -> Any:
        del narrowed["tenant"]
        return service.system.log.events(after, limit, **narrowed)

    def belongs(*_: object) -> bool:
        return True

    monkeypatch.setattr(dependencies, "_belongs", belongs)
    app = service.app_over(replace(deps, events=forgetful))
    for mine, theirs in (tenants, tenants[::-1]):
        with TestClient(app, headers={"X-Stratal-Tenant": mine.name}) as api:
            assert theirs.secret not in api.get("/v1/events").text
            for kind in ("program", "execution", "dataset", "tool"):
                path = f"/v1/{kind}s/{theirs.things[kind]}/history"
                assert api.get(path).status_code == 404
                assert api.get(f"/v1/{kind}s/{mine.things[kind]}/history").status_code == 200


def test_vis_24_read_models_of_an_older_release_get_their_walls_from_the_projector(
    service: Walled, tenants: Pair
) -> None:
    with psycopg.connect(session(service.database, "test"), autocommit=True) as connection:
        for schema, name, _ in _tables(service):
            if schema != "stratal":
                table = Identifier(schema, name)
                connection.execute(SQL("DROP POLICY of_the_tenant ON {}").format(table))
                connection.execute(SQL("ALTER TABLE {} DISABLE ROW LEVEL SECURITY").format(table))
        service.projector.close()
    service.settle()
    mine, theirs = tenants
    with _asking(service) as connection:
        connection.execute("SELECT set_config('stratal.tenant', %s, false)", [mine.name])
        for schema, name, has_tenant in _tables(service):
            if has_tenant:
                assert theirs.name not in _tenants_in(connection, schema, name)


@contextmanager
def _asking(service: Walled) -> Generator[Connection[TupleRow], None, None]:
    """A session as the walled pool opens them."""
    told = session(service.database, "test", walled=True)
    with psycopg.connect(told, autocommit=True) as connection:
        yield connection


def _tables(service: Walled) -> Sequence[tuple[str, str, bool]]:
    schemas = [f"{each.name}_v{each.version}" for each in PROJECTIONS]
    with psycopg.connect(service.database) as connection:
        return connection.execute(_TABLES, [schemas]).fetchall()


def _tenants_in(connection: Connection[TupleRow], schema: str, name: str) -> set[str]:
    select = SQL("SELECT DISTINCT tenant FROM {}").format(Identifier(schema, name))
    return {tenant for (tenant,) in connection.execute(select).fetchall()}


def _is_alone(digest: str, held: Mapping[str, set[str]]) -> bool:
    return sum(digest in digests for digests in held.values()) == 1
