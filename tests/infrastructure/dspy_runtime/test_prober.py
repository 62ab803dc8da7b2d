"""Modules of somebody else, good and bad, each tried out in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from application.probing import ModuleRefused
from domain.probe.values import ModulePromise
from domain.signature.syntax import parse
from domain.values import Failure
from infrastructure.dspy_runtime.prober import ChildProber, ProberFailed
from tests.support.probes import PLUGIN

PACKAGES = ("acme_rag", "acme_broken")


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PLUGIN))
    monkeypatch.setenv("STRATAL_LM_API_KEY", "sk-of-the-service")


def promise(path: str, **more: object) -> ModulePromise:
    values = {"import_path": path, **more, "signature": parse("question -> answer")}
    return ModulePromise.model_validate(values)


def refusal(path: str, *, time_limit_s: float = 30) -> Failure:
    prober = ChildProber(PACKAGES, time_limit_s=time_limit_s, memory_bytes=1024**3)
    with pytest.raises(ModuleRefused) as refused:
        prober.probe(promise(path))
    return refused.value.failure


def test_a_good_module_tells_its_predictors_and_its_source() -> None:
    found = ChildProber(PACKAGES).probe(promise("acme_rag.rag:MyRAG", arguments={"k": 1}))
    assert [each.path for each in found.predictors] == ["rewrite", "generate.predict"]
    assert found.predictors[1].outputs == ("reasoning", "answer")
    assert (found.distribution, found.distribution_version) == ("acme-rag", "1.2.3")
    assert found.libraries.keys() == {"python", "dspy", "pydantic"}
    assert (found.package, found.calls, found.repeatable) == ("acme_rag", 2, True)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("acme_broken.exits:MyRAG", "module.not_importable"),
        ("acme_broken.configures:Answering", "module.configures_dspy"),
        ("acme_broken.modules:Hoards", "module.constructor_failed"),
        ("acme_broken.modules:Leaves", "module.crashed"),
    ],
)
def test_a_hostile_module_ends_as_a_refusal_with_a_sentence(path: str, code: str) -> None:
    failure = refusal(path)
    assert failure.code == code
    assert failure.message.endswith(".")


def test_an_endless_constructor_is_ended() -> None:
    failure = refusal("acme_broken.modules:Loops", time_limit_s=1)
    assert failure.code == "module.timed_out"
    assert "had not ended 1 s after it began" in failure.message


def test_a_segmentation_fault_says_where_it_happened() -> None:
    assert "killed by SIGSEGV while it was built" in refusal("acme_broken.modules:Dies").message


def test_a_thread_that_lingers_holds_nothing_up() -> None:
    found = ChildProber(PACKAGES).probe(promise("acme_broken.modules:Lingers"))
    assert found.repeatable


def test_what_is_tried_out_sees_no_secret_of_the_service() -> None:
    found = ChildProber(PACKAGES).probe(promise("acme_broken.modules:Peeks"))
    assert found.predictors[0].instructions == "Seen: []."


def test_what_the_worker_does_not_allow_is_not_imported(tmp_path: Path) -> None:
    prober = ChildProber(("acme_rag",), command=(str(tmp_path / "no such program"),))
    with pytest.raises(ModuleRefused) as refused:
        prober.probe(promise("acme_broken.exits:X"))
    assert refused.value.failure.code == "module.package_not_allowed"


def test_a_prober_that_does_not_start_blames_no_module() -> None:
    prober = ChildProber(PACKAGES, command=(sys.executable, "-c", "import nothing_like_it"))
    with pytest.raises(ProberFailed, match="nothing_like_it"):
        prober.probe(promise("acme_rag.rag:MyRAG"))


@pytest.mark.feature("MOD-27")
def test_mod_27_the_prober_itself_imports_neither_module_nor_dspy() -> None:
    looked = (
        "import os, sys\n"
        "from tests.infrastructure.dspy_runtime.test_prober import PACKAGES, ChildProber, promise\n"
        "ChildProber(PACKAGES).probe(promise('acme_rag.rag:MyRAG'))\n"
        "print(sorted({'acme_rag', 'dspy'} & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", looked], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
