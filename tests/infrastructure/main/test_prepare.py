"""``stratal db prepare`` on a database of one's own: once with the owner, then without."""

import os

import pytest

from infrastructure.cli.app import build_app
from infrastructure.cli.running import run
from infrastructure.main.cli import verbs
from tests.support.postgres import service_of

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def set_up(monkeypatch: pytest.MonkeyPatch, empty_database: str) -> pytest.MonkeyPatch:
    for name in [each for each in os.environ if each.startswith("STRATAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STRATAL_DATABASE_URL", service_of(empty_database))
    return monkeypatch


def test_what_the_owner_prepared_needs_him_no_more(
    set_up: pytest.MonkeyPatch, empty_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = build_app(verbs())
    assert run(app, ["db", "prepare"]) == 1
    assert capsys.readouterr().err.endswith("(postgres.not_prepared)\n")

    set_up.setenv("STRATAL_DATABASE_OWNER_URL", empty_database)
    assert run(app, ["db", "prepare"]) == 0

    set_up.delenv("STRATAL_DATABASE_OWNER_URL")
    assert run(app, ["db", "prepare"]) == 0
    said = "The database is ready; stratal_service may add to the log and not change it.\n"
    assert capsys.readouterr().out == said * 2


def test_a_role_that_could_change_the_log_is_refused(
    set_up: pytest.MonkeyPatch, empty_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up.setenv("STRATAL_DATABASE_URL", empty_database)
    assert run(build_app(verbs()), ["db", "prepare"]) == 1
    assert capsys.readouterr().err.endswith("(postgres.role_too_powerful)\n")
