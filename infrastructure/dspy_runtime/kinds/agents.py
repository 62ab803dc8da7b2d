"""Agents: DSPy's prompts and predictors, with an end that is an error and texts that stay equal.

DSPy's own loops go on to an answer when they run out of iterations, and tell the model of a failed
tool with paths and line numbers of this machine, which no replay elsewhere would send again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dspy
from dspy.adapters.types.tool import ToolCallResults, ToolCalls
from dspy.utils.exceptions import AdapterParseError

from domain.module.kinds import ModuleKind
from domain.module.parameters import Agent
from domain.module.values import ModuleSpec
from infrastructure.dspy_runtime.kinds.actions import Action, action
from infrastructure.dspy_runtime.kinds.building import (
    Built,
    Place,
    configure,
    out_of_iterations,
    settings,
)
from infrastructure.dspy_runtime.kinds.toolbox import tools_for
from infrastructure.dspy_runtime.stable import stable_text

FINISH = "finish"


class ReAct(dspy.ReAct):  # type: ignore[misc]  # DSPy ships no types
    """``dspy.ReAct`` that fails after ``max_iters`` and lets the model correct its mistakes."""

    def __init__(
        self, signature: Any, tools: Sequence[Any], max_iters: int, **settings: Any
    ) -> None:
        super().__init__(signature, list(tools), max_iters=max_iters)
        configure(self, settings)

    def forward(self, **inputs: Any) -> dspy.Prediction:
        trajectory: dict[str, Any] = {}
        steps: list[dict[str, Any]] = []
        for number in range(self.max_iters):
            chosen = self._chosen(trajectory, inputs)
            seen = _told(self.tools, chosen.tool, chosen.arguments)
            trajectory[f"thought_{number}"] = chosen.thought
            trajectory[f"tool_name_{number}"] = chosen.tool
            trajectory[f"tool_args_{number}"] = chosen.arguments
            trajectory[f"observation_{number}"] = seen
            steps.append(_step(chosen.thought, chosen.tool, chosen.arguments, seen))
            if chosen.tool == FINISH:
                answer = self._asked(self.extract, trajectory, inputs)
                return dspy.Prediction(**answer, steps=steps)
        raise out_of_iterations(self.max_iters)

    def _chosen(self, trajectory: dict[str, Any], inputs: Mapping[str, Any]) -> Action:
        try:
            said = self._asked(self.react, trajectory, inputs)
        except AdapterParseError as error:
            # A made-up tool, or the text form tool_name[args]: what it meant is tried or refused.
            return action(error.lm_response, self.tools)
        return Action(said.next_thought, said.next_tool_name, said.next_tool_args)

    def _asked(self, predictor: Any, trajectory: dict[str, Any], inputs: Mapping[str, Any]) -> Any:
        return self._call_with_potential_trajectory_truncation(predictor, trajectory, **inputs)


class _Submit(dspy.Tool):  # type: ignore[misc]  # DSPy ships no types
    """The tool that ends an agent's work."""

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # DSPy hashes demos by way of pickle, and a demo of an agent holds its tools.
        return str, (self.name,)


class ReActV2(dspy.ReActV2):  # type: ignore[misc]  # DSPy ships no types
    """``dspy.ReActV2`` that fails after ``max_iters`` instead of forcing an answer."""

    def __init__(
        self, signature: Any, tools: Sequence[Any], max_iters: int, **settings: Any
    ) -> None:
        super().__init__(signature, list(tools), max_iters=max_iters)
        configure(self, settings)

    def _make_submit_tool(self) -> dspy.Tool:
        made = super()._make_submit_tool()
        given = {"desc": made.desc, "args": made.args, "arg_types": made.arg_types}
        return _Submit(made.func, name=made.name, **given)

    def forward(self, **inputs: Any) -> dspy.Prediction:
        found = super().forward(**inputs)
        outputs = {name: found[name] for name in self.signature.output_fields}
        return dspy.Prediction(**outputs, steps=list(_steps_of(found.history)))

    def _forced_submit(self, history: Any, pending: Any, reason: str, turn: int) -> Any:
        if reason == "max_iters":
            raise out_of_iterations(self.max_iters)
        return super()._forced_submit(history, pending, reason, turn)

    def _execute_tool_calls(self, tool_calls: ToolCalls) -> tuple[ToolCallResults, Any]:
        told: list[Any] = []
        failed: list[bool] = []
        final = None
        for call in tool_calls.tool_calls:
            try:
                value = _called(self.tools, call.name, call.args or {})
                final = value if call.name == "submit" else final
            except Exception as error:  # noqa: BLE001 a tool may fail in any way; the model is told
                value = str(error)
                failed.append(True)
            else:
                failed.append(False)
            told.append(value)
        return ToolCallResults.from_tool_calls_and_values(tool_calls, told, failed), final


def built(place: Place, spec: ModuleSpec) -> Built:
    """``ReAct`` or ``ReActV2`` with the tools of *spec*."""
    agent = spec.parameters
    assert isinstance(agent, Agent)
    kind = ReAct if spec.kind is ModuleKind.REACT else ReActV2
    signature = place.named("signature")
    tools, needs = tools_for(place, agent.tools)
    return Built(
        f"{kind.__name__}({signature}, tools={tools}, max_iters={agent.max_iterations!r}, "
        f"{settings(spec.config)})",
        {kind.__name__: kind, signature: place.signature(spec.signature)},
        needs,
    )


def _told(tools: Mapping[str, Any], name: str, arguments: Any) -> Any:
    try:
        return _called(tools, name, arguments)
    except Exception as error:  # noqa: BLE001 a tool may fail in any way; the model is told
        return str(error)


def _called(tools: Mapping[str, Any], name: str, arguments: Any) -> Any:
    if name not in tools:
        raise LookupError(f"Unknown tool: {name or 'none'}. Choose one of {', '.join(tools)}.")
    try:
        return tools[name](**arguments)
    except Exception as error:
        raise RuntimeError(f"Execution error in {name}: {stable_text(str(error))}") from error


def _step(thought: Any, tool: str, arguments: Any, seen: Any) -> dict[str, Any]:
    return {"thought": str(thought), "tool": tool, "arguments": arguments, "observation": seen}


def _steps_of(history: dspy.History) -> Any:
    for turn in history.messages:
        calls = turn.get("tool_calls")
        if calls is None:
            continue
        seen = {each.call_id: each.value for each in calls.tool_call_results.tool_call_results}
        for call in calls.tool_calls:
            thought = getattr(turn.get("next_thought"), "content", "")
            yield _step(thought, call.name, call.args or {}, seen.get(call.id))
