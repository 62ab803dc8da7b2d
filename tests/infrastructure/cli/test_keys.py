"""``stratal key``: issued and shown once, listed, revoked; the first one at the database."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from domain.access.text import read
from domain.access.values import Role
from infrastructure.client import Stratal, StratalProblem
from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import ApiWorld
from tests.support.keyed import key_of, keyring
from tests.support.sse import serving

Call = Callable[..., Said]


def test_a_key_is_issued_listed_and_revoked(stratal: Call) -> None:
    assert "There are no keys." in stratal("key", "list").out
    said = stratal("key", "issue", "ci", "--role", "viewer", "--role", "ml_user", "--days", "30")
    key, _, sentence = said.out.strip().split("\n")
    named = read(key)
    assert named is not None
    assert sentence.endswith("Keep it now: it is never shown again.")
    assert str(named.key_id) in sentence
    listed = stratal("key", "list").out
    assert "ml_user viewer" in listed
    assert key not in listed
    (row,) = stratal("key", "list", "--json").json
    assert row["api_key_id"] == str(named.key_id)
    revoked = stratal("key", "revoke", str(named.key_id), "--reason", "Lost.")
    assert revoked.out == f"Key {named.key_id} is revoked.\n"
    assert "no keys" in stratal("key", "list").out
    (row,) = stratal("key", "list", "--revoked", "--json").json
    assert row["revoked_because"] == "Lost."
    assert str(named.key_id) in stratal("key", "list", "--revoked").out


def test_programs_get_json(stratal: Call) -> None:
    made = stratal("key", "issue", "ci", "--role", "viewer", "--json").json
    assert read(made["key"]) is not None
    assert stratal("key", "revoke", made["id"], "--json").json["version"] == 2


def test_a_role_that_is_none_is_told(stratal: Call) -> None:
    said = stratal("key", "issue", "ci", "--role", "root")
    assert (said.status, said.out) == (1, "")
    assert "request.invalid" in said.err


def test_the_first_key_is_made_at_the_database(stratal: Call) -> None:
    said = stratal("key", "first", "ann", "--tenant", "acme")
    assert said.out.startswith("key of ann, acme, 90 days\n")


def test_a_client_sends_its_key_and_is_told_when_it_is_no_good(
    bench: Bench, world: ApiWorld
) -> None:
    key = key_of(world, Role.ADMIN, tenant=f"t-{uuid4().hex}", name="ann")
    with (
        serving(world.app(callers=keyring(world))) as at,
        Stratal(at.url, "another", "bob", key=key) as mine,
        Stratal(at.url, "another", "bob") as nobody,
    ):
        made = mine.keys.issue("ci", ["viewer"])
        assert mine.keys.get(made["id"])["created_by"] == "ann"
        mine.keys.revoke(made["id"])
        with Stratal(at.url, key=made["key"]) as late:
            for ask in (
                lambda: nobody.get("/v1/programs"),
                lambda: next(nobody.follow()),
                lambda: late.get("/v1/programs"),
            ):
                with pytest.raises(StratalProblem) as refused:
                    ask()
                assert refused.value.status == 401
