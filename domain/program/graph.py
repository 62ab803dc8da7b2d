"""A program as data: modules and control nodes, and where each of their inputs comes from."""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple, cast
from uuid import UUID

from pydantic import Discriminator, Field, JsonValue, StringConstraints, Tag

from domain.kernel import ValueObject
from domain.module.rules import effective_signature
from domain.module.values import ModuleSpec
from domain.program.conditions import Condition
from domain.signature.fields import SignatureSpec
from domain.signature.types import FieldType

NodeId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Source(ValueObject):
    """Where a value comes from: an output of *node*, or without one an input of the graph around.

    The graph around a node in a body is that body: it sees nothing outside of it.
    """

    node: NodeId | None = None
    field: str


class ModuleNode(ValueObject):
    """One module; ``inputs`` says where each field of its signature comes from.

    ``module_id`` names the module it was taken from, if any; the spec is a frozen copy.
    """

    kind: Literal["module"] = "module"
    id: NodeId
    module: ModuleSpec
    inputs: dict[str, Source]
    module_id: UUID | None = None


class ConstNode(ValueObject):
    """The same value in every run, as its output ``value``."""

    kind: Literal["const"]
    id: NodeId
    type: FieldType
    value: JsonValue


class JoinNode(ValueObject):
    """Texts, and lists of texts item by item, with *separator* between; its output is ``text``."""

    kind: Literal["join"]
    id: NodeId
    items: Annotated[tuple[Source, ...], Field(min_length=1, max_length=100)]
    separator: str = "\n"


class MapNode(ValueObject):
    """Its body once for each item of a list, ``at_once`` of them at the same time.

    The body's input ``over`` gets the item; each output is the list of the body's, in the order of
    the items.
    """

    kind: Literal["map"]
    id: NodeId
    over: str
    inputs: dict[str, Source]
    body: "Body"
    at_once: Annotated[int, Field(ge=1, le=16)] = 4


class BranchNode(ValueObject):
    """One of two bodies with the same outputs; the condition is about ``inputs``."""

    kind: Literal["branch"]
    id: NodeId
    inputs: dict[str, Source]
    condition: Condition
    then: "Body"
    otherwise: "Body"


class LoopNode(ValueObject):
    """Its body again and again; what comes out of a round goes into the next one.

    Every output of the body is an input of it, too: the accumulator, which begins as ``inputs``
    says and is the output of the loop. There are ``at_most`` rounds, or fewer where ``times``, an
    integer, says so (null is no say); the loop ends after a round that makes ``until`` true of the
    accumulator.
    """

    kind: Literal["loop"]
    id: NodeId
    inputs: dict[str, Source]
    body: "Body"
    at_most: Annotated[int, Field(ge=1, le=100)]
    times: Source | None = None
    until: Condition | None = None


def _kind(node: object) -> str:
    """What *node* is; one that does not say so is a module, as all were once."""
    if isinstance(node, dict):
        return f"<{cast('dict[str, object]', node).get('kind', 'module')}>"
    return f"<{getattr(node, 'kind', None)}>"


# In brackets they are no names of fields: the way to a fault leads over them.
Node = Annotated[
    Annotated[ModuleNode, Tag("<module>")]
    | Annotated[ConstNode, Tag("<const>")]
    | Annotated[JoinNode, Tag("<join>")]
    | Annotated[MapNode, Tag("<map>")]
    | Annotated[BranchNode, Tag("<branch>")]
    | Annotated[LoopNode, Tag("<loop>")],
    Discriminator(
        _kind,
        custom_error_type="node.kind",
        custom_error_message="The kind of a node is module, const, join, map, branch or loop.",
    ),
]


class Body(ValueObject):
    """A graph inside a node. Without nodes, its outputs are taken from its inputs."""

    signature: SignatureSpec
    nodes: Annotated[tuple[Node, ...], Field(max_length=100)] = ()
    outputs: dict[str, Source]


class ProgramGraph(Body):
    """Nodes in any order, and the program's signature; ``outputs`` binds each of its outputs."""

    # A program without nodes is none, so this one has no default.
    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=100)]  # pyright: ignore[reportGeneralTypeIssues]  # pydantic allows it


for _model in (MapNode, BranchNode, LoopNode, Body, ProgramGraph):
    _model.model_rebuild()


class Placed(NamedTuple):
    """A node with the JSON pointer to it and the number of bodies around it."""

    pointer: str
    node: Node
    depth: int


def walk(graph: Body, pointer: str = "", depth: int = 0) -> Iterator[Placed]:
    """All nodes of *graph* as they were written, each one before those in its bodies."""
    for index, node in enumerate(graph.nodes):
        here = f"{pointer}/nodes/{index}"
        yield Placed(here, node, depth)
        for name, body in bodies(node).items():
            yield from walk(body, f"{here}/{name}", depth + 1)


def module_nodes(graph: Body) -> Iterator[tuple[str, ModuleNode]]:
    """The module nodes of *graph* and of all its bodies, each with the JSON pointer to it."""
    for pointer, node, _ in walk(graph):
        if isinstance(node, ModuleNode):
            yield pointer, node


def bodies(node: Node) -> dict[str, Body]:
    """The graphs inside *node*, by the name of the field they are in."""
    match node:
        case MapNode() | LoopNode():
            return {"body": node.body}
        case BranchNode():
            return {"then": node.then, "otherwise": node.otherwise}
        case _:
            return {}


def sources(node: Node) -> tuple[Source, ...]:
    """Where *node* takes its values from."""
    match node:
        case ConstNode():
            return ()
        case JoinNode():
            return node.items
        case LoopNode(times=Source() as times):
            return (*node.inputs.values(), times)
        case _:
            return tuple(node.inputs.values())


def single(
    module: ModuleSpec, *, node_id: str | None = None, module_id: UUID | None = None
) -> ProgramGraph:
    """The program that is one *module*; by default the node is called after its kind."""
    signature = effective_signature(module)
    node = node_id or module.kind.value
    inputs = {field.name: Source(field=field.name) for field in signature.inputs}
    return ProgramGraph(
        signature=signature,
        nodes=(ModuleNode(id=node, module=module, inputs=inputs, module_id=module_id),),
        outputs={field.name: Source(node=node, field=field.name) for field in signature.outputs},
    )
