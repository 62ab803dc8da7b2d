"""Which call of the log stands where a replay made another one."""

from collections.abc import Callable
from functools import partial
from uuid import uuid4

import pytest

from application.context import within
from application.divergences import parting
from application.journal import ReplayJournal
from application.lm_ports import Diverged, Missed
from application.payloads import Payload
from domain.execution.aggregate import Execution
from domain.run import RunStatus
from tests.support.memory import NOW
from tests.support.payloads import MemoryPayloads
from tests.support.run_world import CONTEXT
from tests.support.runs import answered, key, ref, used


class Log:
    """An execution that made calls, with their texts."""

    def __init__(self) -> None:
        self.payloads = MemoryPayloads()
        self.execution = Execution.request(
            uuid4(), program_id=uuid4(), program_version=1, inputs=ref("in"), at=NOW
        )
        self.execution.start("w", at=NOW)
        assert self.execution.status is RunStatus.RUNNING

    def asked(self, name: str, request: object, *, node: str = "answer") -> None:
        call, _, response = answered(name)
        asked = Payload.of(request)  # type: ignore[arg-type]  # any JSON
        self.payloads.keep("acme", [asked, response])
        call = call.model_copy(update={"node": node, "request": asked.ref})
        self.execution.record_call(call, at=NOW)

    def used(self, name: str) -> None:
        call, arguments, result = used(name)
        self.payloads.keep("acme", [arguments, result])
        self.execution.record_tool_call(call, at=NOW)

    def parted(self, missed: Missed, *asked: str) -> tuple[int | None, str]:
        """The call that stands there, once the calls named *asked* were answered; and in words."""
        with within(CONTEXT):
            journal = ReplayJournal(self.execution, self.payloads)
            for each in asked:
                journal.find(key(each))
            found = parting(self.execution, missed, journal.unasked, self.payloads)
        return found.divergence.call, found.told


def missed(request: object, *, node: str = "answer", tool: str | None = None) -> Missed:
    return Missed(key("new"), node, request, tool)  # type: ignore[arg-type]  # any JSON


def test_it_is_the_first_of_the_node_that_nobody_asked_for() -> None:
    log = Log()
    log.asked("one", {"ask": 1})
    log.asked("else", {"ask": 2}, node="plan")
    log.asked("two", {"ask": 3})
    log.asked("three", {"ask": 4})
    assert log.parted(missed({"ask": 9}), "one") == (3, "Call 3 of the log differs first at /ask.")
    assert log.parted(missed({"ask": 9}, node="plan"))[0] == 2


def test_of_those_that_threads_made_it_is_the_nearest() -> None:
    log = Log()
    log.asked("one", {"row": "a cat", "temperature": 0})
    log.asked("two", {"row": "a dog", "temperature": 0})
    assert log.parted(missed({"row": "a dog", "temperature": 1})) == (
        2,
        "Call 2 of the log differs first at /temperature.",
    )


def test_a_tool_is_held_against_calls_of_the_same_tool() -> None:
    log = Log()
    log.asked("one", {"query": "dogs"})
    log.used("cats")
    assert log.parted(missed({"query": "dogs"}, tool="search")) == (
        2,
        "Call 2 of the log differs first at /query.",
    )
    assert log.parted(missed({"query": "dogs"}, tool="mail"))[0] is None


def test_a_call_that_gave_something_else_asked_the_same() -> None:
    log = Log()
    log.used("cats")
    again = Missed(key("cats"), "answer", {"query": "cats"}, "search")
    assert log.parted(again, "cats") == (1, "Call 1 of the log asked the same.")


def test_one_whose_text_was_erased_still_stands_there() -> None:
    log = Log()
    log.asked("one", {"ask": 1})
    log.payloads.erase_everything()
    assert log.parted(missed({"ask": 9}))[0] == 1


@pytest.mark.parametrize(("tool", "content"), [(None, {"ask": "it"}), ("search", {"query": "it"})])
def test_a_replay_makes_no_call(tool: str | None, content: dict[str, str]) -> None:
    log = Log()
    with within(CONTEXT):
        journal = ReplayJournal(log.execution, log.payloads)
    record: Callable[[], None] = (
        partial(journal.record_tool_call, *used("it"))
        if tool
        else partial(journal.record, *answered("it"))
    )
    with pytest.raises(Diverged, match="not in the log") as refused:
        record()
    assert refused.value.missed == Missed(key("it"), "answer", content, tool)
