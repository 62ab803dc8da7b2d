"""A program graph as text that Mermaid draws, in documents and in the web."""

import re
from collections.abc import Iterator
from typing import Final

from application.drawing.cards import IN, Card, Wire, cards
from domain.program.graph import ProgramGraph

_SHAPES: Final = {
    "module": ("[", "]"),
    "const": ("[/", "/]"),
    "join": ("([", "])"),
    "end": ("(", ")"),
}
_SPECIAL = re.compile(r"[^\w .,:;()+*=/≤≥…-]")


def mermaid(graph: ProgramGraph) -> str:
    """*graph* as a flowchart from left to right, one line for each node and each wire."""
    return "\n".join(["flowchart LR", *_inside(cards(graph), "", 1)]) + "\n"


def _inside(card: Card, name: str, depth: int) -> Iterator[str]:
    """What is in *card*, which is called *name*; only what we add has capitals in its name."""
    space = "  " * depth
    names = {part.key: _name(part, name) for part in card.parts}
    for part in card.parts:
        if part.parts:
            yield f"{space}subgraph {names[part.key]}[{_said(part.title, part.subtitle)}]"
            yield from _inside(part, names[part.key], depth + 1)
            yield f"{space}end"
        else:
            opened, closed = _SHAPES[part.kind]
            words = part.inputs if part.kind == "end" else (part.title, part.subtitle)
            yield f"{space}{names[part.key]}{opened}{_said(*words)}{closed}"
    inside = {part.key for part in card.parts if part.parts}
    for wire in card.wires:
        source, target = names[wire.source], names[wire.target]
        # What has an inside gives from its own outputs and takes by its own inputs.
        source = f"Out_{source}" if wire.source in inside else source
        target = f"In_{target}" if wire.target in inside else target
        yield f"{space}{source} -->|{_said(_label(wire))}| {target}"


def _name(part: Card, around: str) -> str:
    match part.kind:
        case "end":
            side = "In" if part.key == IN else "Out"
            return f"{side}_{around}" if around else side
        case "side":
            return f"{part.key.title()}_{around}"
        case _:
            return f"n_{part.key}"


def _label(wire: Wire) -> str:
    same = wire.output == wire.input or wire.input.endswith(".")
    return wire.output if same else f"{wire.output} as {wire.input}"


def _said(*lines: str) -> str:
    """*lines* in quotes, as Mermaid shows them whatever is in them."""
    shown = (_SPECIAL.sub(lambda it: f"#{ord(it.group())};", line) for line in lines if line)
    return f'"{"<br/>".join(shown)}"'
