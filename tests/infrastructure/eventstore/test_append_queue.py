"""Who waits for an append is taken along by the next, in fair turns, and is never forgotten."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Thread
from time import monotonic, sleep
from uuid import UUID, uuid4

import pytest

from application.errors import LogIsBusy
from infrastructure.eventstore.append_queue import MOST_EVENTS, AppendQueue
from infrastructure.eventstore.requests import Beside, Request, TooLate
from infrastructure.eventstore.stored import SealedEvent


def request(tenant: str = "acme", *, events: int = 1, stream: UUID | None = None) -> Request:
    stream = stream or uuid4()
    return Request(
        [
            SealedEvent(stream, n + 1, "probe", b"{}", event_id=uuid4(), tenant=tenant, metadata="")
            for n in range(events)
        ],
        Beside(),
    )


def queue(bound: int = 1000, wait_s: float = 10.0) -> AppendQueue:
    return AppendQueue(bound=bound, wait_s=wait_s)


class Callers:
    """Threads that enter the queue, one after the other; those left waiting end with the tests."""

    def __init__(self, queue: AppendQueue) -> None:
        self._queue = queue
        self.leader = request()
        queue.enter(self.leader)

    def enter(self, *requests: Request) -> Sequence[Future[None]]:
        futures: list[Future[None]] = []
        for each in requests:
            before = self._queue._waiting
            futures.append(self._start(each))
            until = monotonic() + 5
            while self._queue._waiting == before and not futures[-1].done():
                assert monotonic() < until
                sleep(0.001)
        return futures

    def _start(self, request: Request) -> Future[None]:
        future: Future[None] = Future()

        def enter() -> None:
            try:
                self._queue.enter(request)
            except LogIsBusy as error:
                future.set_exception(error)
            else:
                future.set_result(None)

        Thread(target=enter, daemon=True).start()
        return future

    def lead(self, leader: Request) -> Sequence[Request]:
        """Carry a batch as *leader*, everything in it with success."""
        batch = self._queue.take(leader)
        for position, each in enumerate(batch):
            each.outcome = position
        self._queue.leave(leader, batch)
        return batch


def test_a_caller_alone_leads_at_once() -> None:
    lone = queue()
    for _ in range(3):
        only = request()
        lone.enter(only)
        assert only.leads
        assert lone.take(only) == [only]
        lone.leave(only, [only])
        assert not only.leads


def test_who_comes_meanwhile_leads_next_and_takes_the_others_along() -> None:
    callers = Callers(queue())
    waiting = [request() for _ in range(5)]
    futures = callers.enter(*waiting)
    assert callers.lead(callers.leader)[:1] == [callers.leader]
    # They had come before the leader took, so they went with it.
    for each in futures:
        each.result(5)
    assert not any(each.leads for each in waiting)


def test_who_comes_after_the_leader_took_waits_for_the_next() -> None:
    callers = Callers(late := queue())
    batch = late.take(callers.leader)
    waiting = [request() for _ in range(3)]
    futures = callers.enter(*waiting)
    late.leave(callers.leader, batch)
    futures[0].result(5)
    assert waiting[0].leads
    assert [*callers.lead(waiting[0])] == waiting
    for each in futures:
        each.result(5)


def test_tenants_take_turns() -> None:
    callers = Callers(fair := queue())
    many = [request("many") for _ in range(6)]
    few, other = [request("few") for _ in range(2)], [request("other")]
    callers.enter(*many, *few, *other)
    batch = [each.tenant for each in fair.take(callers.leader)]
    assert batch == ["acme", "many", "few", "other", "many", "few", "many", "many", "many", "many"]


def test_a_flood_of_one_tenant_does_not_push_another_out_of_a_batch() -> None:
    callers = Callers(fair := queue())
    callers.enter(request("few", events=10), *[request("flood", events=100) for _ in range(7)])
    assert [each.tenant for each in fair.take(callers.leader)] == ["acme", "few", *["flood"] * 4]


def test_a_batch_has_an_end() -> None:
    callers = Callers(full := queue())
    large, small = request(events=MOST_EVENTS - 1), request()
    callers.enter(large, small)
    assert full.take(callers.leader) == [callers.leader, large]
    assert full._waiting == 1


def test_a_request_larger_than_a_batch_goes_alone() -> None:
    callers = Callers(full := queue())
    huge, small = request(events=2 * MOST_EVENTS), request()
    futures = callers.enter(huge, small)
    assert callers.lead(callers.leader) == [callers.leader]
    futures[0].result(5)
    assert full.take(huge) == [huge]


def test_a_rival_is_told_when_the_other_is_stored() -> None:
    stream = uuid4()
    callers = Callers(queue())
    first, second = request(stream=stream), request(stream=stream)
    futures = callers.enter(first, second)
    assert callers.lead(callers.leader) == [callers.leader, first]
    for each in futures:
        each.result(5)
    assert second.outcome == TooLate({"version"})


def test_a_rival_gets_its_turn_when_the_other_is_refused() -> None:
    stream = uuid4()
    callers = Callers(rivals := queue())
    first, second, third = (request(stream=stream) for _ in range(3))
    futures = callers.enter(first, second, third)
    batch = rivals.take(callers.leader)
    for each in batch:
        each.outcome = TooLate({"receipt"})
    rivals.leave(callers.leader, batch)
    futures[1].result(5)
    assert second.leads
    assert callers.lead(second) == [second]
    futures[2].result(5)
    assert third.outcome == TooLate({"version"})


def test_a_full_queue_refuses_and_still_takes_a_tenant_that_has_nothing_in_it() -> None:
    callers = Callers(busy := queue(bound=4))
    callers.enter(*[request("flood") for _ in range(4)])
    with pytest.raises(LogIsBusy, match="4 appends wait"):
        busy.enter(request("flood"))
    callers.enter(request("small"))
    with pytest.raises(LogIsBusy):
        busy.enter(request("flood"))
    callers.enter(request("small"))
    with pytest.raises(LogIsBusy):
        busy.enter(request("small"))
    assert busy._waiting == 6


def test_who_waits_too_long_is_withdrawn() -> None:
    callers = Callers(slow := queue(wait_s=0.05))
    late = request()
    with pytest.raises(LogIsBusy):
        slow.enter(late)
    assert callers.lead(callers.leader) == [callers.leader]
    slow.enter(late)
    assert late.leads


def test_who_was_taken_along_waits_for_its_outcome_however_long() -> None:
    callers = Callers(slow := queue(wait_s=0.05))
    taken = request()
    (future,) = callers.enter(taken)
    batch = slow.take(callers.leader)
    with pytest.raises(TimeoutError):
        future.result(0.2)
    for each in batch:
        each.outcome = 1
    slow.leave(callers.leader, batch)
    future.result(5)


def test_a_leader_that_is_stopped_gives_the_lead_to_the_next() -> None:
    callers = Callers(stopped := queue())
    (future,) = callers.enter(following := request())
    stopped.abandon(callers.leader)
    future.result(5)
    assert following.leads


def test_a_rival_that_is_stopped_never_leads() -> None:
    stream = uuid4()
    callers = Callers(stopped := queue())
    first, second = request(stream=stream), request(stream=stream)
    futures = callers.enter(first, second)
    batch = stopped.take(callers.leader)
    stopped.abandon(second)
    for each in batch:
        each.outcome = TooLate({"version"})
    stopped.leave(callers.leader, batch)
    futures[0].result(5)
    stopped.enter(following := request())
    assert following.leads


def test_many_callers_all_come_through() -> None:
    crowded, stop = queue(), Event()
    carried: list[Request] = []

    def call(number: int) -> int:
        mine = request(f"t{number % 5}")
        crowded.enter(mine)
        if mine.leads:
            batch = crowded.take(mine)
            assert not stop.is_set()
            stop.set()  # nobody else leads meanwhile
            for each in batch:
                each.outcome = len(carried)
                carried.append(each)
            stop.clear()
            crowded.leave(mine, batch)
        assert isinstance(mine.outcome, int)
        return mine.outcome

    with ThreadPoolExecutor(32) as threads:
        outcomes = sorted(threads.map(call, range(5000)))
    assert outcomes == [*range(5000)]
    assert not crowded._lines
    assert not crowded._is_led


def test_who_is_refused_leaves_no_trace_in_the_line() -> None:
    callers = Callers(busy := queue(bound=1))
    (future,) = callers.enter(waiting := request("one"))
    with pytest.raises(LogIsBusy):
        busy.enter(request("other"))
    assert callers.lead(callers.leader) == [callers.leader, waiting]
    future.result(5)
    busy.enter(following := request("other"))
    assert following.leads


@pytest.mark.parametrize("bound", [1, 2, 3])
@pytest.mark.parametrize("wait_s", [0.001, 10.0])
def test_with_little_room_for_many_tenants_every_caller_ends(bound: int, wait_s: float) -> None:
    crowded = queue(bound, wait_s)
    ended: list[bool] = []

    def call(number: int) -> None:
        for turn in range(100):
            mine = request(f"t{(number * turn) % 5}")
            try:
                crowded.enter(mine)
            except LogIsBusy:
                ended.append(False)
                continue
            if mine.leads:
                batch = crowded.take(mine)
                sleep(0.0002)  # the others come meanwhile
                for each in batch:
                    each.outcome = 1
                crowded.leave(mine, batch)
            ended.append(mine.outcome == 1)

    threads = [Thread(target=call, args=(number,), daemon=True) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(ended) == 1200
    assert set(ended) == {True, False}
    assert not crowded._lines
    assert not crowded._is_led
