"""The signatures of the papers, as the documentation shows them: they are read, and they run."""

import re
import runpy
from pathlib import Path

import pytest

from application.lm_ports import JsonObject
from domain.module.values import ModuleKind
from domain.signature import syntax
from domain.signature.constraints import Constraints
from domain.signature.hashing import content_hash
from domain.signature.syntax import parse
from domain.signature.types import PRIMITIVES
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.models.scripted import Script, ScriptedEngine
from tests.support.dspy_programs import MemoryJournal, bound, single

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "signatures"
INPUTS: JsonObject = {"question": "Who wrote it?", "passages": ["Ann wrote it.", "It is old."]}
PAIRS = [("basic_qa", "BasicQA"), ("chain_of_thought_qa", "ChainOfThoughtQA"), ("rag", "RAG")]


@pytest.mark.feature("SIG-20")
@pytest.mark.feature("SIG-22")
@pytest.mark.parametrize(("file", "name"), PAIRS)
def test_sig_22_text_and_class_of_an_example_are_one_signature(file: str, name: str) -> None:
    written = parse((EXAMPLES / f"{file}.txt").read_text())
    told = runpy.run_path(str(EXAMPLES / "classes.py"))[name].spec()
    assert content_hash(told) == content_hash(written)


def test_every_signature_of_the_reference_is_one() -> None:
    page = (EXAMPLES.parents[1] / "reference" / "signatures.md").read_text()
    blocks = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    texts = [text for text in blocks if "constraints =" not in text]
    assert len(texts) == len(blocks) - 1 == 4
    for text in texts:
        assert parse(text).outputs


def test_the_reference_names_every_type_and_constraint() -> None:
    page = (EXAMPLES.parents[1] / "reference" / "signatures.md").read_text()
    for word in (*PRIMITIVES, *Constraints.model_fields, "object", "code", "enum"):
        assert f"`{word}" in page


def test_the_grammar_of_the_reference_is_that_of_the_parser() -> None:
    page = (EXAMPLES.parents[1] / "reference" / "signatures.md").read_text()
    grammar = [line for line in (syntax.__doc__ or "").splitlines() if line.startswith("    ")]
    assert len(grammar) > 10
    for line in grammar:
        assert line.strip() in page


@pytest.mark.feature("SIG-22")
@pytest.mark.parametrize("adapter", ["chat", "json"])
@pytest.mark.parametrize("kind", [ModuleKind.PREDICT, ModuleKind.CHAIN_OF_THOUGHT])
@pytest.mark.parametrize("file", [file for file, _ in PAIRS])
def test_sig_22_an_example_runs_on_the_scripted_model(
    file: str, kind: ModuleKind, adapter: str
) -> None:
    spec = parse((EXAMPLES / f"{file}.txt").read_text())
    runner = DspyRunner(bound(ScriptedEngine(Script()), adapter=adapter))
    given = {field.name: INPUTS[field.name] for field in spec.inputs if field.name in INPUTS}
    outputs = runner.run(single(spec, kind=kind), given, MemoryJournal(), live=True)
    assert outputs.keys() == {field.name for field in spec.outputs}
    assert outputs["answer"]


@pytest.mark.feature("SIG-22")
def test_sig_22_citations_are_whole_numbers() -> None:
    spec = parse((EXAMPLES / "rag.txt").read_text())
    script = Script.model_validate({"default": {"reply": {"answer": "Ann", "citations": [0, "1"]}}})
    runner = DspyRunner(bound(ScriptedEngine(script)))
    outputs = runner.run(single(spec), INPUTS, MemoryJournal(), live=True)
    assert outputs == {"answer": "Ann", "citations": [0, 1]}
