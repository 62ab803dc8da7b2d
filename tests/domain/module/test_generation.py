"""Modules that hand a prompt over: what their signature may be."""

import pytest

from domain.module.generation import GENERATE
from domain.module.rules import module_faults
from domain.program.graph import single
from domain.program.predictors import predictors
from domain.signature.syntax import parse


def codes(syntax: str) -> list[str]:
    spec = GENERATE.model_copy(update={"signature": parse(syntax)})
    return [fault.code for fault in module_faults(spec)]


def test_what_generations_are_runs_of_can_run_and_has_nothing_to_learn() -> None:
    assert list(module_faults(GENERATE)) == []
    assert predictors(single(GENERATE)) == {}


@pytest.mark.parametrize(
    ("syntax", "faults"),
    [
        ("prompt -> answer", []),
        ("prompt, system -> text", []),
        ("system -> text", ["generate.input"]),
        ("prompt?: string -> text", ["generate.input"]),
        ("prompt, message -> text", ["generate.input"]),
        ("prompt: integer -> text", ["generate.input"]),
        ("prompt -> text, more", ["generate.output"]),
        ("prompt -> text: integer", ["generate.output"]),
    ],
)
def test_a_signature_that_no_prompt_is_made_of_is_refused(syntax: str, faults: list[str]) -> None:
    assert codes(syntax) == faults
