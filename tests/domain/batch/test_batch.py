"""What may happen to a batch, and whose turn it is."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.batch.aggregate import Batch
from domain.batch.errors import BatchHasEnded, BatchIsNotEstimated
from domain.batch.events import (
    BatchCancelled,
    BatchCompleted,
    BatchEstimated,
    BatchPaused,
    BatchResumed,
)
from domain.batch.values import BatchStatus
from domain.errors import StaleVersion
from tests.support.batches import ESTIMATE, SPENT, a_wish
from tests.support.histories import NOW, ref
from tests.support.scenario import Scenario, told

PAUSED, RESUMED = BatchPaused(failure=SPENT), BatchResumed()
CANCELLED, COMPLETED = BatchCancelled(reason="Enough."), BatchCompleted()


@pytest.fixture
def batch() -> Iterator[Scenario[Batch]]:
    yield from told(Batch)


def a_batch(**changes: int) -> Batch:
    return Batch.request(UUID(int=1), a_wish(**changes), at=NOW)


def test_a_row_that_could_not_be_asked_for_pauses_it_once(batch: Scenario[Batch]) -> None:
    batch.given(a_wish()).when(lambda it: it.pause(SPENT, at=NOW)).then(PAUSED)
    batch.given(PAUSED).when(lambda it: it.pause(SPENT, at=NOW)).then()


def test_only_a_paused_one_has_to_be_resumed(batch: Scenario[Batch]) -> None:
    batch.given(a_wish(), PAUSED).when(lambda it: it.resume(at=NOW)).then(RESUMED)
    batch.given(RESUMED).when(lambda it: it.resume(at=NOW)).then()


def test_one_that_varies_what_is_on_record_waits_for_its_estimate_and_then_for_somebody(
    batch: Scenario[Batch],
) -> None:
    asked = a_wish(varies=ref("varied"))
    estimated = BatchEstimated(estimate=ESTIMATE)
    batch.given(asked).when(lambda it: it.pause(SPENT, at=NOW)).then()
    known = batch.given(asked).when(lambda it: it.estimate(ESTIMATE, at=NOW)).then(estimated)
    assert (known.status, known.found) == (BatchStatus.ESTIMATED, ESTIMATE)
    batch.given(asked, estimated).when(lambda it: it.estimate(ESTIMATE, at=NOW)).then()
    batch.given(asked, estimated).when(lambda it: it.complete(at=NOW)).then()
    batch.given(asked, estimated).when(lambda it: it.resume(at=NOW)).then(RESUMED)
    batch.given(asked, estimated).when(lambda it: it.cancel("Enough.", at=NOW)).then(CANCELLED)


def test_one_without_an_estimate_does_not_begin(batch: Scenario[Batch]) -> None:
    asked = batch.given(a_wish(varies=ref("varied")))
    asked.when(lambda it: it.resume(at=NOW)).then_refused(BatchIsNotEstimated)


@pytest.mark.parametrize("before", [(), (PAUSED,), (PAUSED, RESUMED)], ids=len)
def test_it_is_cancelled_while_it_goes_on_or_is_paused(
    batch: Scenario[Batch], before: tuple[BatchPaused | BatchResumed, ...]
) -> None:
    batch.given(a_wish(), *before).when(lambda it: it.cancel("Enough.", at=NOW)).then(CANCELLED)


@pytest.mark.parametrize("end", [CANCELLED, COMPLETED], ids=str)
def test_one_that_ended_stays_as_it_ended(
    batch: Scenario[Batch], end: BatchCancelled | BatchCompleted
) -> None:
    ended = batch.given(a_wish(), end)
    ended.when(lambda it: it.complete(at=NOW)).then()
    ended.when(lambda it: it.pause(SPENT, at=NOW)).then()
    ended.when(lambda it: it.resume(at=NOW)).then_refused(BatchHasEnded)
    with pytest.raises(BatchHasEnded, match=r"This batch is (cancelled|completed): nothing more"):
        Batch.fold(UUID(int=1), (a_wish(), end)).cancel("Enough.", at=NOW)


def test_its_state_is_told_by_its_events() -> None:
    statuses = {
        event: Batch.fold(UUID(int=1), (a_wish(), event)).status
        for event in (PAUSED, RESUMED, CANCELLED, COMPLETED)
    }
    assert statuses == {
        PAUSED: BatchStatus.PAUSED,
        RESUMED: BatchStatus.RUNNING,
        CANCELLED: BatchStatus.CANCELLED,
        COMPLETED: BatchStatus.COMPLETED,
    }
    assert [each for each in BatchStatus if each.is_terminal] == ["completed", "cancelled"]


def test_a_decision_on_an_older_state_is_refused() -> None:
    with pytest.raises(StaleVersion):
        a_batch().expect(2)


@given(count=st.integers(1, 200), concurrency=st.integers(1, 64), size=st.integers(1, 9))
def test_each_row_has_one_turn_one_place_and_one_run(
    count: int, concurrency: int, size: int
) -> None:
    batch = a_batch(count=count, concurrency=concurrency, rows_a_chunk=size)
    chunks = tuple(a_wish().chunks[0] for _ in range(-(-count // size)))
    batch.wish = batch.wish.model_copy(update={"chunks": chunks})
    turns = [row for track in batch.tracks for row in track]
    assert sorted(turns) == [*range(1, count + 1)]
    assert len(batch.tracks) == min(count, concurrency)
    for track in batch.tracks:
        assert [batch.next_after(row) for row in track] == [*track[1:], None]
    places = [index for _, index in map(batch.place_of, range(1, count + 1))]
    assert places == [row % size for row in range(count)]
    assert len({batch.run_of(row) for row in turns}) == count
