"""What makes a graph a program: everything bound, of fitting types, in no circle, and of use."""

from collections.abc import Iterator, Mapping, Sequence
from keyword import iskeyword
from typing import Final

from domain.errors import Fault
from domain.module.rules import effective_signature, module_faults
from domain.program.errors import InvalidGraph
from domain.program.graph import Node, ProgramGraph, Source, upstream
from domain.signature.compatibility import feeds
from domain.signature.errors import InvalidSignature
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.rules import accepted
from domain.text import escape

RESERVED_NODE_IDS: Final = frozenset({
    "acall", "aforward", "batch", "callbacks", "deepcopy", "dump_state", "forward", "get_lm",
    "history", "inspect_history", "load", "load_state", "map_named_predictors",
    "named_parameters", "named_predictors", "named_sub_modules", "parameters", "predictors",
    "reset_copy", "save", "self", "set_lm",
})  # fmt: skip
"""Names with a meaning of their own in a DSPy module, whose attributes the nodes become."""

_Fields = Mapping[str, FieldSpec]


def check(graph: ProgramGraph) -> ProgramGraph:
    """*graph* with every signature in its one spelling.

    Raises:
        InvalidGraph: It cannot run; the error names every fault.
    """
    spelled = _spelled(graph)
    faults = [
        *_module_faults(spelled),
        *_id_faults(spelled.nodes),
        *_Wiring(spelled).faults(),
        *_shape_faults(spelled),
    ]
    if faults:
        raise InvalidGraph(faults)
    return spelled


def _spelled(graph: ProgramGraph) -> ProgramGraph:
    faults: list[Fault] = []

    def spelled(spec: SignatureSpec, pointer: str) -> SignatureSpec:
        try:
            return accepted(spec)
        except InvalidSignature as error:
            faults.extend(Fault(pointer + it.pointer, it.code, it.message) for it in error.faults)
            return spec

    signature = spelled(graph.signature, "/signature")
    nodes: list[Node] = []
    for index, node in enumerate(graph.nodes):
        kept = spelled(node.module.signature, f"/nodes/{index}/module/signature")
        module = node.module.model_copy(update={"signature": kept})
        nodes.append(node.model_copy(update={"module": module}))
    if faults:
        raise InvalidGraph(faults)
    return graph.model_copy(update={"signature": signature, "nodes": tuple(nodes)})


def _module_faults(graph: ProgramGraph) -> Iterator[Fault]:
    for index, node in enumerate(graph.nodes):
        yield from module_faults(node.module, f"/nodes/{index}/module")


def _id_faults(nodes: Sequence[Node]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, node in enumerate(nodes):
        pointer = f"/nodes/{index}/id"
        if node.id in seen:
            message = f"The id {node.id} is used twice. Every node needs its own."
            yield Fault(pointer, "node.repeated", message)
        if iskeyword(node.id) or node.id in RESERVED_NODE_IDS:
            message = f"The id {node.id} is reserved. Choose another, such as {node.id}_step."
            yield Fault(pointer, "node.reserved", message)
        seen.add(node.id)


def _shape_faults(graph: ProgramGraph) -> Iterator[Fault]:
    used = upstream(graph, graph.outputs.values())
    for index, node in enumerate(graph.nodes):
        if node.id in upstream(graph, node.inputs.values()):
            message = f"Node {node.id} waits for itself. Take one of its inputs from elsewhere."
            yield Fault(f"/nodes/{index}", "graph.cycle", message)
        if node.id not in used:
            message = f"No output of the program needs node {node.id}. Use it or remove it."
            yield Fault(f"/nodes/{index}", "graph.unreachable", message)


class _Wiring:
    """Whether every input and output has a source that exists and fits."""

    def __init__(self, graph: ProgramGraph) -> None:
        self._graph = graph
        self._inputs = _by_name(graph.signature.inputs)
        self._nodes = {
            node.id: _by_name(effective_signature(node.module).outputs) for node in graph.nodes
        }

    def faults(self) -> Iterator[Fault]:
        for index, node in enumerate(self._graph.nodes):
            wanted = _by_name(node.module.signature.inputs)
            yield from self._bound(f"/nodes/{index}/inputs", wanted, node.inputs)
        yield from self._bound(
            "/outputs",
            _by_name(self._graph.signature.outputs),
            self._graph.outputs,
        )

    def _bound(
        self, pointer: str, wanted: _Fields, sources: Mapping[str, Source]
    ) -> Iterator[Fault]:
        for name, field in wanted.items():
            if name not in sources and not field.optional:
                message = f"{name} has no source. Say which field it comes from."
                yield Fault(pointer, "graph.unbound", message)
        for name, source in sources.items():
            at = f"{pointer}/{escape(name)}"
            if name in wanted:
                yield from self._source_faults(at, source, wanted[name])
            else:
                message = "The signature has no field of this name. Remove it."
                yield Fault(at, "graph.unknown_field", message)

    def _source_faults(self, pointer: str, source: Source, target: FieldSpec) -> Iterator[Fault]:
        fields = self._inputs if source.node is None else self._nodes.get(source.node)
        if fields is None:
            message = f"There is no node {source.node}. Choose one of {', '.join(self._nodes)}."
            yield Fault(f"{pointer}/node", "graph.unknown_node", message)
        elif source.field not in fields:
            owner = "The program has no input" if source.node is None else "This node has no output"
            message = f"{owner} of that name. Choose one of {', '.join(fields)}."
            yield Fault(f"{pointer}/field", "graph.unknown_field", message)
        elif not feeds(fields[source.field], target):
            message = f"The types of {source.field} and {target.name} do not fit. Change one."
            yield Fault(pointer, "graph.type_mismatch", message)


def _by_name(fields: Sequence[FieldSpec]) -> dict[str, FieldSpec]:
    return {field.name: field for field in fields}
