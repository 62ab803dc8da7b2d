"""Metrics, optimizers and providers of another package, as a worker takes them up."""

import sys
from collections.abc import Iterator

import pytest

from application.extensions import Extensions
from application.lm_ports import OptimizerJob, ProgramFailed
from application.probing import ModuleRefused
from application.scoring import scored
from application.tracing import NoTracing
from infrastructure.dspy_runtime import custom
from infrastructure.dspy_runtime.evaluator import DspyEvaluator
from infrastructure.dspy_runtime.extensions import metric_named, optimizer_named, source_of
from infrastructure.dspy_runtime.optimizers import DspyOptimizers
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.models.binding import ModelSettingIsInvalid
from infrastructure.models.catalog import plugged
from infrastructure.plugins import ImportedPlugins
from infrastructure.runtime import configured_engine
from infrastructure.settings import Settings
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound, single
from tests.support.probes import BRIEF

ROWS = [
    {"question": "What is 1+1?", "answer": "two or so"},
    {"question": "What is 2+2?", "answer": "four"},
]


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package on this process's path, forgotten afterwards."""
    monkeypatch.syspath_prepend(str(BRIEF))
    custom.allow(["acme_brief"])
    yield
    custom.allow(())
    sys.modules.pop("acme_brief", None)
    custom._here = custom.Packages(custom._here.allowed)


@pytest.mark.feature("VIS-28")
def test_vis_28_a_metric_of_another_package_scores() -> None:
    model = bound(FakeEngine())
    engine = DspyEvaluator(DspyRunner(model), model)
    extensions = Extensions(["acme_brief"], ImportedPlugins(["acme_brief"]))
    ran = scored(engine, single(), ROWS, "acme_brief:brevity", MemoryJournal(), extensions)  # type: ignore[arg-type] # all that is asked of it
    words = [len(str((each.outputs or {})["answer"]).split()) for each in ran]
    assert [each.score for each in ran] == [1 / count for count in words]
    assert extensions.sources("exact_match") == {}
    [(name, digest)] = extensions.sources("copro", "acme_brief:brevity").items()
    assert (name, len(digest)) == ("source of acme_brief:brevity", 64)


@pytest.mark.feature("VIS-28")
def test_vis_28_an_optimizer_of_another_package_finds_a_state() -> None:
    model = bound(FakeEngine())
    optimizers = DspyOptimizers(DspyRunner(model), model)
    job = OptimizerJob(
        single(), "acme_brief:Shortest", {"k": 1}, "acme_brief:brevity", seed=3, rows=ROWS
    )
    found = optimizers.optimize(job, MemoryJournal(), lambda *_: None)
    [state] = [each for each in found.state.values() if isinstance(each, dict) and "demos" in each]
    assert [demo["answer"] for demo in state["demos"]] == ["four"]  # type: ignore[index, call-overload, union-attr]
    assert found.training_score is not None


@pytest.mark.feature("VIS-28")
def test_vis_28_a_provider_of_another_package_answers() -> None:
    settings = Settings.model_validate({"lm": "plugin:acme_brief:Echo", "modules": "acme_brief"})
    engine = configured_engine(settings, NoTracing())
    journal = MemoryJournal()
    outputs = engine.execute(single(), {"question": "Hello?"}, journal, live=True)
    assert outputs == {"answer": "1"}
    [call] = journal.calls
    assert (call.model, call.cost_usd) == ("acme_brief/Echo", None)


def test_what_cannot_be_imported_says_so() -> None:
    paths = ("acme_brief:nothing", "acme_brief.nowhere:brevity", "os:system", "acme_brief:__dir__")
    for path in (*paths, "acme_brief:__init__", "acme_brief:__class__"):
        with pytest.raises(ProgramFailed):
            metric_named(path)
        with pytest.raises(ProgramFailed):
            optimizer_named(path)
        assert source_of(path).startswith("module.")


def test_what_is_no_engine_is_refused() -> None:
    with pytest.raises(ModuleRefused, match="could not be made"):
        custom.engine_of("acme_brief:Terse", api_base=None, api_key=None)
    with pytest.raises(ModuleRefused, match="no class, and no function"):
        custom.engine_of("acme_brief:nothing", api_base=None, api_key=None)
    with pytest.raises(ModelSettingIsInvalid, match="lacks complete, seeded"):
        plugged("acme_brief:Terse", object())  # type: ignore[arg-type] # that is the point
