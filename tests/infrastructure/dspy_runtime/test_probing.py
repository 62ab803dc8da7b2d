"""What a probe asks of a module, in this process: modules that break one promise each."""

import sys
from collections.abc import Iterator

import pytest

from application.probing import ModuleRefused
from domain.probe.values import Findings, ModulePromise
from domain.signature.syntax import parse
from infrastructure.dspy_runtime.custom import Packages
from infrastructure.dspy_runtime.dry_run import DryRun
from infrastructure.dspy_runtime.probing import probe
from infrastructure.models.answers import answer_text
from tests.support.probes import PLUGIN

PACKAGES = ("acme_rag", "acme_broken")


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(PLUGIN))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]


def probed(path: str, signature: str = "question -> answer", **more: object) -> Findings:
    values = {"import_path": path, "signature": parse(signature), **more}
    dry_run = DryRun(lambda last, reply, seed: answer_text(last, reply, seed=seed))
    stages: list[str] = []
    found = probe(ModulePromise.model_validate(values), Packages(PACKAGES), dry_run, stages.append)
    assert len(stages) == 4
    return found


def refused(path: str, signature: str = "question -> answer") -> str:
    with pytest.raises(ModuleRefused) as told:
        probed(path, signature)
    failure = told.value.failure
    assert failure.message.endswith(".")
    return failure.code


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("acme_broken.nowhere:MyRAG", "module.not_importable"),
        ("acme_broken.modules:Nowhere", "module.not_a_module"),
        ("acme_broken.modules:NotAModule", "module.not_a_module"),
        ("acme_broken.modules:Wants", "module.constructor_failed"),
        ("acme_broken.modules:Hides", "module.hidden_predictor"),
        ("acme_broken.modules:Freezes", "module.hidden_predictor"),
        ("acme_broken.modules:HoldsAModel", "module.own_model"),
        ("acme_broken.modules:Rolls", "module.not_repeatable"),
        ("acme_broken.modules:Shares", "module.not_copyable"),
        ("acme_broken.modules:Stubborn", "module.state_lost"),
        ("acme_broken.modules:Fails", "module.dry_run_failed"),
        ("acme_broken.modules:Forgets", "module.outputs_missing"),
        ("acme_broken.modules:Async", "module.no_forward"),
        ("os:PathLike", "module.package_not_allowed"),
    ],
)
def test_a_module_that_breaks_a_promise_is_refused(path: str, code: str) -> None:
    assert refused(path) == code


def test_a_module_may_return_a_dictionary_and_ask_no_model() -> None:
    found = probed("acme_rag.rag:Facts", "question -> facts: list[str]")
    assert (found.predictors, found.calls) == ((), 0)


@pytest.mark.feature("EXE-13")
def test_exe_13_a_string_is_a_result_only_for_modules_without_outputs() -> None:
    assert probed("acme_rag.rag:Shout", "question -> result", wraps_result=True).calls == 1
    assert refused("acme_rag.rag:Shout", "question -> result") == "module.outputs_missing"


def test_a_module_that_wavers_is_told_to_be_unrepeatable() -> None:
    assert not probed("acme_broken.modules:Wavers").repeatable


def test_inputs_that_cannot_be_made_up_have_to_be_sent() -> None:
    pattern = "question: string(pattern='^[0-9]{4}$') -> facts: list[str]"
    assert refused("acme_rag.rag:Facts", pattern) == "module.inputs_needed"
    assert probed("acme_rag.rag:Facts", pattern, inputs={"question": "2030"}).calls == 0


def test_what_is_odd_and_in_order_is_accepted() -> None:
    found = probed("acme_broken.modules:Odd")
    assert [each.path for each in found.predictors] == ["named['flat']"]
