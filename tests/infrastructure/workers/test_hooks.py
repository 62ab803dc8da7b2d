"""Policies of somebody's own: each event once, in order, with what they answer queued beside it."""

from collections.abc import Iterable, Iterator
from uuid import uuid4, uuid5

import psycopg
import pytest

from application.authorization import Permission
from application.commands import Command, Handling
from application.executions import RequestExecution, RunExecution
from application.ports import Receipt
from domain.kernel import Recorded
from infrastructure.workers.hooks import (
    QUEUE,
    Hook,
    PolicyFailed,
    PolicyIsUnusable,
    lanes_with,
    load,
)
from infrastructure.workers.jobs import decoded
from infrastructure.workers.lanes import LANES
from tests.support.histories import Log, an_id, dataset_created

pytestmark = pytest.mark.postgres

LANES_HERE = lanes_with(
    {
        RequestExecution: Handling(lambda _: Receipt(uuid4(), 1, 1), Permission.EXECUTE),
        RunExecution: Handling(lambda _: Receipt(uuid4(), 1, 1), Permission.WORK),
    }
)


def wished(recorded: Recorded) -> Iterable[Command]:
    """A policy: what is created is executed."""
    event_id = recorded.envelope.event_id
    yield RequestExecution(
        execution_id=uuid5(event_id, "run"), program_id=an_id("program"), inputs={}
    )


class Follows:
    """A log, a hook on it, and the jobs that came of it."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection, self.log = connection, Log()
        self.asked: list[int] = []
        self.fails_at = 0
        self.happens(2)

    def happens(self, number: int) -> None:
        for _ in range(number):
            self.log.append(uuid4(), dataset_created())

    def hook(self, name: str = "acme.policies:route") -> Hook:
        return Hook(name, self._policy, self._events, lambda: self.log.position, LANES_HERE)

    def jobs(self) -> list[str]:
        """The event that caused each job, oldest first, as its position."""
        positions = {str(it.envelope.event_id): it.position for it in self.log.recorded}
        rows = self.connection.execute("SELECT queue, message FROM stratal.jobs ORDER BY id")
        told = [(queue, decoded(message).kwargs["context"]) for queue, message in rows.fetchall()]
        assert {queue for queue, _ in told} <= {QUEUE}
        return [str(positions[context["causation_id"]]) for _, context in told]

    def _policy(self, recorded: Recorded) -> Iterable[Command]:
        self.asked.append(recorded.position or 0)
        if recorded.position == self.fails_at:
            raise ValueError("It does not know what to say.\x00")
        return wished(recorded)

    def _events(self, after: int, limit: int, stop: int) -> list[Recorded]:
        return [it for it in self.log.recorded if after < (it.position or 0) <= stop][:limit]


@pytest.fixture
def follows(database: str) -> Iterator[Follows]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield Follows(connection)


@pytest.mark.feature("VIS-17")
def test_vis_17_a_policy_is_told_what_happens_from_now_on_and_its_answers_are_queued(
    follows: Follows,
) -> None:
    hook = follows.hook()
    hook(follows.connection)
    assert (follows.asked, follows.jobs()) == ([], []), "it begins where the log ends"
    follows.happens(3)
    hook(follows.connection)
    hook(follows.connection)
    assert (follows.asked, follows.jobs()) == ([3, 4, 5], ["3", "4", "5"])


def test_another_process_goes_on_where_the_first_was(follows: Follows) -> None:
    follows.hook()(follows.connection)
    follows.happens(1)
    follows.hook()(follows.connection)
    follows.happens(1)
    follows.hook()(follows.connection)
    assert (follows.asked, follows.jobs()) == ([3, 4], ["3", "4"])


def test_two_policies_answer_the_same_event_each_for_itself(follows: Follows) -> None:
    hooks = [follows.hook("acme.policies:one"), follows.hook("acme.policies:two")]
    for hook in hooks:
        hook(follows.connection)
    follows.happens(1)
    for hook in hooks:
        hook(follows.connection)
    assert follows.jobs() == ["3", "3"]


def test_one_that_cannot_answer_goes_no_further_and_says_why(follows: Follows) -> None:
    hook = follows.hook()
    hook(follows.connection)
    follows.happens(3)
    follows.fails_at = 4
    with pytest.raises(PolicyFailed, match="stops at event 4: ValueError"):
        hook(follows.connection)
    [[failure]] = follows.connection.execute(
        "SELECT failure FROM stratal.policy_positions"
    ).fetchall()
    assert failure.startswith("event 4: ValueError: It does not know")
    follows.fails_at = 0
    hook(follows.connection)
    assert (follows.asked, follows.jobs()) == ([3, 4, 4, 5], ["3", "4", "5"])


def test_a_leader_that_was_replaced_meanwhile_queues_nothing(follows: Follows) -> None:
    follows.hook()(follows.connection)
    follows.happens(1)

    def overtaken(recorded: Recorded) -> Iterable[Command]:
        follows.hook()(follows.connection)  # the other leader is faster
        return wished(recorded)

    slow = Hook(
        "acme.policies:route",
        overtaken,
        lambda after, limit, stop: follows.log.recorded[after:stop],
        lambda: follows.log.position,
        LANES_HERE,
    )
    with pytest.raises(PolicyFailed, match="led elsewhere"):
        slow(follows.connection)
    assert follows.jobs() == ["3"]


def test_a_policy_may_not_do_the_work_of_the_service(follows: Follows) -> None:
    assert LANES_HERE.keys() - LANES.keys() == {RequestExecution}
    hook = Hook(
        "acme.policies:route",
        lambda it: [RunExecution(execution_id=it.originator_id)],
        lambda after, limit, stop: follows.log.recorded[after:stop],
        lambda: follows.log.position,
        LANES_HERE,
    )
    hook(follows.connection)
    follows.happens(1)
    with pytest.raises(PolicyFailed, match="is no command that a policy may answer with"):
        hook(follows.connection)


def test_a_function_is_found_by_its_path_or_that_is_said() -> None:
    assert load("tests.infrastructure.workers.test_hooks:wished") is wished
    for path in ("tests.nowhere:route", "tests.support:nothing", "tests.support.histories:TENANT"):
        with pytest.raises(PolicyIsUnusable, match="STRATAL_POLICIES"):
            load(path)
