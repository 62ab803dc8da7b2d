"""What a version pins is what the model sees: state, edits over it, and the adapter."""

import json
from dataclasses import replace

import pytest

from application.lm_ports import ProgramFailed, RunnableProgram
from application.payloads import Payload, canonical_json
from domain.program.edits import PredictorEdit
from infrastructure.dspy_runtime.compiler import build
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.dspy_runtime.state import dumped
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound, single

QUESTION = {"question": "Why?"}
DEMOS = ({"question": "One?", "answer": "1"}, {"question": "Two?", "answer": "2"})


def prompt(program: RunnableProgram) -> str:
    """What a process that never saw *program* before sends to the model."""
    journal = MemoryJournal()
    DspyRunner(bound(FakeEngine())).run(program, QUESTION, journal, live=True)
    return canonical_json(journal.requests[0]).decode()


def compiled() -> RunnableProgram:
    """A program with the state that an optimizer could have found."""
    module = build(single())
    ((path, predictor),) = module.named_predictors()
    predictor.signature = predictor.signature.with_instructions("Found: answer well.")
    predictor.demos = [dict(DEMOS[0])]
    state = json.loads(Payload.of(dumped(module)).body)
    assert path in state
    return replace(single(), key="compiled@2", state=state)


def edited(program: RunnableProgram, **said: object) -> RunnableProgram:
    (path,) = dumped(build(single()))
    return replace(
        program,
        key=f"{program.key}+",
        edits={path: PredictorEdit.model_validate(said)},
    )


@pytest.mark.feature("VIS-05")
def test_vis_05_what_was_compiled_is_asked_in_the_same_bytes_after_a_restart() -> None:
    before = prompt(compiled())
    assert "Found: answer well." in before
    assert prompt(compiled()) == before != prompt(single())


@pytest.mark.feature("MOD-10")
def test_mod_10_two_demos_that_were_set_are_in_the_next_prompt_in_order() -> None:
    sent = prompt(edited(single(), demos=DEMOS))
    assert sent.index("One?") < sent.index("Two?") < sent.index("Why?")
    turned = prompt(edited(single(), demos=DEMOS[::-1]))
    assert turned.index("Two?") < turned.index("One?") < turned.index("Why?")


def test_edits_lie_over_what_an_optimizer_found() -> None:
    sent = prompt(edited(compiled(), instructions="Edited: be brief."))
    assert "Edited: be brief." in sent
    assert "Found: answer well." not in sent
    assert "One?" in sent


def test_a_version_is_asked_in_the_words_of_the_adapter_it_pins() -> None:
    as_it_suits, chat, json_form = (
        prompt(replace(single(), key=f"p@{name}", adapter=name)) for name in (None, "chat", "json")
    )
    assert as_it_suits in (chat, json_form)
    assert chat != json_form


def test_an_edit_of_a_predictor_that_is_not_there_is_refused() -> None:
    program = replace(single(), edits={"nobody": PredictorEdit(instructions="x")})
    with pytest.raises(ProgramFailed, match="edited at nobody"):
        build(program)
