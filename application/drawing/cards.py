"""What a picture of a graph shows: a card for each node, with its inputs left and outputs right."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from domain.program.conditions import described
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
from domain.program.wiring import outputs_of

IN: Final = "_in"
OUT: Final = "_out"
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Wire:
    """From an output of one part to an input of another one, both by the keys of their parts."""

    source: str
    output: str
    target: str
    input: str


@dataclass(frozen=True, slots=True)
class Card:
    """A node, or a body in it. ``parts`` are what is inside, ``IN`` and ``OUT`` among them.

    ``key`` names it among its neighbours, ``kind`` is how it looks. No node is called ``IN``: the
    id of a node begins with a letter.
    """

    key: str
    kind: str
    title: str
    subtitle: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parts: "tuple[Card, ...]" = ()
    wires: tuple[Wire, ...] = ()


def cards(graph: ProgramGraph) -> Card:
    """The whole of *graph* as one card."""
    return _whole(graph, key="program", kind="program", title="", subtitle="")


def _whole(body: Body, *, key: str, kind: str, title: str, subtitle: str) -> Card:
    inputs = tuple(field.name for field in body.signature.inputs)
    outputs = tuple(field.name for field in body.signature.outputs)
    nodes = tuple(_card(node) for node in body.nodes)
    wires = [wire for node in body.nodes for wire in _wires(node)]
    wires += [_wire(source, OUT, name) for name, source in body.outputs.items()]
    parts = (_end(IN, inputs), *nodes, _end(OUT, outputs))
    return Card(key, kind, title, subtitle, inputs, outputs, parts, tuple(wires))


def _card(node: Node) -> Card:
    match node:
        case ModuleNode():
            return _leaf(node, node.module.kind.value.replace("_", " "), node.inputs)
        case ConstNode():
            return _leaf(node, short(json.dumps(node.value, ensure_ascii=False)), ())
        case JoinNode():
            joined = f"joined by {short(json.dumps(node.separator, ensure_ascii=False))}"
            return _leaf(node, joined, join_inputs(node))
        case MapNode():
            return _around(node, node.body, f"for each {node.over}, {node.at_once} at once")
        case LoopNode():
            card = _around(node, node.body, loop_text(node))
            return card if node.times is None else _with_times(card)
        case BranchNode():
            return _fork(node)
        case _:
            assert_never(node)


def loop_text(node: LoopNode) -> str:
    """How often a loop runs."""
    rounds = "1 round" if node.at_most == 1 else f"{node.at_most} rounds"
    end = "" if node.until is None else f", until {short(described(node.until))}"
    return f"at most {rounds}{end}"


def join_inputs(node: JoinNode) -> tuple[str, ...]:
    """The items of a join have no names: they are counted."""
    return tuple(f"{number}." for number, _ in enumerate(node.items, 1))


def short(text: str) -> str:
    """*text* on one line, cut where it is too long for a picture."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def _leaf(node: Node, subtitle: str, inputs: Iterable[str]) -> Card:
    return Card(node.id, node.kind, node.id, subtitle, tuple(inputs), tuple(outputs_of(node)))


def _around(node: MapNode | LoopNode, body: Body, subtitle: str) -> Card:
    return _whole(body, key=node.id, kind=node.kind, title=node.id, subtitle=subtitle)


def _with_times(card: Card) -> Card:
    """The number of rounds is an input of the loop, and none of its body."""
    inputs = (*card.inputs, _free("rounds", card.inputs))
    parts = tuple(_end(IN, inputs) if part.key == IN else part for part in card.parts)
    return Card(
        card.key, card.kind, card.title, card.subtitle, inputs, card.outputs, parts, card.wires
    )


def _fork(node: BranchNode) -> Card:
    sides = [("then", node.then), ("otherwise", node.otherwise)]
    parts = [_whole(body, key=name, kind="side", title=name, subtitle="") for name, body in sides]
    inputs, outputs = tuple(node.inputs), tuple(outputs_of(node))
    wires = [
        Wire(IN, name, part.key, name) for part in parts for name in part.inputs if name in inputs
    ]
    wires += [Wire(part.key, name, OUT, name) for part in parts for name in part.outputs]
    subtitle = f"if {short(described(node.condition))}"
    ends = (_end(IN, inputs), *parts, _end(OUT, outputs))
    return Card(node.id, node.kind, node.id, subtitle, inputs, outputs, ends, tuple(wires))


def _end(key: str, names: Sequence[str]) -> Card:
    return Card(key, "end", "", "", tuple(names), tuple(names))


def _wires(node: Node) -> Iterator[Wire]:
    match node:
        case ConstNode():
            return
        case JoinNode():
            for name, source in zip(join_inputs(node), node.items, strict=True):
                yield _wire(source, node.id, name)
        case _:
            for name, source in node.inputs.items():
                yield _wire(source, node.id, name)
    if isinstance(node, LoopNode) and node.times is not None:
        names = tuple(field.name for field in node.body.signature.inputs)
        yield _wire(node.times, node.id, _free("rounds", names))


def _wire(source: Source, target: str, name: str) -> Wire:
    return Wire(source.node or IN, source.field, target, name)


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name
