"""Program graphs as data: short ways to write them, the worked examples, and random ones."""

from typing import Any
from uuid import UUID

from pydantic import JsonValue

from domain.module.kinds import ModuleKind
from domain.module.parameters import Retrieve
from domain.module.values import DEFAULTS, ModuleConfig, ModuleSpec
from domain.program.conditions import Condition
from domain.program.errors import InvalidGraph
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
from domain.program.rules import check
from domain.signature.fields import SignatureSpec
from domain.signature.syntax import parse
from domain.signature.types import STRING, FieldType
from domain.tool.values import Corpus


def source(written: str) -> Source:
    """``node.field``, or ``field`` for an input of the graph around."""
    node, _, field = written.rpartition(".")
    return Source(node=node or None, field=field)


def sources(written: dict[str, str]) -> dict[str, Source]:
    return {name: source(it) for name, it in written.items()}


def signature(text: str, instructions: str | None = None) -> SignatureSpec:
    spec = parse(text)
    return spec if instructions is None else spec.model_copy(update={"instructions": instructions})


def module(
    text: str | SignatureSpec, kind: ModuleKind = ModuleKind.PREDICT, **config: Any
) -> ModuleSpec:
    """A module of *kind* with its default settings, save those in *config*."""
    spec = parse(text) if isinstance(text, str) else text
    settings = ModuleConfig.model_validate({**DEFAULTS[kind].model_dump(), **config})
    return ModuleSpec(kind=kind, signature=spec, config=settings)


def step(id: str, what: str | ModuleSpec, /, **inputs: str) -> ModuleNode:
    """A module node: *what* is a module, or the signature of one that predicts."""
    spec = module(what) if isinstance(what, str) else what
    return ModuleNode(id=id, module=spec, inputs=sources(inputs))


def const(id: str, value: JsonValue, type: FieldType = STRING) -> ConstNode:
    return ConstNode(kind="const", id=id, type=type, value=value)


def join(id: str, *items: str, separator: str = "\n") -> JoinNode:
    return JoinNode(
        kind="join", id=id, items=tuple(source(it) for it in items), separator=separator
    )


def each(id: str, over: str, body: Body, /, *, at_once: int = 4, **inputs: str) -> MapNode:
    """A map node."""
    return MapNode(kind="map", id=id, over=over, inputs=sources(inputs), body=body, at_once=at_once)


def branch(
    id: str, condition: Condition, then: Body, otherwise: Body, /, **inputs: str
) -> BranchNode:
    return BranchNode(
        kind="branch",
        id=id,
        inputs=sources(inputs),
        condition=condition,
        then=then,
        otherwise=otherwise,
    )


def loop(
    id: str,
    body: Body,
    /,
    *,
    at_most: int,
    times: str | None = None,
    until: Condition | None = None,
    **inputs: str,
) -> LoopNode:
    return LoopNode(
        kind="loop",
        id=id,
        inputs=sources(inputs),
        body=body,
        at_most=at_most,
        times=None if times is None else source(times),
        until=until,
    )


def body(text: str, /, *nodes: Node, **outputs: str) -> Body:
    """A graph inside a node; in *text* an input and an output may share a name."""
    taken, _, given = text.partition(" -> ")
    spec = SignatureSpec(
        inputs=parse(f"{taken} -> unused").inputs, outputs=parse(f"unused -> {given}").outputs
    )
    return Body(signature=spec, nodes=nodes, outputs=sources(outputs))


def graph(text: str | SignatureSpec, /, *nodes: Node, **outputs: str) -> ProgramGraph:
    """A graph as somebody writes it, which may break every rule."""
    spec = parse(text) if isinstance(text, str) else text
    return ProgramGraph(signature=spec, nodes=nodes, outputs=sources(outputs))


def program(text: str | SignatureSpec, /, *nodes: Node, **outputs: str) -> ProgramGraph:
    """A graph that keeps all the rules."""
    return check(graph(text, *nodes, **outputs))


def graph_faults(broken: ProgramGraph) -> list[tuple[str, str]]:
    """Pointer and code of everything that is wrong with *broken*, which is something."""
    try:
        check(broken)
    except InvalidGraph as refused:
        return [(fault.pointer, fault.code) for fault in refused.faults]
    raise AssertionError("Nothing is wrong with this graph.")


TOWERS = Corpus(dataset_id=UUID(int=7), field="text")
RETRIEVE = ModuleSpec(
    kind=ModuleKind.RETRIEVE,
    signature=parse("query -> passages: list[string]"),
    config=DEFAULTS[ModuleKind.RETRIEVE],
    parameters=Retrieve(corpus=TOWERS, k=2),
)
"""The two texts nearest to a query, of a dataset that a run of it is given."""

GENERATE_SEARCH_QUERY = module(
    signature(
        "context, question -> query",
        "Write a search query that finds what is still missing to answer the question.",
    ),
    ModuleKind.CHAIN_OF_THOUGHT,
    temperature=0.7,
    max_tokens=100,
)
GENERATE_ANSWER = module(
    signature(
        "context, question -> reasoning, answer, confidence: float",
        "Answer the question by the context alone, and say how sure you are (0-1).",
    ),
    ModuleKind.CHAIN_OF_THOUGHT,
    temperature=0.7,
    max_tokens=1000,
)


def qa_with_retrieval(retrieve: ModuleSpec = RETRIEVE) -> ProgramGraph:
    """Search for the question, join what was found, answer by it."""
    return program(
        "question -> reasoning, answer, confidence: float",
        step("retrieve", retrieve, query="question"),
        join("context", "retrieve.passages"),
        step("generate", GENERATE_ANSWER, context="context.text", question="question"),
        reasoning="generate.reasoning",
        answer="generate.answer",
        confidence="generate.confidence",
    )


def simplified_baleen(retrieve: ModuleSpec = RETRIEVE) -> ProgramGraph:
    """In every hop write a query and add what it finds to the context; then answer by all of it."""
    hop = body(
        "context, question -> context",
        step("generate_query", GENERATE_SEARCH_QUERY, context="context", question="question"),
        step("retrieve", retrieve, query="generate_query.query"),
        join("found", "retrieve.passages"),
        join("longer", "context", "found.text", separator="\n\n"),
        context="longer.text",
    )
    return program(
        "question, max_hops: integer = 2 -> reasoning, answer, confidence: float, context",
        const("nothing", ""),
        loop(
            "hops",
            hop,
            at_most=4,
            times="max_hops",
            context="nothing.value",
            question="question",
        ),
        step("generate_answer", GENERATE_ANSWER, context="hops.context", question="question"),
        reasoning="generate_answer.reasoning",
        answer="generate_answer.answer",
        confidence="generate_answer.confidence",
        context="hops.context",
    )
