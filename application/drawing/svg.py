"""A program graph as an SVG picture that stands alone: no script, no font, no link."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape as marked_up
from xml.sax.saxutils import quoteattr

from application.drawing.cards import IN, OUT, cards
from application.drawing.layout import PADDING, Box, Point, layout
from domain.program.graph import ProgramGraph

_MARGIN: Final = 20
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STYLE: Final = """
svg { --paper: #ffffff; --ink: #1f2430; --soft: #667085; --line: #98a2b3; --card: #ffffff;
  --module: #4f46e5; --const: #64748b; --join: #0d9488; --map: #d97706; --branch: #db2777;
  --loop: #7c3aed; --end: #f2f4f7;
  font: 12px ui-sans-serif, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
@media (prefers-color-scheme: dark) { svg { --paper: #11151f; --ink: #e6e9f0; --soft: #9aa4b8;
  --line: #5b6579; --card: #1b2130; --module: #8b93ff; --const: #94a3b8; --join: #2dd4bf;
  --map: #fbbf24; --branch: #f472b6; --loop: #c4b5fd; --end: #262d3d; } }
.paper { fill: var(--paper); } text { fill: var(--ink); }
.title { font-size: 13px; font-weight: 600; } .soft { fill: var(--soft); font-size: 11px; }
.card { fill: var(--card); stroke: var(--hue); stroke-width: 1.25; }
.tint { fill: var(--hue); fill-opacity: .05; stroke: var(--hue); stroke-opacity: .55; }
.bar { fill: var(--hue); } .port { fill: var(--card); stroke: var(--line); stroke-width: 1.5; }
.end { fill: var(--end); } .wire { fill: none; stroke: var(--line); stroke-width: 1.5; }
.module { --hue: var(--module); } .const { --hue: var(--const); } .join { --hue: var(--join); }
.map { --hue: var(--map); } .branch, .side { --hue: var(--branch); } .loop { --hue: var(--loop); }
.side > .tint { stroke-dasharray: 4 3; }
"""


def svg(graph: ProgramGraph, title: str) -> str:
    """The picture of *graph*, called *title* for those who cannot see it."""
    box = layout(cards(graph))
    width, height = box.width + 2 * _MARGIN, box.height + 2 * _MARGIN
    size = f'width="{_n(width)}" height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        '<rect class="paper" width="100%" height="100%"/>',
        *_inside(box, _MARGIN, _MARGIN, outermost=True),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _inside(box: Box, x: float, y: float, *, outermost: bool = False) -> Iterator[str]:
    for path in box.paths:
        yield f'<path class="wire" d="{_curve(path, x, y)}"/>'
    for part in box.parts:
        if part.box.card.key in (IN, OUT):
            yield from _end(part.box, x + part.x, y + part.y, outermost=outermost)
        else:
            yield from _drawn(part.box, x + part.x, y + part.y)


def _drawn(box: Box, x: float, y: float) -> Iterator[str]:
    card = box.card
    yield f"<g class={quoteattr(card.kind)}>"
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(box.width)}" height="{_n(box.height)}" rx="8"'
    if card.parts:
        yield f'<rect class="tint" {place}/>'
    else:
        yield f'<rect class="card" {place}/>'
        bar = f'x="{_n(x)}" y="{_n(y + 10)}" width="3" height="{_n(box.height - 20)}"'
        yield f'<rect class="bar" {bar}/>'
    yield _text(x + PADDING, y + 20, card.title, "title")
    if card.subtitle:
        yield _text(x + PADDING, y + 36, card.subtitle, "soft")
    yield from _inside(box, x, y)
    if not card.parts:
        for name, down in box.inputs.items():
            yield _text(x + PADDING, y + down + 4, name)
        for name, down in box.outputs.items():
            yield _text(x + box.width - PADDING, y + down + 4, name, anchor="end")
        yield from _ports(x, y, box.inputs)
        yield from _ports(x + box.width, y, box.outputs)
    yield "</g>"


def _end(box: Box, x: float, y: float, *, outermost: bool) -> Iterator[str]:
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(box.width)}" height="{_n(box.height)}" rx="6"'
    yield f'<rect class="end" {place}/>'
    for name, down in box.inputs.items():
        yield _text(x + box.width / 2, y + down + 4, name, anchor="middle")
    # Nothing comes from before the inputs of a program, and nothing goes on after its outputs.
    if not (outermost and box.card.key == IN):
        yield from _ports(x, y, box.inputs)
    if not (outermost and box.card.key == OUT):
        yield from _ports(x + box.width, y, box.outputs)


def _ports(x: float, y: float, ports: Mapping[str, float]) -> Iterator[str]:
    for down in ports.values():
        yield f'<circle class="port" cx="{_n(x)}" cy="{_n(y + down)}" r="3.5"/>'


def _text(x: float, y: float, text: str, kind: str = "", *, anchor: str = "start") -> str:
    style = f' class="{kind}"' if kind else ""
    turned = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text{style} x="{_n(x)}" y="{_n(y)}"{turned}>{escape(text)}</text>'


def _curve(points: Sequence[Point], x: float, y: float) -> str:
    """A line through *points* that leaves and reaches each one level."""
    (left, top), *rest = [(x + across, y + down) for across, down in points]
    path = f"M{_n(left)} {_n(top)}"
    for across, down in rest:
        half = (left + across) / 2
        path += f"C{_n(half)} {_n(top)} {_n(half)} {_n(down)} {_n(across)} {_n(down)}"
        left, top = across, down
    return path


def escape(text: str) -> str:
    """*text* as XML has it; what no XML can hold becomes U+FFFD."""
    return marked_up(_NO_XML.sub("\ufffd", text))


def _n(length: float) -> str:
    return f"{length:.1f}".removesuffix(".0")
