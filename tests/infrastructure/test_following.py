"""What a policy's answers do: each once, also when its job is delivered again."""

from dataclasses import replace
from uuid import uuid4

import pytest

from application.authorization import AS_WORKER
from application.context import Context, within
from application.datasets import CreateDataset, LoadRows
from domain.dataset.values import Split
from infrastructure import bootstrap
from infrastructure.following import following
from infrastructure.postgres.read_store import PostgresReadStore
from infrastructure.settings import Settings

pytestmark = pytest.mark.postgres


def test_what_a_policy_answered_is_done_once_though_its_worker_died_before_it_said_so(
    database: str,
) -> None:
    settings = Settings(database_url=database, policies="tests.support.policies:apologize")
    job = Context(tenant="acme", actor="ann", correlation_id=uuid4(), roles=AS_WORKER)
    dataset_id = uuid4()
    load = LoadRows(dataset_id=dataset_id, split=Split.TRAIN, rows=({"q": "Hi"},))
    with bootstrap.system(settings, "test", connections=1) as system:
        led = following(system, PostgresReadStore(system.whole, ()))
        created = replace(job, command_id=str(uuid4()))
        led.dispatch(CreateDataset(dataset_id=dataset_id, name="queue"), created)
        loaded = replace(job, command_id=str(uuid4()))
        assert led.dispatch(load, loaded) == led.dispatch(load, loaded)
        with within(job):
            assert len(system.log.history(dataset_id)) == 2
