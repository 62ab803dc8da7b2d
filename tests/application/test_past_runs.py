"""Recorded executions become rows: each knows which execution it is of."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from application.context import within
from application.datasets import CreateDataset, LoadRows
from application.examples import rows_of
from application.past_runs import (
    LINEAGE,
    LoadExecutions,
    NoPastRuns,
    PastRun,
    PastRunHandlers,
    Which,
)
from application.payloads import Payload
from domain.dataset.errors import FieldsDiffer
from domain.dataset.values import Split
from domain.errors import StaleVersion
from domain.text import JsonObject
from tests.support.run_world import CONTEXT, World

PROGRAM = uuid4()


class Past(World):
    """A world with datasets, in which so many executions are on record."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[PastRun] = []
        self.handlers = PastRunHandlers(self.datasets, self, self.payloads, self.clock)
        self.dataset_id = uuid4()
        self.do(CreateDataset(dataset_id=self.dataset_id, name="recorded"))

    def completed(self, which: Which) -> Sequence[PastRun]:
        return [run for run in self.runs if which.program_id == PROGRAM][-which.limit :]

    def ran(self, inputs: JsonObject, outputs: JsonObject, *, erased: bool = False) -> UUID:
        texts = Payload.of(inputs), Payload.of(outputs)
        run = PastRun(uuid4(), texts[0].ref, texts[1].ref)
        self.runs.append(run)
        if not erased:
            self.payloads.keep("acme", texts)
        return run.execution_id

    def load(self, expected: int | None = None, **narrowed: object) -> None:
        which = Which.model_validate({"program_id": PROGRAM, **narrowed})
        with within(CONTEXT):
            self.handlers.load(
                LoadExecutions(
                    dataset_id=self.dataset_id,
                    split=Split.TRAIN,
                    which=which,
                    expected_version=expected,
                )
            )

    @property
    def rows(self) -> Sequence[object]:
        with within(CONTEXT):
            dataset = self.datasets.get(self.dataset_id)
            return [dict(row) for row in rows_of(dataset, Split.TRAIN, self.payloads)]


@pytest.fixture
def past() -> Past:
    return Past()


def test_a_row_is_what_an_execution_took_and_gave_and_names_it(past: Past) -> None:
    first = past.ran({"message": "Hi."}, {"queue": "bug"})
    second = past.ran({"message": "Pay."}, {"queue": "billing"})
    past.load()
    assert past.rows == [
        {"message": "Hi.", "queue": "bug", LINEAGE: str(first)},
        {"message": "Pay.", "queue": "billing", LINEAGE: str(second)},
    ]


def test_versions_that_took_or_gave_more_leave_null_where_others_had_nothing(past: Past) -> None:
    past.ran({"message": "Hi."}, {"queue": "bug"})
    past.ran({"message": "Pay.", "hint": "money"}, {"queue": "billing", "why": "It says pay."})
    past.load()
    first, second = past.rows
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert [first[name] for name in ("hint", "why")] == [None, None]
    assert first.keys() == second.keys()


def test_what_was_erased_is_left_out_and_nothing_at_all_is_refused(past: Past) -> None:
    with pytest.raises(NoPastRuns):
        past.load()
    past.ran({"message": "Secret."}, {"queue": "bug"}, erased=True)
    with pytest.raises(NoPastRuns):
        past.load()
    past.ran({"message": "Hi."}, {"queue": "bug"})
    past.load()
    assert len(past.rows) == 1


def test_they_join_rows_that_were_written_by_hand_if_they_have_the_same_fields(past: Past) -> None:
    rows = ({"message": "By hand.", "queue": "bug"},)
    past.do(LoadRows(dataset_id=past.dataset_id, split=Split.TRAIN, rows=rows))
    past.ran({"message": "Hi."}, {"queue": "bug"})
    past.load(expected=2)
    assert len(past.rows) == 2
    past.ran({"message": "Hi."}, {"other": "bug"})
    with pytest.raises(FieldsDiffer):
        past.load(limit=1)


def test_a_load_that_was_decided_on_an_older_version_is_refused(past: Past) -> None:
    past.ran({"message": "Hi."}, {"queue": "bug"})
    with pytest.raises(StaleVersion):
        past.load(expected=9)
