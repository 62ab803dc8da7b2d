"""A process of the service says in a sentence why it cannot run."""

import socket
from pathlib import Path

import psycopg
import pytest

from infrastructure.main.address import PortIsTaken
from infrastructure.main.process import (
    DatabaseIsUnreachable,
    carry_on,
    main,
    reaching_the_database,
)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRATAL_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    monkeypatch.setenv("STRATAL_HOME", str(tmp_path))


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:9/none", "nonsense"])
def test_a_database_that_cannot_be_reached(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATAL_DATABASE_URL", url)
    with pytest.raises(DatabaseIsUnreachable, match="mend STRATAL_DATABASE_URL") as refused:
        main("projector")
    assert "\n" not in str(refused.value)


def test_the_api_refuses_a_taken_port_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("STRATAL_PORT", str(other.getsockname()[1]))
        with pytest.raises(PortIsTaken):
            main("api")


def test_a_refusal_is_logged_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    assert carry_on("projector") == 1
    [record] = caplog.records
    assert record.getMessage().endswith("(database.unreachable)")
    assert record.exc_info is None


def test_a_process_that_ends_well_ends_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infrastructure.main.projector.main", lambda: None)
    assert carry_on("projector") == 0


def test_a_defect_keeps_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def defect() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("infrastructure.main.projector.main", defect)
    with pytest.raises(ZeroDivisionError):
        carry_on("projector")


def test_a_wrong_statement_is_a_defect() -> None:
    with pytest.raises(psycopg.errors.SyntaxError), reaching_the_database():
        raise psycopg.errors.SyntaxError
