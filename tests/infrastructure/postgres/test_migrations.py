import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from infrastructure.postgres.errors import DatabaseIsNewer, MigrationWasChanged
from infrastructure.postgres.migrations import Migration, migrate

pytestmark = pytest.mark.postgres

FIRST = Migration("1", "CREATE TABLE stratal.first (n int); INSERT INTO stratal.first VALUES (1)")
SECOND = Migration("2", "INSERT INTO stratal.first VALUES (2)")

RACE = """
import sys
from infrastructure.postgres.migrations import migrate
steps = [("slow", "SELECT pg_sleep(0.2); CREATE TABLE stratal.raced (n int)")]
steps += [(f"{n}", f"INSERT INTO stratal.raced VALUES ({n})") for n in range(5)]
print(len(migrate(sys.argv[1], steps)))
"""


def numbers(database: str) -> list[int]:
    with psycopg.connect(database) as connection:
        return [n for (n,) in connection.execute("SELECT n FROM stratal.first ORDER BY n")]


def test_each_migration_is_applied_once_and_in_order(empty_database: str) -> None:
    assert migrate(empty_database, [FIRST]) == ["1"]
    assert migrate(empty_database, [FIRST, SECOND]) == ["2"]
    assert migrate(empty_database, [FIRST, SECOND]) == []
    assert numbers(empty_database) == [1, 2]


def test_a_migration_that_fails_leaves_nothing_and_can_be_mended(empty_database: str) -> None:
    broken = Migration("2", "INSERT INTO stratal.first VALUES (2); SELECT 1 / 0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty_database, [FIRST, broken])
    assert numbers(empty_database) == [1]
    assert migrate(empty_database, [FIRST, SECOND]) == ["2"]


def test_a_database_of_a_newer_version_is_left_alone(empty_database: str) -> None:
    migrate(empty_database, [FIRST, SECOND])
    with pytest.raises(DatabaseIsNewer, match="2") as refused:
        migrate(empty_database, [FIRST, Migration("3", "DROP TABLE stratal.first")][:1])
    assert refused.value.unknown == ["2"]
    assert numbers(empty_database) == [1, 2]


def test_a_migration_is_never_rewritten(empty_database: str) -> None:
    migrate(empty_database, [FIRST])
    with pytest.raises(MigrationWasChanged, match="add a new migration"):
        migrate(empty_database, [Migration("1", "SELECT 1"), SECOND])
    assert numbers(empty_database) == [1]


@pytest.mark.slow
def test_eight_processes_that_start_together_apply_each_migration_once(empty_database: str) -> None:
    command = [sys.executable, "-c", RACE, empty_database]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    racers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        for _ in range(8)
    ]
    applied = [racer.communicate(timeout=60)[0].strip() for racer in racers]
    assert sorted(applied) == ["0"] * 7 + ["6"]
    assert [racer.returncode for racer in racers] == [0] * 8
