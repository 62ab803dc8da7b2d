"""A message that somebody put into the queue does what a worker does, and nothing else (A-14)."""

from uuid import UUID, uuid4

import pytest

from application.authorization import AS_WORKER, PermissionIsMissing
from application.executions import RunExecution
from application.keys import IssueKey
from domain.access.values import Role
from infrastructure.workers.jobs import Job, JobIsUnreadable
from infrastructure.workers.lanes import LANES
from tests.support.api import ApiWorld
from tests.support.histories import digest_of

CONTEXT = {"tenant": "acme", "actor": "root", "correlation_id": str(UUID(int=7))}


def test_every_job_is_done_as_a_worker_whoever_it_names() -> None:
    body = {"execution_id": str(uuid4())}
    job = Job.read(RunExecution, id=str(uuid4()), body=body, context=CONTEXT)
    assert job.envelope(None).roles == AS_WORKER == {Role.WORKER}


def test_a_job_that_brings_roles_of_its_own_is_none() -> None:
    body = {"execution_id": str(uuid4())}
    forged = CONTEXT | {"roles": ["admin"]}
    with pytest.raises(JobIsUnreadable, match="roles"):
        Job.read(RunExecution, id=str(uuid4()), body=body, context=forged)


def test_a_job_of_a_command_that_people_wish_has_no_lane_and_is_refused() -> None:
    assert IssueKey not in LANES
    wish = IssueKey(
        key_id=uuid4(), name="eve", roles=(Role.ADMIN,), expires_in_days=9, digest=digest_of("key")
    )
    job = Job.read(IssueKey, id=str(uuid4()), body=wish.model_dump(mode="json"), context=CONTEXT)
    world = ApiWorld()
    with pytest.raises(PermissionIsMissing):
        world.dispatch(job.command, job.envelope(None))
    assert world.log.recorded == []
