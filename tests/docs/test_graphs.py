"""The graphs of the documentation are graphs, and what is shown of them is what they are."""

import json
import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from docs.generators.graphs import GRAPHS, read
from domain.program.graph import ConstNode, Node, ProgramGraph, Source, sources
from domain.program.rules import check
from domain.program.wiring import outputs_of
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import PRIMITIVES, STRING, FieldType, ListOf
from tests.support.graphs import qa_with_retrieval, simplified_baleen

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "graphs.md"
BLOCKS = [json.loads(it) for it in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)]
INTEGER = PRIMITIVES["integer"]
TYPES: dict[str, FieldType] = {
    "documents": ListOf(item=STRING),
    "passages": ListOf(item=STRING),
    "rounds": INTEGER,
    "urgency": INTEGER,
}
_BODIES = {"body", "then", "otherwise"}


@pytest.mark.feature("MOD-29")
def test_mod_29_every_kind_of_node_is_shown_by_an_example_that_holds() -> None:
    whole, *written = BLOCKS
    assert check(ProgramGraph.model_validate(whole))
    nodes = [TypeAdapter[Node](Node).validate_python(it) for it in written]
    headings = re.findall(r"^## ([a-z]+)$", PAGE.read_text(), re.MULTILINE)
    assert [node.kind for node in nodes] == headings
    assert set(headings) == {"module", "const", "join", "map", "branch", "loop"}
    for node in nodes:
        assert check(_around(node))


def _around(node: Node) -> ProgramGraph:
    """A program in which every source of *node* is an input, or a constant."""
    given = {it for it in sources(node) if it.node is None}
    inputs = {it.field: TYPES.get(it.field, STRING) for it in given} or {"a": STRING}
    others = {it.node: _constant(it) for it in sources(node) if it.node is not None}
    # What an example takes from nodes that it does not show, it takes here from constants.
    written = re.sub(
        r'("node":"\w+","field":)"\w+"', r'\1"value"', node.model_dump_json(exclude=_BODIES)
    )
    bodies = node.model_dump(mode="json", include=_BODIES)
    taking = TypeAdapter[Node](Node).validate_python(json.loads(written) | bodies)
    [(output, field), *_] = outputs_of(node).items()
    return ProgramGraph(
        signature=SignatureSpec(
            inputs=tuple(FieldSpec(name=name, type=kind) for name, kind in inputs.items()),
            outputs=(FieldSpec(name="result", type=field.type),),
        ),
        nodes=(*others.values(), taking),
        outputs={"result": Source(node=node.id, field=output)},
    )


def _constant(source: Source) -> ConstNode:
    kind = TYPES.get(source.field, STRING)
    value = 1 if kind == INTEGER else ["a"] if isinstance(kind, ListOf) else "a"
    return ConstNode(kind="const", id=source.node or "", type=kind, value=value)


@pytest.mark.parametrize(
    ("name", "graph"),
    [("qa_with_retrieval", qa_with_retrieval()), ("simplified_baleen", simplified_baleen())],
)
def test_the_files_of_whole_graphs_are_those_that_the_tests_run(
    name: str, graph: ProgramGraph
) -> None:
    assert read(GRAPHS / f"{name}.json") == graph
