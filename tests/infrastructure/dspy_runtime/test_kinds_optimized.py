"""Optimizers find, change and keep the predictors of every kind of module."""

from dataclasses import replace

import pytest

from application.lm_ports import JsonObject, OptimizedProgram, OptimizerJob
from domain.module.values import ModuleKind
from domain.optimization.catalog import OPTIMIZERS
from infrastructure.dspy_runtime.interpreter import Limits
from infrastructure.dspy_runtime.optimizers import DspyOptimizers
from infrastructure.dspy_runtime.runtime import DspyRunner
from tests.support.dspy_programs import MemoryJournal, bound
from tests.support.handwritten import REPLIES, THOUGHT, Shelf, Told, as_data, runner

ASKING = sorted(set(ModuleKind) - {ModuleKind.RETRIEVE, ModuleKind.GENERATE, ModuleKind.CUSTOM})
"""The kinds that ask a model and are no class of somebody's own."""

ROWS: list[JsonObject] = [
    {"question": f"Is tower {number} tall?", "answer": "yes"} for number in range(3)
]


def bootstrapped(kind: str, journal: MemoryJournal) -> OptimizedProgram:
    model = bound(Told(*REPLIES.get(kind, (("", THOUGHT),))))
    found = DspyRunner(model, toolbox=Shelf(), code=Limits())
    job = OptimizerJob(
        program=as_data(kind),
        optimizer="bootstrap_fewshot",
        config=OPTIMIZERS["bootstrap_fewshot"]().model_dump(),
        metric="exact_match",
        seed=1,
        rows=ROWS,
    )
    return DspyOptimizers(found, model).optimize(job, journal, lambda *_: None)


@pytest.mark.parametrize("kind", ASKING)
def test_what_an_optimizer_finds_for_a_kind_runs_as_a_version(kind: str) -> None:
    journal = MemoryJournal()
    found = bootstrapped(kind, journal)
    assert all(isinstance(state, dict) for state in found.state.values())
    if kind != "refine":  # its model says no where yes is right
        assert any(state["demos"] for state in found.state.values() if isinstance(state, dict))
    version = replace(as_data(kind), key=f"{kind}@2", state=found.state)
    outputs = runner(kind).run(version, {"question": "Is it?"}, MemoryJournal(), live=True)
    assert set(outputs) >= {"answer"}
    resumed = MemoryJournal(journal.answers)
    assert bootstrapped(kind, resumed) == found
    assert (resumed.calls, resumed.tool_calls) == ([], [])
