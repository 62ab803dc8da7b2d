"""Issuing and revoking keys."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from pydantic import ValidationError

from application.authorization import PermissionIsMissing
from application.commands import CommandBus
from application.context import Context
from application.keys import IssueKey, KeyHandlers, RevokeKey
from domain.access.aggregate import ApiKey
from domain.access.errors import InvalidKey
from domain.access.events import ApiKeyRevoked
from domain.access.values import Role
from domain.errors import StaleVersion
from tests.support.access import a_key
from tests.support.histories import digest_of
from tests.support.memory import FixedClock, MemoryLog, MemoryRepository

ADMIN = Context(
    tenant="acme", actor="root", correlation_id=UUID(int=1), roles=frozenset({Role.ADMIN})
)
KEY = UUID(int=7)
ISSUE = IssueKey(
    key_id=KEY, name="ann", roles=(Role.VIEWER,), expires_in_days=90, digest=digest_of("key")
)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def bus(log: MemoryLog) -> CommandBus:
    return CommandBus(KeyHandlers(MemoryRepository(ApiKey, log), FixedClock()))


def test_a_key_is_issued_and_only_its_digest_is_kept(bus: CommandBus, log: MemoryLog) -> None:
    receipt = bus.dispatch(ISSUE, ADMIN)
    assert (receipt.id, receipt.version) == (KEY, 1)
    [recorded] = log.recorded
    assert recorded.event == a_key(days=90)
    assert recorded.envelope.actor == "root"


def test_a_key_is_revoked(bus: CommandBus, log: MemoryLog) -> None:
    bus.dispatch(ISSUE, ADMIN)
    with pytest.raises(StaleVersion):
        bus.dispatch(RevokeKey(key_id=KEY, expected_version=7), ADMIN)
    bus.dispatch(RevokeKey(key_id=KEY, reason="Lost."), ADMIN)
    assert log.recorded[-1].event == ApiKeyRevoked(reason="Lost.")


def test_a_repeated_wish_is_the_same_whatever_text_was_made_for_it(bus: CommandBus) -> None:
    other = ISSUE.model_copy(update={"digest": digest_of("another")})
    assert other.fingerprint == ISSUE.fingerprint
    assert ISSUE.model_copy(update={"name": "bob"}).fingerprint != ISSUE.fingerprint
    once = replace(ADMIN, command_id="k", fingerprint=ISSUE.fingerprint)
    assert bus.dispatch(ISSUE, once) == bus.dispatch(other, once)


def test_nobody_is_made_a_worker(bus: CommandBus, log: MemoryLog) -> None:
    with pytest.raises(InvalidKey):
        bus.dispatch(ISSUE.model_copy(update={"roles": (Role.WORKER,)}), ADMIN)
    assert log.recorded == []


@pytest.mark.parametrize("role", [each for each in Role if each is not Role.ADMIN])
def test_only_an_admin_issues_and_revokes(bus: CommandBus, log: MemoryLog, role: Role) -> None:
    for wish in (ISSUE, RevokeKey(key_id=KEY)):
        with pytest.raises(PermissionIsMissing, match="with the role admin"):
            bus.dispatch(wish, replace(ADMIN, roles=frozenset({role})))
    assert log.recorded == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"roles": ()},
        {"roles": ("root",)},
        {"expires_in_days": 0},
        {"expires_in_days": 366},
        {"name": "a b"},
        {"digest": "key"},
        {"is_admin": True},
    ],
    ids=str,
)
def test_a_wish_that_cannot_be_is_none(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        IssueKey.model_validate(ISSUE.model_dump() | wrong)


def test_a_year_is_the_longest(bus: CommandBus, log: MemoryLog) -> None:
    bus.dispatch(ISSUE.model_copy(update={"expires_in_days": 365}), ADMIN)
    assert log.recorded[0].event == a_key(days=365)
    assert a_key(days=365).expires_at - a_key(days=0).expires_at == timedelta(days=365)
