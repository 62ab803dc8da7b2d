"""Which node comes after which: by what each takes from others, else as they were written."""

from collections.abc import Iterable

from domain.errors import Fault
from domain.program.errors import InvalidGraph
from domain.program.graph import Body, Node, Source, sources


def order(graph: Body) -> tuple[Node, ...]:
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
            raise InvalidGraph([_circle(*each) for each in waiting.values()])
        ordered.append(ready)
        del waiting[ready.id]
    return tuple(ordered)


def upstream(graph: Body, wanted: Iterable[Source]) -> set[str]:
    """The ids of all nodes that *wanted* depend on, directly or through others."""
    before = {node.id: _before(node) for node in graph.nodes}
    found: set[str] = set()
    waiting = {source.node for source in wanted if source.node}
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting |= before.get(node, set())
    return found


def _before(node: Node) -> set[str]:
    return {source.node for source in sources(node) if source.node}


def _circle(position: int, node: Node) -> Fault:
    message = f"Node {node.id} is in a circle, or waits for one. Take an input from elsewhere."
    return Fault(f"/nodes/{position}", "graph.cycle", message)
