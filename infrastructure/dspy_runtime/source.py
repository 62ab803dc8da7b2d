"""The Python source of a program graph: what a person would write, and what optimizers read.

The same graph has the same source: arguments come in the order of the signatures, names are chosen
in the order of the nodes. Every name in it was checked to be an identifier, all else is a literal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

from application.lm_ports import ProgramFailed
from domain.errors import Fault
from domain.program.errors import InvalidGraph
from domain.program.graph import (
    Body,
    BranchNode,
    ConstNode,
    JoinNode,
    LoopNode,
    MapNode,
    ModuleNode,
    Node,
    ProgramGraph,
    Source,
)
from domain.program.order import order
from domain.program.wiring import outputs_of
from domain.signature.compatibility import fits
from domain.signature.fields import FieldSpec
from domain.signature.types import STRING
from domain.values import Failure
from infrastructure.dspy_runtime.conditions import condition_text
from infrastructure.dspy_runtime.names import Names
from infrastructure.dspy_runtime.signatures import attribute, safe_name

CLASS_NAME: Final = "Program"


@dataclass(frozen=True, slots=True)
class Written:
    """The text of a program, and for its lines, counted from 1, the node that each belongs to."""

    text: str
    nodes: Mapping[int, str]


def written(graph: ProgramGraph, names: Names, constructors: Mapping[str, str]) -> Written:
    """The class of *graph*; *constructors* are those of its module nodes, by their ids.

    Raises:
        ProgramFailed: Nodes wait for each other, or a source does not exist.
    """
    page = _Page()
    page.add(0, f"class {CLASS_NAME}(dspy.Module):")
    page.add(1, "def __init__(self):")
    page.add(2, "super().__init__()")
    for node_id, constructor in constructors.items():
        page.add(2, f"self.{names.attributes[node_id]} = {constructor}", node_id)
    parameters = ", ".join(_parameter(it) for it in graph.signature.inputs)
    page.add(0, "")
    page.add(1, f"def forward(self, *, {parameters}):")
    inputs = {it.name: safe_name(it.name) for it in graph.signature.inputs}
    try:
        _Writer(page, names).program(graph, inputs)
    except InvalidGraph as error:
        raise _unbuildable(" ".join(fault.message for fault in error.faults)) from error
    return Written("\n".join([*page.lines, ""]), page.nodes)


def _unbuildable(message: str) -> ProgramFailed:
    return ProgramFailed(Failure(code="program.unbuildable", message=message))


def _parameter(parameter: FieldSpec) -> str:
    name = safe_name(parameter.name)
    return f"{name}={_default(parameter)}" if parameter.optional else name


def _default(absent: FieldSpec) -> str:
    return repr(absent.default if absent.has_default else None)


class _Page:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.nodes: dict[int, str] = {}

    def add(self, depth: int, text: str, node: str | None = None) -> None:
        self.lines.append("    " * depth + text)
        if node is not None:
            self.nodes[len(self.lines)] = node


@dataclass(slots=True)
class _Scope:
    """What the nodes of one graph can name: an expression for each value, and its field."""

    body: Body
    inputs: Mapping[str, str]
    depth: int
    modules: dict[str, str] = field(default_factory=dict)
    values: dict[tuple[str, str], str] = field(default_factory=dict)

    def value(self, source: Source) -> str:
        """The expression of *source*.

        Raises:
            InvalidGraph: There is no such value.
        """
        if source.node in self.modules:
            return f"{self.modules[source.node]}{attribute(source.field)}"
        known = self.inputs if source.node is None else self._of(source.node)
        if source.field not in known:
            message = f"Nothing gives {source.field} of node {source.node}."
            raise InvalidGraph([Fault("", "graph.unknown_field", message)])
        return known[source.field]

    def result(self, name: str) -> str:
        """The expression of output *name*; an optional one may have no source."""
        source = self.body.outputs.get(name)
        return "None" if source is None else self.value(source)

    def declared(self, source: Source) -> FieldSpec:
        """What *source* is declared to give."""
        if source.node is None:
            return next(it for it in self.body.signature.inputs if it.name == source.field)
        node = next(it for it in self.body.nodes if it.id == source.node)
        return outputs_of(node)[source.field]

    def _of(self, node: str) -> dict[str, str]:
        return {name: text for (owner, name), text in self.values.items() if owner == node}


class _Writer:
    def __init__(self, page: _Page, names: Names) -> None:
        self._page, self._names = page, names

    def program(self, graph: ProgramGraph, inputs: Mapping[str, str]) -> None:
        scope = self._body(graph, inputs, 2)
        self._page.add(2, f"return {self._prediction(scope)}")

    def _body(self, body: Body, inputs: Mapping[str, str], depth: int) -> _Scope:
        scope = _Scope(body, inputs, depth)
        for node in order(body):
            self._node(node, scope)
        return scope

    def _node(self, node: Node, scope: _Scope) -> None:
        variable = self._names.variables[node.id]
        match node:
            case ModuleNode():
                given = ", ".join(_arguments(node, scope))
                call = f"self.{self._names.attributes[node.id]}({given})"
                self._page.add(scope.depth, f"{variable} = {call}", node.id)
                scope.modules[node.id] = variable
            case ConstNode():
                self._page.add(scope.depth, f"{variable} = {node.value!r}", node.id)
                scope.values[node.id, "value"] = variable
            case JoinNode():
                self._page.add(scope.depth, f"{variable} = {_joined(node, scope)}", node.id)
                scope.values[node.id, "text"] = variable
            case MapNode():
                self._map(node, scope)
            case BranchNode():
                self._branch(node, scope)
            case LoopNode():
                self._loop(node, scope)
            case _:
                assert_never(node)

    def _map(self, node: MapNode, scope: _Scope) -> None:
        function = self._names.local(f"{node.id}_item")
        item = self._names.local(safe_name(node.over), node.id)
        self._page.add(scope.depth, f"def {function}({item}):", node.id)
        inputs = {**_inputs(node.body, node.inputs, scope), node.over: item}
        inner = self._body(node.body, inputs, scope.depth + 1)
        self._page.add(inner.depth, f"return {self._prediction(inner)}", node.id)
        items, variable = scope.value(node.inputs[node.over]), self._names.variables[node.id]
        call = f"{self._names.helper('each')}({function}, {items}, at_once={node.at_once})"
        self._page.add(scope.depth, f"{variable} = {call}", node.id)
        for each in node.body.signature.outputs:
            scope.values[node.id, each.name] = f"[it{attribute(each.name)} for it in {variable}]"

    def _branch(self, node: BranchNode, scope: _Scope) -> None:
        given = {name: scope.value(source) for name, source in node.inputs.items()}
        results = {
            it.name: self._names.local(safe_name(it.name), node.id)
            for it in node.then.signature.outputs
        }
        condition = condition_text(node.condition, given)
        for head, body in ((f"if {condition}:", node.then), ("else:", node.otherwise)):
            self._page.add(scope.depth, head, node.id)
            inner = self._body(body, _inputs(body, node.inputs, scope), scope.depth + 1)
            for name, variable in results.items():
                self._page.add(inner.depth, f"{variable} = {inner.result(name)}", node.id)
        scope.values.update({(node.id, name): it for name, it in results.items()})

    def _loop(self, node: LoopNode, scope: _Scope) -> None:
        inputs = _inputs(node.body, node.inputs, scope)
        kept = {
            it.name: self._names.local(safe_name(it.name), node.id)
            for it in node.body.signature.outputs
        }
        for name, variable in kept.items():
            self._page.add(scope.depth, f"{variable} = {inputs[name]}", node.id)
        self._page.add(scope.depth, f"for _ in {self._rounds(node, scope)}:", node.id)
        inner = self._body(node.body, {**inputs, **kept}, scope.depth + 1)
        # All at once: what comes next may be what another one was.
        results = ", ".join(inner.result(name) for name in kept)
        self._page.add(inner.depth, f"{', '.join(kept.values())} = {results}", node.id)
        if node.until is not None:
            self._page.add(inner.depth, f"if {condition_text(node.until, kept)}:", node.id)
            self._page.add(inner.depth + 1, "break", node.id)
        scope.values.update({(node.id, name): it for name, it in kept.items()})

    def _rounds(self, node: LoopNode, scope: _Scope) -> str:
        if node.times is None:
            return f"{self._names.helper('range')}({node.at_most})"
        wanted = scope.value(node.times)
        if scope.declared(node.times).optional:
            wanted = f"{node.at_most} if {wanted} is None else {wanted}"
        fewer = f"{self._names.helper('min')}({wanted}, {node.at_most})"
        return f"{self._names.helper('range')}({fewer})"

    def _prediction(self, scope: _Scope) -> str:
        outputs = scope.body.signature.outputs
        results = ", ".join(f"{safe_name(it.name)}={scope.result(it.name)}" for it in outputs)
        return f"{self._names.helper('dspy')}.Prediction({results})"


def _arguments(node: ModuleNode, scope: _Scope) -> Iterator[str]:
    for each in node.module.signature.inputs:
        if each.name in node.inputs:
            yield f"{safe_name(each.name)}={scope.value(node.inputs[each.name])}"


def _inputs(body: Body, sources: Mapping[str, Source], scope: _Scope) -> dict[str, str]:
    """What the inputs of *body* are outside of it; one that was left out is its default."""
    return {
        it.name: scope.value(sources[it.name]) if it.name in sources else _default(it)
        for it in body.signature.inputs
    }


def _joined(node: JoinNode, scope: _Scope) -> str:
    parts = [(scope.value(it), _is_text(scope.declared(it))) for it in node.items]
    match parts:
        case [(value, True)]:
            return value
        case [(value, False)]:
            return f"{node.separator!r}.join({value})"
        case _:
            listed = ", ".join(value if text else f"*{value}" for value, text in parts)
            return f"{node.separator!r}.join([{listed}])"


def _is_text(joined: FieldSpec) -> bool:
    return fits(joined.type, STRING)
