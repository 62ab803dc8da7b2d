from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from infrastructure.postgres import safety
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.errors import ServerIsTooOld, ServerIsUnsafe
from infrastructure.postgres.safety import check_server
from tests.support.postgres import owner_of

pytestmark = pytest.mark.postgres


def test_the_embedded_server_is_safe_and_detects_damaged_pages(database: str) -> None:
    report = check_server(database)
    assert report.version.startswith("18.")
    assert report.data_checksums


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_server_that_may_lose_acknowledged_writes_is_refused(home: Path, setting: str) -> None:
    url = EmbeddedPostgres(home).start()
    change(url, "ALTER SYSTEM SET {} = off", setting)
    with pytest.raises(ServerIsUnsafe, match=f"ALTER SYSTEM RESET {setting}") as refused:
        check_server(url)
    assert (refused.value.setting, refused.value.value) == (setting, "off")
    change(url, "ALTER SYSTEM RESET {}", setting)  # as the message says
    assert check_server(url).data_checksums


def test_an_unsafe_default_of_the_database_alone_is_refused(database: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with psycopg.connect(owner_of(database), autocommit=True) as connection:
        alter = sql.SQL("ALTER DATABASE {} SET synchronous_commit = off")
        connection.execute(alter.format(sql.Identifier(str(name))))
    with pytest.raises(ServerIsUnsafe, match="ALTER DATABASE"):
        check_server(database)


def test_an_old_server_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safety, "OLDEST_VERSION", 99)
    with pytest.raises(ServerIsTooOld, match="99 or newer"):
        check_server(database)


def change(url: str, statement: str, setting: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")
    for _ in range(100):  # the reload reaches new sessions a moment later
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
        if row == ("off" if "SET" in statement.split() else "on",):
            return
