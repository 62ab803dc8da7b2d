"""Where everything in a picture of a graph stands; lengths are in pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from application.drawing.cards import IN, OUT, Card
from application.drawing.layers import Cell, Layers, Link, layers

_HEADER: Final = 46
_HEADER_OF_ONE_LINE: Final = 30
ROW: Final = 22
PADDING: Final = 12
_LETTER, _LETTER_OF_TITLE = 6.6, 8.0
_GAP_X, _GAP_Y, _LANE = 52.0, 22.0, 10.0
_ROUNDS: Final = 24

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A card with its size; ``parts`` and ``paths`` are measured from its upper left corner."""

    card: Card
    width: float
    height: float
    inputs: Mapping[str, float]
    outputs: Mapping[str, float]
    parts: "tuple[Placed, ...]" = ()
    paths: tuple[tuple[Point, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    x: float
    y: float
    box: Box


def layout(card: Card) -> Box:
    """*card* and all that is in it, in place."""
    return _container(card) if card.parts else _leaf(card)


def width_of(text: str) -> float:
    """About how wide *text* is where it names a port."""
    return len(text) * _LETTER


def _leaf(card: Card) -> Box:
    header = _header(card) or PADDING / 2
    rows = max(len(card.inputs), len(card.outputs))
    named = [*card.inputs, ""], [*card.outputs, ""]
    if card.key in (IN, OUT):
        sides = max(map(width_of, named[0])) + 2 * PADDING
    else:
        sides = sum(max(map(width_of, names)) for names in named) + 4 * PADDING
    width = max(sides, _header_width(card))
    return Box(
        card,
        round(width),
        header + rows * ROW + PADDING / 2,
        {name: header + (row + 0.5) * ROW for row, name in enumerate(card.inputs)},
        {name: header + (row + 0.5) * ROW for row, name in enumerate(card.outputs)},
    )


def _header(card: Card) -> int:
    if not card.title:
        return 0
    return _HEADER if card.subtitle else _HEADER_OF_ONE_LINE


def _header_width(card: Card) -> float:
    title = len(card.title) * _LETTER_OF_TITLE
    return max(title, len(card.subtitle) * _LETTER * 0.95) + 2 * PADDING if card.title else 0


def _container(card: Card) -> Box:
    boxes = {part.key: layout(part) for part in card.parts}
    found = layers(card)
    tops = _tops(found, boxes)
    lefts, width = _lefts(found, boxes)
    if (more := _header_width(card) - width) > 0:
        lefts, width = _spread(lefts, more), width + more
    head = _header(card)
    lowest = max(tops[cell] + _height(cell, boxes) for cell in tops)
    parts = tuple(
        Placed(_left(Cell(part.key, column=cell.column), lefts, boxes, width), tops[cell] + head,
               boxes[part.key])
        for part in card.parts
        for cell in tops
        if cell.key == part.key and cell.output is None
    )  # fmt: skip
    at = {placed.box.card.key: placed for placed in parts}
    paths = tuple(
        _path(way, wire.output, wire.input, at, (lefts, tops, head))
        for wire, way in found.ways.items()
    )
    ends = at[IN], at[OUT]
    return Box(
        card,
        round(width),
        lowest + head + PADDING,
        {name: ends[0].y + y for name, y in ends[0].box.inputs.items()},
        {name: ends[1].y + y for name, y in ends[1].box.outputs.items()},
        parts,
        paths,
    )


def _spread(lefts: Sequence[Point], more: float) -> list[Point]:
    """Columns further apart, to make room for *more*; the first and the last stay at the sides."""
    step = more / (len(lefts) - 1)
    return [(left + number * step, width) for number, (left, width) in enumerate(lefts)]


def _left(cell: Cell, lefts: Sequence[Point], boxes: Mapping[str, Box], width: float) -> float:
    left, column = lefts[cell.column]
    own = boxes[cell.key].width
    if cell.key == OUT:
        return round(width - own)
    return round(left + (column - own) / 2)


def _lefts(found: Layers, boxes: Mapping[str, Box]) -> tuple[list[Point], float]:
    """Left side and width of each column, and the width of all."""
    lefts: list[Point] = []
    x = 0.0
    for column in found.columns:
        widths = [boxes[cell.key].width for cell in column if cell.output is None]
        width = max(widths, default=0.0)
        lefts.append((x, width))
        x += width + _GAP_X
    return lefts, x - _GAP_X


def _tops(found: Layers, boxes: Mapping[str, Box]) -> dict[Cell, float]:
    """Top of each cell: as near to what it is wired to as its neighbours in the column allow."""
    tops: dict[Cell, float] = {}
    for column in found.columns:
        y = 0.0
        for cell in column:
            tops[cell] = y
            y += _height(cell, boxes) + _gap(cell)
    for turn in range(_ROUNDS):
        for column in found.columns if turn % 2 == 0 else reversed(found.columns):
            wished = [_wish(cell, found.links, tops, boxes, turn) for cell in column]
            tops.update(zip(column, _apart(column, wished, boxes), strict=True))
    highest = min(tops.values())
    return {cell: round(top - highest + PADDING) for cell, top in tops.items()}


def _wish(
    cell: Cell, links: Sequence[Link], tops: Mapping[Cell, float], boxes: Mapping[str, Box],
    turn: int,
) -> float:  # fmt: skip
    """The top that would make the wires of *cell* straight, on average."""
    left = [
        _port_out(it, tops, boxes) - _own(boxes, cell, it.input, "inputs")
        for it in links
        if it.target == cell
    ]
    right = [
        _port_in(it, tops, boxes) - _own(boxes, cell, it.output, "outputs")
        for it in links
        if it.source == cell
    ]
    if turn < _ROUNDS - 4:
        sides = (left or right) if turn % 2 == 0 else (right or left)
    else:
        sides = left + right
    return sum(sides) / len(sides) if sides else tops[cell]


def _own(boxes: Mapping[str, Box], cell: Cell, port: str | None, side: str) -> float:
    if port is None:
        return _LANE / 2
    box = boxes[cell.key]
    return (box.inputs if side == "inputs" else box.outputs)[port]


def _port_out(link: Link, tops: Mapping[Cell, float], boxes: Mapping[str, Box]) -> float:
    return tops[link.source] + _own(boxes, link.source, link.output, "outputs")


def _port_in(link: Link, tops: Mapping[Cell, float], boxes: Mapping[str, Box]) -> float:
    return tops[link.target] + _own(boxes, link.target, link.input, "inputs")


def _apart(
    column: Sequence[Cell], wished: Sequence[float], boxes: Mapping[str, Box]
) -> list[float]:
    """Tops near to those *wished*, in the same order and without overlap.

    From above each is pushed down, from below each is pushed up; between both is room for all.
    """
    steps = [_height(cell, boxes) + _gap(cell) for cell in column]
    down: list[float] = []
    for number, wish in enumerate(wished):
        down.append(max(wish, down[-1] + steps[number - 1]) if number else wish)
    up: list[float] = []
    for number in reversed(range(len(wished))):
        up.append(min(wished[number], up[-1] - steps[number]) if up else wished[number])
    return [(one + other) / 2 for one, other in zip(down, reversed(up), strict=True)]


def _height(cell: Cell, boxes: Mapping[str, Box]) -> float:
    return boxes[cell.key].height if cell.output is None else _LANE


def _gap(cell: Cell) -> float:
    return _GAP_Y if cell.output is None else _LANE


def _path(
    way: Sequence[Cell],
    output: str,
    taken: str,
    at: Mapping[str, Placed],
    place: tuple[Sequence[Point], Mapping[Cell, float], float],
) -> tuple[Point, ...]:
    lefts, tops, head = place
    first, last = at[way[0].key], at[way[-1].key]
    points = [(first.x + first.box.width, first.y + first.box.outputs[output])]
    for cell in way[1:-1]:
        left, width = lefts[cell.column]
        y = tops[cell] + head + _LANE / 2
        points += [(left, y), (left + width, y)]
    return (*points, (last.x, last.y + last.box.inputs[taken]))
