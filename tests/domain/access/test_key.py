"""The life of a key."""

import hmac
from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.access.aggregate import ApiKey
from domain.access.errors import InvalidKey, KeyIsExpired, KeyIsRevoked
from domain.access.events import ApiKeyIssued, ApiKeyRevoked
from domain.access.values import Role
from tests.support.access import a_key
from tests.support.histories import digest_of
from tests.support.scenario import ID, NOW, Scenario, told

ISSUED, REVOKED = a_key(Role.ADMIN, Role.ML_USER), ApiKeyRevoked(reason="lost")


@pytest.fixture
def key() -> Iterator[Scenario[ApiKey]]:
    yield from told(ApiKey)


def test_a_key_is_issued_to_a_name_with_roles_and_an_end(key: Scenario[ApiKey]) -> None:
    twice = a_key(Role.ML_USER, Role.ADMIN, Role.ML_USER)
    issued = key.when_begun(lambda new: ApiKey.issue(new, twice, at=NOW)).then(ISSUED)
    assert (issued.name, issued.roles) == ("ann", {Role.ADMIN, Role.ML_USER})
    assert issued.expires_at == NOW + timedelta(days=90)


@pytest.mark.parametrize(
    ("granted", "pointer"),
    [
        (ISSUED.model_copy(update={"roles": ()}), "/roles"),
        (a_key(Role.WORKER), "/roles"),
        (a_key(days=0), "/expires_in_days"),
        (a_key(days=366), "/expires_in_days"),
    ],
    ids=["no role", "worker", "no life", "too long"],
)
def test_a_key_that_nobody_can_be_given_is_refused(granted: ApiKeyIssued, pointer: str) -> None:
    with pytest.raises(InvalidKey) as refused:
        ApiKey.issue(ID, granted, at=NOW)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_a_key_may_live_a_year(key: Scenario[ApiKey]) -> None:
    year = a_key(days=365)
    key.when_begun(lambda new: ApiKey.issue(new, year, at=NOW)).then(year)


def test_a_key_is_revoked_once(key: Scenario[ApiKey]) -> None:
    key.given(ISSUED).when(lambda it: it.revoke("lost", at=NOW)).then(REVOKED)


def test_revoking_twice_changes_nothing(key: Scenario[ApiKey]) -> None:
    key.given(ISSUED, REVOKED).when(lambda it: it.revoke("again", at=NOW)).then()


def test_a_key_is_opened_by_its_own_text_alone() -> None:
    issued = ApiKey.fold(ID, [ISSUED])
    assert issued.is_opened_by(digest_of("key"))
    assert not issued.is_opened_by(digest_of("another"))


def test_digests_are_compared_in_a_time_that_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def spy(ours: str, theirs: str) -> bool:
        compared.append((ours, theirs))
        return hmac.compare_digest(ours, theirs)

    monkeypatch.setattr("domain.access.aggregate.compare_digest", spy)
    near = digest_of("key")[:-1] + "!"
    assert not ApiKey.fold(ID, [ISSUED]).is_opened_by(near)
    assert compared == [(digest_of("key"), near)]


def test_a_key_is_good_until_its_last_moment() -> None:
    issued = ApiKey.fold(ID, [a_key(days=1)])
    issued.require_good(NOW + timedelta(days=1, seconds=-1))
    with pytest.raises(KeyIsExpired, match="expired at 2030-01-02 00:00 UTC"):
        issued.require_good(NOW + timedelta(days=1))


def test_a_revoked_key_is_good_no_more() -> None:
    with pytest.raises(KeyIsRevoked, match="was revoked"):
        ApiKey.fold(ID, [ISSUED, REVOKED]).require_good(NOW)
