"""A question answered by what a dataset says: searched, joined, asked, told, replayed."""

from uuid import UUID, uuid4

import pytest

from application.datasets import CreateDataset, LoadRows
from application.executions import RequestExecution, RunExecution
from application.replays import RequestReplay, RunReplay
from domain.dataset.values import Split
from domain.execution.events import (
    ExecutionCompleted,
    ExecutionLmCalled,
    ExecutionToolCalled,
    ReplayVerified,
)
from domain.module.kinds import ModuleKind
from domain.module.parameters import Retrieve
from domain.module.values import DEFAULTS, ModuleSpec
from domain.signature.syntax import parse
from domain.tool.values import Corpus
from tests.support.dspy_programs import FakeEngine, bound, engine_on
from tests.support.graphs import qa_with_retrieval
from tests.support.run_world import World

EIFFEL = (
    "The Eiffel Tower was completed in 1889.",
    "It is located in Paris, France.",
    "The Eiffel Tower is 330 metres tall.",
)
QUESTION = "When was the Eiffel Tower completed?"


class Library(World):
    """A dataset of sentences, and a program that answers by them."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = FakeEngine()
        model = bound(self.engine)
        self.bus = self.bus_with(engine_on(model))
        self.dataset_id = uuid4()
        self.do(CreateDataset(dataset_id=self.dataset_id, name="eiffel"))
        self.learns(*EIFFEL)
        signature = parse("query -> passages: list[string]")
        corpus = Corpus(dataset_id=self.dataset_id, field="text")
        spec = ModuleSpec(
            kind=ModuleKind.RETRIEVE,
            signature=signature,
            config=DEFAULTS[ModuleKind.RETRIEVE],
            parameters=Retrieve(corpus=corpus, k=2),
        )
        self.program_id = self.a_program(qa_with_retrieval(spec))

    def learns(self, *sentences: str) -> None:
        rows = tuple({"text": each} for each in sentences)
        self.do(LoadRows(dataset_id=self.dataset_id, split=Split.TRAIN, rows=rows))

    def asked(self) -> UUID:
        execution_id = uuid4()
        self.do(
            RequestExecution(
                execution_id=execution_id,
                program_id=self.program_id,
                inputs={"question": QUESTION},
            )
        )
        self.do(RunExecution(execution_id=execution_id))
        return execution_id

    @property
    def prompt(self) -> str:
        """The last message that the model was sent."""
        return self.engine.requests[-1].messages[-1].text or ""


@pytest.mark.feature("MOD-30")
def test_mod_30_the_passages_of_a_dataset_are_joined_by_newlines_into_the_context() -> None:
    library = Library()
    events = library.events(library.asked())
    assert isinstance(events[-1], ExecutionCompleted)
    assert f"[[ ## context ## ]]\n{EIFFEL[0]}\n{EIFFEL[2]}\n\n[[ ## question" in library.prompt
    assert len([event for event in events if isinstance(event, ExecutionToolCalled)]) == 1
    calls = [event for event in events if isinstance(event, ExecutionLmCalled)]
    assert [event.call.node for event in calls] == ["generate"]


def test_rows_that_come_later_are_found_by_later_runs_and_change_no_replay() -> None:
    library = Library()
    before = library.asked()
    library.learns("The Eiffel Tower was completed on 31 March 1889: completed, at last.")
    library.asked()
    assert "31 March" in library.prompt
    library.do(RequestReplay(execution_id=before))
    library.do(RunReplay(execution_id=before, replay=1))
    assert isinstance(library.events(before)[-1], ReplayVerified)
