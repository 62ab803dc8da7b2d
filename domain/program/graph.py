"""A program as data: modules as nodes, and where each of their inputs comes from."""

from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from domain.errors import Fault
from domain.kernel import ValueObject
from domain.module.rules import effective_signature
from domain.module.values import ModuleSpec
from domain.program.errors import InvalidGraph
from domain.signature.fields import SignatureSpec

NodeId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Source(ValueObject):
    """Where a value comes from: an output of *node*, or a program input without one."""

    node: NodeId | None = None
    field: str


class Node(ValueObject):
    """One module in a program; ``inputs`` says where each field of its signature comes from.

    ``module_id`` names the module it was taken from, if any; the spec is a frozen copy.
    """

    id: NodeId
    module: ModuleSpec
    inputs: dict[str, Source]
    module_id: UUID | None = None


class ProgramGraph(ValueObject):
    """Nodes in any order, and the program's signature; ``outputs`` binds each of its outputs."""

    signature: SignatureSpec
    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=100)]
    outputs: dict[str, Source]


def single(
    module: ModuleSpec, *, node_id: str | None = None, module_id: UUID | None = None
) -> ProgramGraph:
    """The program that is one *module*; by default the node is called after its kind."""
    signature = effective_signature(module)
    node = node_id or module.kind.value
    inputs = {field.name: Source(field=field.name) for field in signature.inputs}
    return ProgramGraph(
        signature=signature,
        nodes=(Node(id=node, module=module, inputs=inputs, module_id=module_id),),
        outputs={field.name: Source(node=node, field=field.name) for field in signature.outputs},
    )


def order(graph: ProgramGraph) -> tuple[Node, ...]:
    """The nodes, each after all that it takes values from, else as they were written.

    Raises:
        InvalidGraph: Nodes wait for each other in a circle.
    """
    waiting = {node.id: (position, node) for position, node in enumerate(graph.nodes)}
    ordered: list[Node] = []
    while waiting:
        ready = next(
            (node for _, node in waiting.values() if not _before(node) & waiting.keys()), None
        )
        if ready is None:
            raise InvalidGraph([_circle(position) for position, _ in waiting.values()])
        ordered.append(ready)
        del waiting[ready.id]
    return tuple(ordered)


def upstream(graph: ProgramGraph, sources: Iterable[Source]) -> set[str]:
    """The ids of all nodes that *sources* depend on, directly or through others."""
    before = {node.id: _before(node) for node in graph.nodes}
    found: set[str] = set()
    waiting = {source.node for source in sources if source.node}
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting |= before.get(node, set())
    return found


def _before(node: Node) -> set[str]:
    return {source.node for source in node.inputs.values() if source.node}


def _circle(position: int) -> Fault:
    message = "This node is in a circle, or waits for one. Take one of its inputs from elsewhere."
    return Fault(f"/nodes/{position}", "graph.cycle", message)
