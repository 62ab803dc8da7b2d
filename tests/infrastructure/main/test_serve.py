"""What ``stratal serve`` tells the processes it starts."""

from collections.abc import Mapping

import pytest

from infrastructure.main import serve
from infrastructure.postgres.roles import Access
from infrastructure.settings import Settings, SettingsAreInvalid
from infrastructure.supervision import ChildSpec

SERVICE, OWNER = "postgresql://service@db/stratal", "postgresql://owner@db/stratal"


def test_the_processes_never_learn_the_owners_address(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, Mapping[str, str]] = {}

    def child(spec: ChildSpec, environment: Mapping[str, str]) -> None:
        told[spec.name] = environment

    monkeypatch.setattr(serve, "Child", child)
    monkeypatch.setenv("STRATAL_DATABASE_URL", SERVICE)
    monkeypatch.setenv("STRATAL_DATABASE_OWNER_URL", OWNER)
    settings = Settings.from_environment()
    serve._groups(serve._handed_on(settings, Access(SERVICE, OWNER), 8001))
    assert told.keys() >= {"api", "projector", "worker-1"}
    for environment in told.values():
        assert OWNER not in environment.values()
        heard = Settings.from_environment(environment)
        assert (heard.database_url, heard.database_owner_url) == (SERVICE, None)
        assert heard.port == 8001


def test_an_owner_alone_is_no_setting() -> None:
    with pytest.raises(
        SettingsAreInvalid, match=r"STRATAL_DATABASE_OWNER_URL: .* STRATAL_DATABASE_URL"
    ):
        Settings.from_environment({"STRATAL_DATABASE_OWNER_URL": OWNER})
