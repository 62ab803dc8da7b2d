"""Somebody's own class as a node: its predictors, its settings, and the source it is pinned to."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any
from uuid import uuid4

import pytest

from application.lm_ports import ProgramFailed, RunnableProgram
from application.probing import ModuleRefused
from domain.module.parameters import Custom
from domain.module.values import ModuleConfig, ModuleKind, ModuleSpec
from domain.probe.values import ModulePromise
from domain.program.graph import single
from domain.signature.syntax import parse
from infrastructure.dspy_runtime import custom, state
from infrastructure.dspy_runtime.compiler import build, source
from infrastructure.dspy_runtime.dry_run import DryRun
from infrastructure.dspy_runtime.probing import probe
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.models.answers import answer_text
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound
from tests.support.probes import PACKAGES, PLUGIN

CONFIG = ModuleConfig(temperature=0.25, max_tokens=77)
QUESTION = {"question": "What is the capital of Italy?"}


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the package on this process's path, forgotten afterwards."""
    folder = tmp_path / "site"
    copytree(PLUGIN, folder, ignore=lambda _, names: {"__pycache__"} & set(names))
    monkeypatch.syspath_prepend(str(folder))
    forget()
    custom.allow(PACKAGES)
    yield folder / "acme_rag"
    custom.allow(())
    forget()


