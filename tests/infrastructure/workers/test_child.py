"""The child's side, without a process."""

import json
from uuid import UUID, uuid4

import pytest

from application.commands import Command
from application.context import Context
from application.errors import ConcurrentWrite, StoreIsUnavailable
from application.tracing import NoTracing
from infrastructure.workers import child
from infrastructure.workers.carrier import Carrier
from infrastructure.workers.child import Exit
from infrastructure.workers.jobs import Job, JobIsUnreadable
from tests.support.workers import LANES, Note, NoteApart, Refused

JOB = {
    "command": "NoteApart",
    "id": "00000000-0000-0000-0000-000000000009",
    "body": {"n": 3},
    "context": {"tenant": "acme", "actor": "ann", "correlation_id": str(UUID(int=7))},
}


def carried(fault: Exception | None) -> Exit:
    def dispatch(command: Command, context: Context) -> None:
        assert context.command_id == JOB["id"]
        assert command == NoteApart(n=3)
        if fault:
            raise fault

    job = child.read(json.dumps(JOB).encode(), LANES)
    return child.carry(job, Carrier(dispatch, NoTracing()))


def test_a_job_survives_the_way_to_the_child() -> None:
    job = child.read(json.dumps(JOB).encode(), LANES)
    again = json.dumps({"command": "NoteApart", "id": str(job.id), **job.body()})
    assert child.read(again.encode(), LANES) == job


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b"{}", json.dumps({**JOB, "command": "Other"}).encode(), b'{"command": 1}']
    + [json.dumps({**JOB, key: "?"}).encode() for key in ("id", "body", "context")],
)
def test_what_is_no_job_is_named_so(document: bytes) -> None:
    with pytest.raises(JobIsUnreadable):
        child.read(document, LANES)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (None, Exit.DONE),
        (Refused("It may not be."), Exit.DONE),
        (StoreIsUnavailable("it rests"), Exit.TRY_AGAIN),
        (ConcurrentWrite("note", UUID(int=1)), Exit.TRY_AGAIN),
    ],
)
def test_the_exit_code_says_how_it_went(fault: Exception | None, code: Exit) -> None:
    assert carried(fault) is code


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(RuntimeError):
        carried(RuntimeError("a bug"))


def test_equal_commands_have_equal_keys() -> None:
    context = child.read(json.dumps(JOB).encode(), LANES).context
    one, two = (Job(uuid4(), Note(n=1), context) for _ in range(2))
    assert one.key == two.key != Job(uuid4(), Note(n=2), context).key
    assert one.key != Job(uuid4(), NoteApart(n=1), context).key
