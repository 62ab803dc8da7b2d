"""The service's role adds to the log and cannot change it; a role that could is refused."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from psycopg.conninfo import make_conninfo

from infrastructure import bootstrap
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.errors import (
    DatabaseIsNotPrepared,
    HandOverIsRefused,
    RoleIsTooPowerful,
)
from infrastructure.postgres.migrations import migrate
from infrastructure.postgres.pool import open_pool
from infrastructure.postgres.roles import SERVICE_ROLE, Access, check_role
from tests.support.postgres import owner_of, prepared, service_of

pytestmark = pytest.mark.postgres


OF_THE_FIRST_RELEASE = {
    "eventstore_log", "eventstore_append", "eventstore_projections", "payloads.1", "workers_jobs",
}  # fmt: skip


def execute(conninfo: str, *statements: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def append(conninfo: str) -> int:
    with open_pool(conninfo, min_size=1, max_size=1, name="test") as pool:
        event = StoredEvent(uuid4(), 1, "program.retired", b"{}")
        return PostgresRecorder(pool).insert_events([event])[-1]


def relations_of_the_log(conninfo: str) -> list[str]:
    """The table, and each of its partitions where it has some."""
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute(
            "SELECT 'stratal.events' UNION"
            " SELECT relid::regclass::text FROM pg_partition_tree('stratal.events')"
        ).fetchall()
    return [name for (name,) in rows]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO {} SELECT * FROM stratal.events",
        "UPDATE {} SET topic = 'program.created'",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "DROP TABLE {}",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "CREATE TRIGGER t BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION"
        " suppress_redundant_updates_trigger()",
    ],
)
def test_the_service_cannot_change_the_log_nor_any_part_of_it(
    database: str, statement: str
) -> None:
    append(database)
    for relation in relations_of_the_log(database):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            execute(database, statement.format(relation))


@pytest.mark.parametrize(
    "call",
    [
        "setval('stratal.log_position', 1)",
        "setval('stratal.log_clock', 1)",
        "nextval('stratal.log_position')",
        "stratal.make_room(9000000)",
        "stratal.make_partition(9000000, 9000001)",
    ],
)
def test_the_service_cannot_move_the_end_of_the_log(database: str, call: str) -> None:
    execute(owner_of(database), f"GRANT ALL ON SEQUENCE stratal.log_position TO {SERVICE_ROLE}")
    bootstrap.prepare_tables(Access(database, owner_of(database)))  # takes a stray right back
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(database, f"SELECT {call}")
    assert append(database) == 1


def test_the_service_cannot_become_its_owner(database: str) -> None:
    for statement in ("SET ROLE postgres", "SET SESSION AUTHORIZATION postgres"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            execute(database, statement)


def test_the_service_adds_to_the_log_and_makes_read_models(database: str) -> None:
    assert append(database) == 1
    execute(database, "CREATE SCHEMA any_v1", "CREATE TEMP TABLE as_of (id uuid)")
    assert check_role(database, bootstrap.RIGHTS) == SERVICE_ROLE


def test_a_partition_that_was_detached_is_kept_as_well(database: str) -> None:
    append(database)
    [part] = [each for each in relations_of_the_log(database) if each != "stratal.events"]
    execute(owner_of(database), f"ALTER TABLE stratal.events DETACH PARTITION {part}")
    access = Access(database, owner_of(database))
    bootstrap.prepare_tables(access)
    for statement in (f"DELETE FROM {part}", f"UPDATE {part} SET topic = ''"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            execute(database, statement)
    execute(owner_of(database), f"GRANT DELETE ON {part} TO PUBLIC")
    with pytest.raises(RoleIsTooPowerful, match=f"has DELETE on {part}"):
        check_role(database, bootstrap.RIGHTS)


def test_a_superuser_is_refused_and_told_what_to_do(database: str) -> None:
    with pytest.raises(RoleIsTooPowerful, match="CREATE ROLE stratal_service LOGIN") as refused:
        bootstrap.prepare_tables(Access(owner_of(database), None))
    assert refused.value.powers == ["is a superuser"]


@pytest.mark.parametrize(
    ("given", "power"),
    [
        ("GRANT INSERT ON stratal.events TO {}", "has INSERT on stratal.events"),
        ("ALTER ROLE {} BYPASSRLS", "bypasses row-level security"),
        ("GRANT UPDATE ON stratal.partitions TO {}", "has UPDATE on stratal.partitions"),
        ("GRANT UPDATE ON stratal.events TO {}", "has UPDATE on stratal.events"),
        ("GRANT DELETE ON stratal.events TO PUBLIC", "has DELETE on stratal.events"),
        ("GRANT TRUNCATE ON stratal.events TO {}", "has TRUNCATE on stratal.events"),
        (
            "GRANT UPDATE (topic) ON stratal.events TO {}",
            "has UPDATE on a column of stratal.events",
        ),
        ("GRANT UPDATE ON stratal.log_position TO {}", "has UPDATE on stratal.log_position"),
        ("GRANT USAGE ON stratal.log_clock TO {}", "has USAGE on stratal.log_clock"),
        ("ALTER SEQUENCE stratal.log_clock OWNER TO {}", "owns stratal.log_clock"),
        ("ALTER TABLE stratal.events OWNER TO {}", "owns stratal.events"),
        ("ALTER SCHEMA stratal OWNER TO {}", "owns the schema stratal"),
        ("ALTER ROLE {} CREATEROLE", "may create roles"),
        ("GRANT pg_write_all_data TO {}", "is a member of pg_write_all_data"),
    ],
)
def test_every_way_to_change_the_log_is_found(database: str, given: str, power: str) -> None:
    role = f"role_{uuid4().hex}"
    service, owner = make_conninfo(database, user=role), owner_of(database)
    execute(owner, f"CREATE ROLE {role} LOGIN")
    try:
        execute(owner, given.format(role))
        with pytest.raises(RoleIsTooPowerful) as refused:
            check_role(service, bootstrap.RIGHTS)
        assert power in refused.value.powers
        execute(owner, "REVOKE ALL ON stratal.events FROM PUBLIC")
    finally:
        execute(owner, f"REASSIGN OWNED BY {role} TO postgres", f"DROP OWNED BY {role}")
        execute(owner, f"DROP ROLE {role}")


def test_a_role_to_fall_back_to_counts(database: str) -> None:
    """``SET ROLE NONE`` would bring the superuser back."""
    weakened = make_conninfo(owner_of(database), options=f"-c role={SERVICE_ROLE}")
    with pytest.raises(RoleIsTooPowerful, match=f"The role {SERVICE_ROLE} .* is a superuser"):
        check_role(weakened, bootstrap.RIGHTS)


def test_a_stray_right_is_taken_back_at_the_next_start(database: str) -> None:
    execute(owner_of(database), f"GRANT ALL ON stratal.events, stratal.jobs TO {SERVICE_ROLE}")
    bootstrap.prepare_tables(Access(database, owner_of(database)))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(database, "DELETE FROM stratal.events")


def test_a_start_takes_no_right_away_from_those_who_write_meanwhile(database: str) -> None:
    stop = Event()

    def write() -> int:
        written = 0
        with open_pool(database, min_size=1, max_size=1, name="test") as pool:
            recorder = PostgresRecorder(pool)
            while not stop.is_set():
                event = StoredEvent(uuid4(), 1, "program.retired", b"{}")
                written += len(recorder.insert_events([event]))
        return written

    with ThreadPoolExecutor(3) as threads:
        writers = [threads.submit(write) for _ in range(3)]
        for _ in range(10):
            bootstrap.prepare_tables(Access(database, owner_of(database)))
        stop.set()
    assert all(writer.result() > 0 for writer in writers)


def test_two_that_start_at_once_do_not_get_in_each_others_way(empty_database: str) -> None:
    access = Access(service_of(empty_database), empty_database)
    with ThreadPoolExecutor(6) as threads:
        roles = list(threads.map(lambda _: bootstrap.prepare_tables(access), range(6)))
    assert roles == [SERVICE_ROLE] * 6


def test_tables_that_the_service_cannot_make_are_named(empty_database: str) -> None:
    service = service_of(empty_database)
    with pytest.raises(DatabaseIsNotPrepared, match="STRATAL_DATABASE_OWNER_URL") as refused:
        bootstrap.prepare(Access(service, None))
    assert refused.value.missing == [name for name, _ in bootstrap.migrations()]
    assert bootstrap.prepare(Access(service, empty_database)) == SERVICE_ROLE  # as it says
    assert bootstrap.prepare(Access(service, None)) == SERVICE_ROLE
    assert append(service) == 1


def test_an_owner_that_is_no_superuser_will_do(cluster: str) -> None:
    """As in a database of a provider, where nobody is."""
    owner = f"owner_{uuid4().hex}"
    execute(cluster, f"CREATE ROLE {owner} LOGIN", f"CREATE DATABASE {owner} OWNER {owner}")
    access = Access(
        make_conninfo(cluster, dbname=owner, user=SERVICE_ROLE),
        make_conninfo(cluster, dbname=owner, user=owner),
    )
    assert access.owner is not None
    try:
        bootstrap.prepare(access)
        assert append(access.service) == 1
        execute(access.service, "CREATE SCHEMA any_v1")
        # A read model that was made before there were two roles:
        execute(access.owner, "CREATE SCHEMA old_v1; CREATE TABLE old_v1.rows ()")
        execute(access.service, "INSERT INTO stratal.projections VALUES ('old', 1)")
        with pytest.raises(HandOverIsRefused, match=f"GRANT {SERVICE_ROLE} TO that role"):
            bootstrap.prepare(access)
        execute(cluster, f"GRANT {SERVICE_ROLE} TO {owner}")  # as it says
        bootstrap.prepare(access)
        execute(access.service, "DROP TABLE old_v1.rows")
    finally:
        execute(cluster, f"DROP DATABASE {owner} WITH (FORCE)", f"DROP ROLE {owner}")


def test_a_home_of_an_older_release_goes_on_under_two_roles(home: Path) -> None:
    server = EmbeddedPostgres(home)
    owner = server.start()
    execute(owner, f"DROP ROLE {SERVICE_ROLE}")
    before = [each for each in bootstrap.migrations() if each[0] in OF_THE_FIRST_RELEASE]
    migrate(owner, before)
    execute(
        owner,
        "INSERT INTO stratal.events"
        " (originator_id, originator_version, topic, state, event_id, tenant, metadata)"
        " VALUES (gen_random_uuid(), 1, 'program.retired', '{}', gen_random_uuid(), 'acme', '{}')",
        "INSERT INTO stratal.projections (name, version, position) VALUES ('note_board', 1, 1)",
        "CREATE SCHEMA note_board_v1; CREATE TABLE note_board_v1.notes AS SELECT 7 AS n",
    )
    server.start()  # by this release
    access = Access(server.service_url, owner)
    assert bootstrap.prepare(access) == SERVICE_ROLE
    assert append(access.service) == 2
    execute(
        access.service,
        "UPDATE note_board_v1.notes SET n = 8; ANALYZE note_board_v1.notes",
        "DROP SCHEMA note_board_v1 CASCADE",
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(access.service, "DELETE FROM stratal.events")


def test_a_second_service_role_may_be_added(database: str) -> None:
    role = f"service_{uuid4().hex}"
    owner = owner_of(database)
    execute(owner, f"CREATE ROLE {role} LOGIN")
    try:
        access = Access(make_conninfo(database, user=role), owner)
        assert bootstrap.prepare(access) == role
        assert append(access.service) == 1
    finally:
        execute(owner, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_the_tables_of_a_fresh_database_are_the_owners(empty_database: str) -> None:
    service = prepared(empty_database)
    with psycopg.connect(service) as connection:
        owners = connection.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'stratal'"
        ).fetchall()
    assert owners == [("postgres",)]