def forget() -> None:
    """Have this process import the package as if it had never done so, as a new worker does."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme_rag"]:
        del sys.modules[name]
    custom._here = custom.Packages(custom._here.allowed)


def probed(name: str, signature: str, **more: Any) -> ModuleSpec:
    """The class *name* as a probe of this moment finds it."""
    wish = {"import_path": f"acme_rag.rag:{name}", "signature": parse(signature), **more}
    promise = ModulePromise.model_validate(wish)
    dry_run = DryRun(lambda last, reply, seed: answer_text(last, reply, seed=seed))
    found = probe(promise, custom.Packages(PACKAGES), dry_run, lambda _: None)
    told = Custom(
        probe_id=uuid4(),
        import_path=promise.import_path,
        arguments=promise.arguments,
        source_sha256=found.source_sha256,
        predictors=found.predictors,
        wraps_result=promise.wraps_result,
    )
    return ModuleSpec(
        kind=ModuleKind.CUSTOM, signature=promise.signature, config=CONFIG, parameters=told
    )


def program(spec: ModuleSpec, key: str = "rag@1") -> RunnableProgram:
    return RunnableProgram(key, single(spec, node_id="rag"), None)


def ran(spec: ModuleSpec) -> tuple[dict[str, Any], MemoryJournal]:
    journal = MemoryJournal()
    outputs = DspyRunner(bound(FakeEngine())).run(program(spec), QUESTION, journal, live=True)
    return dict(outputs), journal


@pytest.mark.feature("MOD-27")
def test_mod_27_a_class_of_an_allowed_package_runs_as_a_node(plugin: Path) -> None:
    outputs, journal = ran(probed("MyRAG", "question -> answer", arguments={"k": 1}))
    assert outputs.keys() == {"answer"}
    assert [call.node for call in journal.calls] == ["rag", "rag"]
    assert "Rome is the capital of Italy." in journal.prompts[1]
    assert "Paris" not in journal.prompts[1]


@pytest.mark.feature("MOD-27")
def test_mod_27_what_a_package_imports_from_elsewhere_is_no_module_of_it(plugin: Path) -> None:
    with (plugin / "rag.py").open("a") as file:
        file.write("\nfrom dspy import ProgramOfThought\n")
    with pytest.raises(ModuleRefused) as told:
        custom.Packages(PACKAGES).imported("acme_rag.rag:ProgramOfThought")
    assert told.value.failure.code == "module.package_not_allowed"
    assert "comes from dspy.predict.program_of_thought" in told.value.failure.message
    assert custom.Packages(PACKAGES).imported("acme_rag.rag:MyRAG").source.package == "acme_rag"


def test_its_predictors_can_be_read_and_changed_by_their_paths(plugin: Path) -> None:
    runnable = program(probed("MyRAG", "question -> answer"))
    module = build(runnable)
    dumped = state.dumped(module)
    assert list(dumped) == ["rag.rewrite", "rag.generate.predict"]
    state.load(build(runnable), dumped)


def test_the_source_of_the_program_makes_the_class_as_its_author_would(plugin: Path) -> None:
    runnable = program(probed("MyRAG", "question -> answer", arguments={"k": 1}))
    assert "self.rag = rag_class(k=1)" in source(runnable.graph)
    assert inspect.getsource(type(build(runnable).rag)).startswith("class MyRAG(dspy.Module):")


def test_settings_are_those_of_the_node_unless_a_predictor_has_its_own(plugin: Path) -> None:
    (plugin / "rag.py").write_text(
        (plugin / "rag.py").read_text().replace('"question -> query"', '"question -> query", n=2')
    )
    module = build(program(probed("MyRAG", "question -> answer")))
    [rewrite, generate] = module.predictors()
    assert rewrite.config == {"temperature": 0.25, "max_tokens": 77, "n": 2}
    assert generate.config == {"temperature": 0.25, "max_tokens": 77}


def test_demos_that_the_class_brings_are_kept(plugin: Path) -> None:
    told = "        self.rewrite.demos = [{'question': 'a', 'query': 'b'}]\n"
    text = (plugin / "rag.py").read_text()
    where = "        self.generate ="
    (plugin / "rag.py").write_text(text.replace(where, told + where))
    [rewrite, _] = build(program(probed("MyRAG", "question -> answer"))).predictors()
    assert rewrite.demos == [{"question": "a", "query": "b"}]


@pytest.mark.feature("EXE-13")
def test_exe_13_what_is_no_dictionary_becomes_a_result(plugin: Path) -> None:
    outputs, _ = ran(probed("Shout", "question -> result", wraps_result=True))
    assert outputs == {"result": "ANSWER A0A0A0A"}


def test_a_dictionary_becomes_the_outputs_it_names(plugin: Path) -> None:
    outputs, journal = ran(probed("Facts", "question -> facts: list[str]"))
    assert outputs == {"facts": ["Rome is the capital of Italy."]}
    assert journal.calls == []


@pytest.mark.parametrize("file", ["rag.py", "passages.py", "prompt.txt"])
def test_another_source_than_the_probed_one_does_not_run(plugin: Path, file: str) -> None:
    spec = probed("MyRAG", "question -> answer")
    with (plugin / file).open("a") as changed:
        changed.write("\n# A later release.\n")
    forget()
    with pytest.raises(ProgramFailed, match="probe the new one") as failed:
        ran(spec)
    assert failed.value.failure.code == "module.source_changed"


def test_a_process_does_not_mix_two_sources_of_a_package(plugin: Path) -> None:
    spec = probed("MyRAG", "question -> answer")
    ran(spec)
    (plugin / "passages.py").write_text("raise SystemExit\n")
    ran(spec)  # it goes on with what it imported
    (plugin / "later.py").write_text("import dspy\nclass Later(dspy.Module): ...\n")
    told = spec.parameters
    assert isinstance(told, Custom)
    later = told.model_copy(update={"import_path": "acme_rag.later:Later"})
    with pytest.raises(ProgramFailed, match="Restart the workers") as failed:
        ran(spec.model_copy(update={"parameters": later}))
    assert failed.value.failure.code == "module.source_changed"


def test_a_package_that_was_mended_needs_no_restart(plugin: Path) -> None:
    spec = probed("MyRAG", "question -> answer")
    forget()
    well = (plugin / "__init__.py").read_text()
    (plugin / "__init__.py").write_text("raise SystemExit\n")
    with pytest.raises(ProgramFailed) as failed:
        ran(spec)
    assert failed.value.failure.code == "module.not_importable"
    (plugin / "__init__.py").write_text(well)
    assert ran(spec)[0].keys() == {"answer"}


def test_other_predictors_than_the_probed_ones_do_not_run(plugin: Path) -> None:
    spec = probed("MyRAG", "question -> answer")
    told = spec.parameters
    assert isinstance(told, Custom)
    other = told.model_copy(update={"predictors": told.predictors[:1]})
    with pytest.raises(ProgramFailed) as failed:
        ran(spec.model_copy(update={"parameters": other}))
    assert failed.value.failure.code == "module.predictors_changed"


def test_arguments_that_the_class_refuses_are_a_failure(plugin: Path) -> None:
    spec = probed("MyRAG", "question -> answer")
    told = spec.parameters
    assert isinstance(told, Custom)
    other = told.model_copy(update={"arguments": {"unknown": 1}})
    with pytest.raises(ProgramFailed) as failed:
        ran(spec.model_copy(update={"parameters": other}))
    assert failed.value.failure.code == "module.constructor_failed"


@pytest.mark.feature("MOD-27")
def test_mod_27_a_worker_that_does_not_allow_a_package_imports_nothing(plugin: Path) -> None:
    spec = probed("MyRAG", "question -> answer")
    forget()
    custom.allow(())
    with pytest.raises(ProgramFailed) as failed:
        ran(spec)
    assert failed.value.failure.code == "module.package_not_allowed"
    assert "acme_rag.rag" not in sys.modules
