"""Kinds that run what a model wrote, each in an interpreter that is closed to the world.

Which interpreter that is, is a setting of the run (``interpreter_factory``), never of a program.
"""

from collections.abc import Callable, Sequence
from typing import Any

import dspy

from domain.module.kinds import ModuleKind
from domain.module.parameters import Agent, Code, Recursive
from domain.module.values import ModuleSpec
from infrastructure.dspy_runtime.kinds.building import (
    Built,
    Place,
    SpeaksForItsNode,
    configure,
    deprecated,
    out_of_iterations,
    settings,
)
from infrastructure.dspy_runtime.kinds.toolbox import as_function, tools_for


class ProgramOfThought(SpeaksForItsNode, dspy.ProgramOfThought):  # type: ignore[misc]  # DSPy ships no types
    """``dspy.ProgramOfThought`` whose last failed program is an error of its own."""

    def __init__(self, signature: Any, max_iters: int, **settings: Any) -> None:
        with deprecated():
            super().__init__(signature, max_iters=max_iters)
        configure(self, settings)

    def forward(self, **inputs: Any) -> dspy.Prediction:
        try:
            return super().forward(**inputs)
        except RuntimeError as error:
            if str(error).startswith("Max hops reached"):
                raise out_of_iterations(self.max_iters) from error
            raise


class CodeAct(SpeaksForItsNode, dspy.CodeAct):  # type: ignore[misc]  # DSPy ships no types
    """``dspy.CodeAct`` whose tools stay on this side, and which fails after ``max_iters``."""

    def __init__(
        self, signature: Any, tools: Sequence[Any], max_iters: int, **settings: Any
    ) -> None:
        with deprecated():
            super().__init__(signature, list(tools), max_iters=max_iters)
        configure(self, settings)

    def forward(self, **inputs: Any) -> dspy.Prediction:
        trajectory: dict[str, Any] = {}
        steps: list[dict[str, Any]] = []
        with self._interpreter_context(None) as interpreter:
            interpreter.tools.update({name: as_function(it) for name, it in self.tools.items()})
            for number in range(self.max_iters):
                said = self.codeact(trajectory=trajectory, **inputs)
                step = self._ran(said, number, interpreter)
                trajectory.update(step)
                steps.append({"code": said.generated_code, "output": list(step.values())[-1]})
                if said.finished:
                    answer = self._call_with_potential_trajectory_truncation(
                        self.extractor, trajectory, **inputs
                    )
                    return dspy.Prediction(**answer, steps=steps)
        raise out_of_iterations(self.max_iters)

    def _ran(self, said: Any, number: int, interpreter: Any) -> dict[str, Any]:
        code, fault = self._parse_code(said)
        if fault:
            return {f"observation_{number}": f"Failed to parse the generated code: {fault}"}
        output, fault = self._execute_code(code, interpreter)
        if fault:
            seen = {f"observation_{number}": f"Failed to execute the generated code: {fault}"}
        else:
            seen = {f"code_output_{number}": output}
        return {f"generated_code_{number}": code, **seen}


class RLM(SpeaksForItsNode, dspy.RLM):  # type: ignore[misc]  # DSPy ships no types
    """``dspy.RLM`` that tells its steps. Its code asks models only through ``llm_query``.

    DSPy would let it build predictors on this side, out of signatures that it wrote, and read them
    by importing the modules that they name.
    """

    def __init__(self, signature: Any, **given: Any) -> None:
        chosen = {name: given.pop(name) for name in ("temperature", "max_tokens")}
        super().__init__(signature, **given)
        configure(self, chosen)

    def forward(self, **inputs: Any) -> dspy.Prediction:
        found = super().forward(**inputs)
        outputs = {name: found[name] for name in self.signature.output_fields}
        steps = [
            {"thought": each["reasoning"], "code": each["code"], "output": each["output"]}
            for each in found.trajectory
        ]
        return dspy.Prediction(**outputs, steps=steps)

    def _make_interpreter_tool(self, tool: dspy.Tool) -> Callable[..., Any]:
        return as_function(tool)

    def _setup_facade(self, repl: Any, budget: Any, interpreter_factory: Any) -> str:
        del repl, budget, interpreter_factory
        return ""

    def _extract_fallback(self, *_: Any) -> dspy.Prediction:
        raise out_of_iterations(self.max_iters)


def built(place: Place, spec: ModuleSpec) -> Built:
    """The module of *spec*, with its tools."""
    return _BUILDERS[spec.kind](place, spec)


def _program(place: Place, spec: ModuleSpec) -> Built:
    code, signature = spec.parameters, place.named("signature")
    assert isinstance(code, Code)
    return Built(
        f"ProgramOfThought({signature}, max_iters={code.max_iterations!r}, "
        f"{settings(spec.config)})",
        {"ProgramOfThought": ProgramOfThought, signature: place.signature(spec.signature)},
    )


def _code_act(place: Place, spec: ModuleSpec) -> Built:
    agent, signature = spec.parameters, place.named("signature")
    assert isinstance(agent, Agent)
    tools, needs = tools_for(place, agent.tools)
    return Built(
        f"CodeAct({signature}, tools={tools}, max_iters={agent.max_iterations!r}, "
        f"{settings(spec.config)})",
        {"CodeAct": CodeAct, signature: place.signature(spec.signature)},
        needs,
    )


def _recursive(place: Place, spec: ModuleSpec) -> Built:
    told, signature = spec.parameters, place.named("signature")
    assert isinstance(told, Recursive)
    tools, needs = tools_for(place, told.tools)
    return Built(
        f"RLM({signature}, tools={tools}, max_iters={told.max_iterations!r}, "
        f"max_llm_calls={told.max_llm_calls!r}, max_output_chars={told.max_output_chars!r}, "
        f"{settings(spec.config)})",
        {"RLM": RLM, signature: place.signature(spec.signature)},
        needs,
    )


_BUILDERS: dict[ModuleKind, Callable[[Place, ModuleSpec], Built]] = {
    ModuleKind.PROGRAM_OF_THOUGHT: _program,
    ModuleKind.CODE_ACT: _code_act,
    ModuleKind.RLM: _recursive,
}
