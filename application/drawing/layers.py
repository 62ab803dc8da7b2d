"""Which part of a picture stands in which column, and in which order: few crossings, no surprises.

It is the method of Sugiyama in small: columns by the longest way, wires over several columns led
through each of them, the order improved in sweeps. The same parts always come out the same.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from application.drawing.cards import IN, OUT, Card, Wire

_SWEEPS: Final = 8


@dataclass(frozen=True, slots=True)
class Cell:
    """A place in a column: a part, or a wire that passes by (then *output* is the one it is of)."""

    key: str
    output: str | None = None
    column: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """A piece of a wire, between neighbouring columns; for a cell that only leads it, no port."""

    source: Cell
    output: str | None
    target: Cell
    input: str | None


@dataclass(slots=True)
class Layers:
    """The columns from left to right, each from top to bottom, and what runs between them."""

    columns: list[list[Cell]]
    links: list[Link]
    ways: Mapping[Wire, Sequence[Cell]]


def layers(card: Card) -> Layers:
    """The parts of *card* in columns."""
    column_of = _columns(card)
    cells = {part.key: Cell(part.key, column=column_of[part.key]) for part in card.parts}
    columns: list[list[Cell]] = [[] for _ in range(max(column_of.values()) + 1)]
    for part in card.parts:
        columns[column_of[part.key]].append(cells[part.key])
    links: list[Link] = []
    ways: dict[Wire, Sequence[Cell]] = {}
    for wire in card.wires:
        source, target = cells[wire.source], cells[wire.target]
        between = [
            Cell(wire.source, wire.output, column)
            for column in range(source.column + 1, target.column)
        ]
        for cell in between:
            if cell not in columns[cell.column]:
                columns[cell.column].append(cell)
        way = [source, *between, target]
        ways[wire] = way
        links += _pieces(wire, way)
    found = Layers(columns, list(dict.fromkeys(links)), ways)
    _untangle(found, {part.key: part for part in card.parts})
    return found


def _pieces(wire: Wire, way: Sequence[Cell]) -> list[Link]:
    return [
        Link(
            left,
            wire.output if number == 0 else None,
            right,
            wire.input if number == len(way) - 2 else None,
        )
        for number, (left, right) in enumerate(pairwise(way))
    ]


def _columns(card: Card) -> dict[str, int]:
    """After all that it takes from; what takes from nothing stands just before its first taker."""
    before: dict[str, set[str]] = {part.key: set() for part in card.parts}
    after: dict[str, set[str]] = {part.key: set() for part in card.parts}
    for wire in card.wires:
        before[wire.target].add(wire.source)
        after[wire.source].add(wire.target)
    column: dict[str, int] = {IN: 0}

    def place(key: str) -> int:
        if key not in column:
            column[key] = 1 + max((place(each) for each in before[key]), default=0)
        return column[key]

    for part in card.parts:
        place(part.key)
    column[OUT] = max((it for key, it in column.items() if key != OUT), default=0) + 1
    for key, sources in before.items():
        if not sources and key != IN and after[key]:
            column[key] = max(1, min(column[each] for each in after[key]) - 1)
    return column


def _untangle(found: Layers, parts: Mapping[str, Card]) -> None:
    into: dict[Cell, list[Link]] = defaultdict(list)
    out_of: dict[Cell, list[Link]] = defaultdict(list)
    for link in found.links:
        into[link.target].append(link)
        out_of[link.source].append(link)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for column in found.columns if forward else reversed(found.columns):
            places = {cell: place for each in found.columns for place, cell in enumerate(each)}
            weights = {
                cell: _weight(
                    [_from(it, places, parts) for it in into[cell]]
                    if forward
                    else [_to(it, places, parts) for it in out_of[cell]],
                    default=places[cell],
                )
                for cell in column
            }
            column.sort(key=weights.__getitem__)


def _from(link: Link, places: Mapping[Cell, int], parts: Mapping[str, Card]) -> float:
    ports = parts[link.source.key].outputs
    return places[link.source] + _share(ports, link.output)


def _to(link: Link, places: Mapping[Cell, int], parts: Mapping[str, Card]) -> float:
    ports = parts[link.target.key].inputs if link.input else ()
    return places[link.target] + _share(ports, link.input)


def _share(ports: Sequence[str], port: str | None) -> float:
    """How far down a card *port* is, from 0 to 1."""
    return 0.5 if port is None else (ports.index(port) + 1) / (len(ports) + 1)


def _weight(values: Sequence[float], *, default: float) -> float:
    return sum(values) / len(values) if values else default
