"""Pictures of graphs: everything is in them, nothing is covered, and no text becomes markup."""

import re
from collections.abc import Iterator
from itertools import combinations
from xml.etree import ElementTree

from hypothesis import given

from application.drawing.cards import Card, cards, short
from application.drawing.layout import Box, Placed, layout
from application.drawing.mermaid import mermaid
from application.drawing.svg import svg
from domain.program.conditions import AllOf, AnyOf, Check, Comparison, Not, described
from domain.program.graph import ProgramGraph, walk
from domain.program.rules import check
from tests.support.graphs import (
    body,
    branch,
    const,
    graph,
    join,
    loop,
    program,
    simplified_baleen,
    step,
)
from tests.support.random_graphs import random_graphs

SVG = "{http://www.w3.org/2000/svg}"


def texts(it: ProgramGraph) -> list[str]:
    root = ElementTree.fromstring(svg(it, "x"))
    return [each.text or "" for each in root.iter(f"{SVG}text")]


def inside(box: Box) -> Iterator[Box]:
    yield box
    for part in box.parts:
        yield from inside(part.box)


@given(random_graphs())
def test_every_node_is_in_the_picture_and_in_the_text_once(it: ProgramGraph) -> None:
    shown, text = texts(it), mermaid(it)
    for placed in walk(it):
        assert shown.count(placed.node.id) == 1
        assert (
            len(re.findall(rf"^ *(?:subgraph )?n_{placed.node.id}[(\[]", text, re.MULTILINE)) == 1
        )


@given(random_graphs())
def test_nothing_covers_anything_and_all_stands_within_what_is_around_it(it: ProgramGraph) -> None:
    for box in inside(layout(cards(it))):
        for one, other in combinations(box.parts, 2):
            assert apart(one, other)
        for part in box.parts:
            assert 0 <= part.x <= part.x + part.box.width <= box.width
            assert 0 <= part.y <= part.y + part.box.height <= box.height


def apart(one: Placed, other: Placed) -> bool:
    return (
        one.x + one.box.width <= other.x
        or other.x + other.box.width <= one.x
        or one.y + one.box.height <= other.y
        or other.y + other.box.height <= one.y
    )


@given(random_graphs())
def test_every_wire_runs_to_the_right_from_port_to_port(it: ProgramGraph) -> None:
    for box in inside(layout(cards(it))):
        left = {(p.x, p.y + y) for p in box.parts for y in p.box.inputs.values()}
        right = {(p.x + p.box.width, p.y + y) for p in box.parts for y in p.box.outputs.values()}
        assert len(box.paths) == len(box.card.wires)
        for path in box.paths:
            assert path[0] in right
            assert path[-1] in left
            assert list(path) == sorted(path, key=lambda point: point[0])


@given(random_graphs())
def test_the_same_graph_is_the_same_picture(it: ProgramGraph) -> None:
    again = ProgramGraph.model_validate_json(it.model_dump_json())
    assert svg(it, "a") == svg(again, "a")
    assert mermaid(it) == mermaid(again)


@given(random_graphs())
def test_every_wire_of_the_text_ends_at_nodes_of_the_text(it: ProgramGraph) -> None:
    lines = mermaid(it).splitlines()
    known = set(re.findall(r"^ *(?:subgraph )?(\w+)[(\[]", "\n".join(lines), re.MULTILINE))
    wires = [re.fullmatch(r' *(\w+) -->\|"[^"|]*"\| (\w+)', it) for it in lines if "-->" in it]
    assert all(wire is not None and set(wire.groups()) <= known for wire in wires)


def test_a_wire_says_what_it_carries() -> None:
    text = mermaid(simplified_baleen())
    for line in (
        'In -->|"max_hops as rounds"| In_n_hops',
        'n_generate_query -->|"query"| n_retrieve',
        'Out_n_hops -->|"context"| n_generate_answer',
    ):
        assert line in text


def test_what_a_control_node_does_is_said() -> None:
    shown = texts(simplified_baleen())
    assert {"at most 4 rounds", 'joined by "\\n\\n"', "chain of thought", "rounds"} <= set(shown)
    sure = Check(op="true", field="ok")
    once = loop("once", body("ok: boolean -> ok: boolean", ok="ok"), at_most=1, until=sure, ok="ok")
    it = program("ok: boolean -> r: boolean", once, r="once.ok")
    assert "at most 1 round, until ok is true" in texts(it)


def test_an_input_of_a_loop_may_be_called_rounds() -> None:
    counted = loop(
        "it",
        body("rounds: integer -> rounds: integer", rounds="rounds"),
        at_most=2,
        times="n",
        rounds="n",
    )
    it = program("n: integer -> m: integer", counted, m="it.rounds")
    assert {"rounds", "rounds_"} <= set(texts(it))


HOSTILE = (
    """</text><script>alert("1")</script>&amp; ]]> "]-->|"x"| %% `end` #quot; \n\u2028"""
    "\x1b\ufffe\U0001ffff"
)


def test_no_text_of_a_graph_becomes_markup() -> None:
    routed = branch(
        "routed",
        Comparison(op="eq", field="text", value=HOSTILE),
        body("text -> r", r="text"),
        body("text -> r", const("c", HOSTILE), r="c.value"),
        text="text",
    )
    it = check(graph("text -> r", routed, join("j", "routed.r", separator=HOSTILE), r="j.text"))
    picture = svg(it, HOSTILE)
    root = ElementTree.fromstring(picture)
    kinds = {each.tag.removeprefix(SVG) for each in root.iter()}
    assert kinds == {"svg", "title", "style", "rect", "path", "g", "text", "circle"}
    text = mermaid(it)
    for line in text.splitlines():
        assert line.count('"') % 2 == 0
    assert "<script" not in text
    assert "#quot;" not in text


def test_the_picture_loads_nothing() -> None:
    picture = svg(simplified_baleen(), "Baleen").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "http" not in picture
    assert "url(" not in picture
    assert "<title>Baleen</title>" in picture


def test_a_card_shows_what_nobody_takes() -> None:
    it = program("a -> b", step("s", "a -> b, unused", a="a"), b="s.b")
    [_, node, _] = cards(it).parts
    assert node == Card("s", "module", "s", "predict", ("a",), ("b", "unused"))


def test_long_texts_are_cut() -> None:
    assert short("a\n b") == "a b"
    assert short("x" * 61) == "x" * 59 + "…"
    assert len(short("x" * 60)) == 60


def test_a_condition_is_said_as_people_say_it() -> None:
    level = Comparison(op="ge", field="level", value=3)
    empty, sure = Check(op="empty", field="text"), Check(op="true", field="sure")
    word = Comparison(op="in", field="word", value=["bug", "ü"])
    condition = AllOf(
        op="all", of=(level, Not(op="not", of=empty), AnyOf(op="any", of=(sure, word)))
    )
    assert described(condition) == (
        'level ≥ 3 and not (text is empty) and (sure is true or word is one of ["bug", "ü"])'
    )
