"""What makes a graph a program: everything bound, of fitting types, in no circle, and of use."""

from collections.abc import Iterator
from keyword import iskeyword
from typing import Final

from domain.errors import Fault
from domain.module.rules import module_faults
from domain.program.errors import InvalidGraph
from domain.program.graph import (
    Body,
    LoopNode,
    Node,
    ProgramGraph,
    bodies,
    module_nodes,
    sources,
    walk,
)
from domain.program.order import upstream
from domain.program.spelling import spelled
from domain.program.wiring import wiring_faults

MAX_NODES: Final = 100
MAX_DEPTH: Final = 5
MAX_ROUNDS: Final = 1000

RESERVED_NODE_IDS: Final = frozenset({
    "acall", "aforward", "batch", "callbacks", "deepcopy", "dump_state", "forward", "get_lm",
    "history", "inspect_history", "load", "load_state", "map_named_predictors",
    "named_parameters", "named_predictors", "named_sub_modules", "parameters", "predictors",
    "reset_copy", "save", "self", "set_lm",
})  # fmt: skip
"""Names with a meaning of their own in a DSPy module, whose attributes the nodes become."""


def check(graph: ProgramGraph) -> ProgramGraph:
    """*graph* with every signature, type and constant in its one spelling.

    Raises:
        InvalidGraph: It cannot run; the error names every fault.
    """
    kept = spelled(graph)
    faults = [
        *_module_faults(kept),
        *_id_faults(kept),
        *wiring_faults(kept),
        *_size_faults(kept),
        *_round_faults(kept),
        *_shape_faults(kept),
    ]
    if faults:
        raise InvalidGraph(faults)
    return kept


def _module_faults(graph: ProgramGraph) -> Iterator[Fault]:
    for pointer, node in module_nodes(graph):
        yield from module_faults(node.module, f"{pointer}/module")


def _id_faults(graph: ProgramGraph) -> Iterator[Fault]:
    seen: set[str] = set()
    for pointer, node, _ in walk(graph):
        if node.id in seen:
            message = f"The id {node.id} is used twice. Every node needs its own, also in bodies."
            yield Fault(f"{pointer}/id", "node.repeated", message)
        if iskeyword(node.id) or node.id in RESERVED_NODE_IDS:
            message = f"The id {node.id} is reserved. Choose another, such as {node.id}_step."
            yield Fault(f"{pointer}/id", "node.reserved", message)
        seen.add(node.id)


def _size_faults(graph: ProgramGraph) -> Iterator[Fault]:
    count = 0
    for pointer, node, depth in walk(graph):
        count += 1
        if depth == MAX_DEPTH and bodies(node):
            message = f"Bodies are nested at most {MAX_DEPTH} levels deep. Take this one apart."
            yield Fault(pointer, "graph.too_deep", message)
    if count > MAX_NODES:
        message = f"A program has at most {MAX_NODES} nodes, this one has {count}. Split it."
        yield Fault("/nodes", "graph.too_many_nodes", message)


def _round_faults(body: Body, pointer: str = "", rounds: int = 1) -> Iterator[Fault]:
    for index, node in enumerate(body.nodes):
        here = f"{pointer}/nodes/{index}"
        together = rounds * node.at_most if isinstance(node, LoopNode) else rounds
        if together > MAX_ROUNDS:
            message = (
                f"Loops in loops make {together} rounds, {MAX_ROUNDS} are allowed. Lower at_most."
            )
            yield Fault(f"{here}/at_most", "loop.too_many_rounds", message)
            continue
        for name, inner in bodies(node).items():
            yield from _round_faults(inner, f"{here}/{name}", together)


def _shape_faults(body: Body, pointer: str = "") -> Iterator[Fault]:
    used = upstream(body, body.outputs.values())
    for index, node in enumerate(body.nodes):
        yield from _place_faults(body, node, f"{pointer}/nodes/{index}", used)
    for index, node in enumerate(body.nodes):
        for name, inner in bodies(node).items():
            yield from _shape_faults(inner, f"{pointer}/nodes/{index}/{name}")


def _place_faults(body: Body, node: Node, pointer: str, used: set[str]) -> Iterator[Fault]:
    if node.id in upstream(body, sources(node)):
        message = f"Node {node.id} waits for itself. Take one of its inputs from elsewhere."
        yield Fault(pointer, "graph.cycle", message)
    if node.id not in used:
        message = f"No output of the program needs node {node.id}. Use it or remove it."
        yield Fault(pointer, "graph.unreachable", message)
