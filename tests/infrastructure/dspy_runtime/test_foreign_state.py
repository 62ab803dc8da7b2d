"""A state of another DSPy is loaded, and whoever reads the worker's log is told."""

import logging
from dataclasses import replace
from importlib.metadata import version

import pytest

from infrastructure.dspy_runtime.compiler import build
from infrastructure.dspy_runtime.state import dumped
from infrastructure.engines.wire import ProgramOnTheWire
from infrastructure.pins import installed_dspy
from tests.support.dspy_programs import two_steps


@pytest.mark.feature("BRG-17")
def test_brg_17_loading_a_state_of_another_dspy_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bare = two_steps()
    learned = replace(bare, state=dumped(build(bare)), learned_under="3.0.0")
    with caplog.at_level(logging.WARNING):
        build(replace(learned, learned_under=version("dspy")))
        build(replace(learned, learned_under=None))
        assert caplog.messages == []
        build(learned)
    assert caplog.messages == [
        f"The state of {bare.key} is of DSPy 3.0.0, not of {installed_dspy()}."
    ]


def test_an_engine_elsewhere_is_told_what_a_state_was_learned_under() -> None:
    program = replace(two_steps(), state={}, learned_under="3.0.0")
    assert ProgramOnTheWire.of(program).runnable().learned_under == "3.0.0"
