"""The key of the first admin, at a real database."""

import pytest

from application.context import Context, within
from domain.access.aggregate import ApiKey
from domain.access.text import read
from domain.access.values import Role
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from infrastructure.main.keys import KeyCannotBeIssued, first_key
from infrastructure.postgres.pool import open_pool
from infrastructure.settings import Settings
from infrastructure.system import new_id

pytestmark = pytest.mark.postgres


def test_the_first_key_is_an_admins_and_on_record(database: str) -> None:
    made = first_key(Settings(database_url=database), "operator", "ann", "acme", 30)
    named = read(made.key)
    assert named is not None
    assert (named.tenant, str(named.key_id)) == ("acme", made.id)
    with open_pool(database, min_size=1, max_size=1, name="keys") as pool:
        log = EventLog(PostgresRecorder(pool))
        with within(Context(tenant="acme", actor="ann", correlation_id=new_id())):
            key = EventSourcedRepository(log, ApiKey).get(named.key_id)
            [issued] = log.history(named.key_id)
    assert (key.name, key.roles) == ("ann", {Role.ADMIN})
    assert key.is_opened_by(named.digest)
    assert (issued.envelope.actor, issued.envelope.command) == ("operator", "IssueKey")


@pytest.mark.parametrize(
    ("name", "tenant", "days", "told"),
    [("a b", "acme", 90, "name: "), ("ann", "A B", 90, "tenant: "), ("ann", "acme", 0, "days: ")],
)
def test_what_cannot_be_is_told_before_anything_is_opened(
    name: str, tenant: str, days: int, told: str
) -> None:
    nowhere = Settings(database_url="postgresql://127.0.0.1:1/none")
    with pytest.raises(KeyCannotBeIssued, match=told):
        first_key(nowhere, "operator", name, tenant, days)
