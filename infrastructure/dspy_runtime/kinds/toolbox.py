"""The tools of a module, as the modules of DSPy take them and as code calls them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dspy

from application.lm_ports import RunnableProgram
from domain.tool.values import ToolSpec
from infrastructure.dspy_runtime.kinds.building import Needs, Place
from infrastructure.dspy_runtime.tools import dspy_tools


def tools_for(place: Place, tools: Sequence[ToolSpec]) -> tuple[str, Needs]:
    """What the *tools* of a module are called in the source, and what they need of a program."""
    name = place.named("tools")

    def needs(program: RunnableProgram) -> Mapping[str, object]:
        return {name: dspy_tools(place.node_id, tools, program)}

    return name, needs


def as_function(tool: dspy.Tool) -> Callable[..., Any]:
    """*tool* for code, which may leave out the names of its arguments."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if len(args) > len(tool.args):
            raise TypeError(f"{tool.name} takes {', '.join(tool.args) or 'nothing'}")
        return tool(**dict(zip(tool.args, args, strict=False)), **kwargs)

    call.__name__ = tool.name
    return call
