"""Compile a program graph into a real DSPy module whose source people and optimizers can read."""

import logging
import re
import threading
from collections import OrderedDict
from importlib.metadata import version

import dspy

from application.lm_ports import RunnableProgram
from domain.program.graph import ProgramGraph, module_nodes
from infrastructure.dspy_runtime import state as states
from infrastructure.dspy_runtime.classes import defined
from infrastructure.dspy_runtime.kinds import Built, built, demos_for
from infrastructure.dspy_runtime.names import Names
from infrastructure.dspy_runtime.recording import NODE_ID
from infrastructure.dspy_runtime.side_calls import counting
from infrastructure.dspy_runtime.source import Written, written

logger = logging.getLogger(__name__)


class ProgramCache:
    """Programs that were built, the least recently used forgotten first."""

    def __init__(self, size: int = 256) -> None:
        self._size = size
        self._lock, self._building = threading.Lock(), threading.Lock()
        self._built: OrderedDict[str, dspy.Module] = OrderedDict()

    def get(self, program: RunnableProgram) -> dspy.Module:
        """The built *program*, shared by all who run it: running changes nothing in it.

        Raises:
            ProgramFailed: The graph cannot be built, or the state does not fit it.
        """
        if (known := self._known(program.key)) is not None:
            return known
        # One at a time, and without holding up those whose program is there: a large corpus takes
        # seconds.
        with self._building:
            if (known := self._known(program.key)) is not None:
                return known
            made = build(program)
            with self._lock:
                self._built[program.key] = made
                while len(self._built) > self._size:
                    self._built.popitem(last=False)
        return made

    def _known(self, key: str) -> dspy.Module | None:
        with self._lock:
            built = self._built.get(key)
            if built is not None:
                self._built.move_to_end(key)
        return built


def build(program: RunnableProgram) -> dspy.Module:
    """A module with one attribute for each node that is one, wherever it is in the graph.

    The attribute is named as the node is, and has its demos and its state.

    Raises:
        ProgramFailed: The graph has a cycle or a name that cannot stand in a program, or the state
            belongs to another program.
    """
    page = _Compiled(program.graph)
    module: dspy.Module = counting(page.defined(program))()
    nodes = {page.names.attributes[node.id]: node for _, node in module_nodes(program.graph)}
    for path, predictor in module.named_predictors():
        node = nodes[re.split(r"[.\[]", path, maxsplit=1)[0]]
        setattr(predictor, NODE_ID, node.id)
        predictor.demos = demos_for(predictor, node.module)
    if program.state is not None:
        states.load(module, program.state)
        _warn(program)
    states.edit(module, program.edits)
    return module


def _warn(program: RunnableProgram) -> None:
    """Tell whoever reads the log that a state was learned under another DSPy."""
    learned, here = program.learned_under, version("dspy")
    if learned not in (None, here):
        logger.warning("The state of %s is of DSPy %s, not of %s.", program.key, learned, here)


def source(graph: ProgramGraph) -> str:
    """The Python source of *graph*; the same graph has the same source, it is part of prompts.

    Raises:
        ProgramFailed: The graph has a cycle or a name that cannot stand in a program.
    """
    return _Compiled(graph).written.text


class _Compiled:
    """A graph with the names, the parts and the text that it is made into."""

    def __init__(self, graph: ProgramGraph) -> None:
        self._graph = graph
        self.names = Names(graph)
        self._parts: dict[str, Built] = {
            node.id: built(node.id, self.names.attributes[node.id], node.module)
            for _, node in module_nodes(graph)
        }
        constructors = {node: part.constructor for node, part in self._parts.items()}
        self.written: Written = written(graph, self.names, constructors)

    def defined(self, program: RunnableProgram) -> type[dspy.Module]:
        """The class, with what *program* was given; the same graph is always the same module.

        Raises:
            ProgramFailed: The program was not given what the graph needs.
        """
        named: dict[str, object] = {}
        for part in self._parts.values():
            named |= {**part.names, **part.needs(program)}
        namespace = {**self.names.helpers, "dspy": dspy, **named}
        return defined(self.written, namespace, made_of=repr(self._graph))
