"""Compile a program graph into a real DSPy module whose source people and optimizers can read."""

import hashlib
import keyword
import linecache
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Final

import dspy

from application.lm_ports import ProgramFailed, RunnableProgram
from domain.program.graph import ModuleNode, ProgramGraph, module_nodes
from domain.signature.fields import SignatureSpec
from domain.values import Failure
from infrastructure.dspy_runtime import state as states
from infrastructure.dspy_runtime.kinds import Built, built, demos_for
from infrastructure.dspy_runtime.recording import NODE_ID
from infrastructure.dspy_runtime.signatures import safe_name

CLASS_NAME: Final = "Program"
_RESERVED: Final = frozenset(dir(dspy.Module())) | frozenset(keyword.kwlist) | {"dspy"}
_MODULES: Final = "stratal_programs"


class ProgramCache:
    """Programs that were built, the least recently used forgotten first."""

    def __init__(self, size: int = 256) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._built: OrderedDict[str, dspy.Module] = OrderedDict()

    def get(self, program: RunnableProgram) -> dspy.Module:
        """The built *program*, shared by all who run it: running changes nothing in it.

        Raises:
            ProgramFailed: The graph cannot be built, or the state does not fit it.
        """
        with self._lock:
            built = self._built.get(program.key)
            if built is None:
                built = self._built[program.key] = build(program)
                while len(self._built) > self._size:
                    self._built.popitem(last=False)
            self._built.move_to_end(program.key)
        return built


def build(program: RunnableProgram) -> dspy.Module:
    """A module with one attribute for each node, named as the node is, with its demos and state.

    Raises:
        ProgramFailed: The graph has a cycle or a name that cannot stand in a program, or the state
            belongs to another program.
    """
    graph = program.graph
    names, parts = _attributes(graph), _parts(graph)
    namespace = {name: it for part in parts.values() for name, it in part.names.items()}
    module: dspy.Module = _class(graph, _source(graph, parts), namespace)()
    nodes = {names[node.id]: node for node in _modules(graph)}
    for path, predictor in module.named_predictors():
        node = nodes[path.partition(".")[0]]
        setattr(predictor, NODE_ID, node.id)
        predictor.demos = demos_for(predictor, node.module)
    if program.state is not None:
        states.load(module, program.state)
    return module


def source(graph: ProgramGraph) -> str:
    """The Python source of *graph*; the same graph has the same source, it is part of prompts.

    Raises:
        ProgramFailed: The graph has a cycle or a name that cannot stand in a program.
    """
    return _source(graph, _parts(graph))


def _source(graph: ProgramGraph, parts: Mapping[str, Built]) -> str:
    names = _attributes(graph)
    lines = [f"class {CLASS_NAME}(dspy.Module):", "    def __init__(self):"]
    lines.append("        super().__init__()")
    lines += [
        f"        self.{names[node.id]} = {parts[node.id].constructor}" for node in _modules(graph)
    ]
    lines += ["", f"    def forward(self, *, {', '.join(_parameters(graph.signature))}):"]
    variables = _variables(graph, names)
    for node in _ordered(graph):
        given = ", ".join(_arguments(node, variables))
        lines.append(f"        {variables[node.id]} = self.{names[node.id]}({given})")
    result = ", ".join(
        f"{safe_name(field)}={_value(source.node, source.field, variables)}"
        for field, source in graph.outputs.items()
    )
    return "\n".join([*lines, f"        return dspy.Prediction({result})", ""])


def _class(graph: ProgramGraph, text: str, namespace: Mapping[str, object]) -> type[dspy.Module]:
    # What the text names is made of the graph alone, so both together name the module.
    name = f"{_MODULES}.p{_digest(text)}_{_digest(repr(graph))}"
    module = ModuleType(name)
    module.__file__ = f"<{name}>"
    module.__dict__.update(dspy=dspy, **namespace)
    # Optimizers read the source of a program; without it they propose nothing.
    linecache.cache[module.__file__] = (len(text), None, text.splitlines(True), module.__file__)
    sys.modules[name] = module
    # Every name in the text was checked to be an identifier; all else is a literal of ours.
    exec(compile(text, module.__file__, "exec"), module.__dict__)  # noqa: S102
    defined: type[dspy.Module] = module.__dict__[CLASS_NAME]
    return defined


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _parts(graph: ProgramGraph) -> dict[str, Built]:
    names = _attributes(graph)
    return {node.id: built(node.id, names[node.id], node.module) for node in _modules(graph)}


def _modules(graph: ProgramGraph) -> list[ModuleNode]:
    return [node for _, node in module_nodes(graph)]


def _attributes(graph: ProgramGraph) -> dict[str, str]:
    """What each node is called in the class: its id, unless DSPy or Python needs that name."""
    taken = {node.id for node in _modules(graph)} | _RESERVED
    return {
        node.id: _free(node.id, taken) if node.id in _RESERVED else node.id
        for node in _modules(graph)
    }


def _variables(graph: ProgramGraph, names: dict[str, str]) -> dict[str, str]:
    inputs = {field.name for field in graph.signature.inputs}
    taken = inputs | set(names.values()) | {"self"}
    return {
        node: _free(name, taken) if name in inputs or name == "self" else name
        for node, name in names.items()
    }


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _parameters(signature: SignatureSpec) -> Iterator[str]:
    for field in signature.inputs:
        if field.has_default or field.optional:
            default = field.default if field.has_default else None
            yield f"{safe_name(field.name)}={default!r}"
        else:
            yield safe_name(field.name)


def _arguments(node: ModuleNode, variables: dict[str, str]) -> Iterator[str]:
    for field, given in node.inputs.items():
        yield f"{safe_name(field)}={_value(given.node, given.field, variables)}"


def _value(node: str | None, field: str, variables: dict[str, str]) -> str:
    return safe_name(field) if node is None else f"{variables[node]}.{safe_name(field)}"


def _ordered(graph: ProgramGraph) -> Iterator[ModuleNode]:
    done: set[str] = set()
    waiting = _modules(graph)
    while waiting:
        ready = next((n for n in waiting if _needs(n) <= done), None)
        if ready is None:
            stuck = ", ".join(node.id for node in waiting)
            message = f"The nodes {stuck} wait for each other or for one that is missing."
            raise ProgramFailed(Failure(code="program.unbuildable", message=message))
        waiting.remove(ready)
        done.add(ready.id)
        yield ready


def _needs(node: ModuleNode) -> set[str]:
    return {given.node for given in node.inputs.values() if given.node is not None}
