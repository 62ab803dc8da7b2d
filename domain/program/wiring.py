"""Whether every value in a graph has a source that exists and gives what is taken."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, assert_never

from domain.errors import Fault
from domain.module.rules import effective_signature
from domain.program.condition_rules import condition_faults, fields_of
from domain.program.graph import (
    Body,
    BranchNode,
    ConstNode,
    JoinNode,
    LoopNode,
    MapNode,
    ModuleNode,
    Node,
    Source,
)
from domain.signature.compatibility import feeds
from domain.signature.fields import FieldSpec
from domain.signature.types import (
    INTEGER,
    STRING,
    ConstrainedOf,
    FieldType,
    ListOf,
    OptionalOf,
    Primitive,
    UnionOf,
    normal,
    parts,
)
from domain.text import escape

Fields = Mapping[str, FieldSpec]

_TEXT: Final = FieldSpec(name="a text or a list of texts")
_TEXTS: Final = FieldSpec(name=_TEXT.name, type=ListOf(item=STRING))


def outputs_of(node: Node) -> dict[str, FieldSpec]:
    """What *node* gives, by name."""
    match node:
        case ModuleNode():
            return by_name(effective_signature(node.module).outputs)
        case ConstNode():
            return {"value": FieldSpec(name="value", type=node.type)}
        case JoinNode():
            return {"text": FieldSpec(name="text")}
        case MapNode():
            return by_name(_listed(field) for field in node.body.signature.outputs)
        case BranchNode():
            return by_name(node.then.signature.outputs)
        case LoopNode():
            given = by_name(node.body.signature.inputs)
            return {it.name: given.get(it.name, it) for it in node.body.signature.outputs}
        case _:
            assert_never(node)


def by_name(fields: Iterable[FieldSpec]) -> dict[str, FieldSpec]:
    return {field.name: field for field in fields}


def wiring_faults(body: Body, pointer: str = "") -> Iterator[Fault]:
    """Everything in *body*, and in the bodies inside of it, that has no fitting source."""
    scope = _Scope(body)
    for index, node in enumerate(body.nodes):
        yield from _node_faults(scope, node, f"{pointer}/nodes/{index}")
    wanted = by_name(body.signature.outputs)
    yield from scope.bound(f"{pointer}/outputs", wanted, body.outputs)


def _node_faults(scope: "_Scope", node: Node, pointer: str) -> Iterator[Fault]:
    match node:
        case ModuleNode():
            wanted = by_name(node.module.signature.inputs)
            yield from scope.bound(f"{pointer}/inputs", wanted, node.inputs)
        case ConstNode():
            pass
        case JoinNode():
            for index, source in enumerate(node.items):
                given = scope.field(source)
                taken = _TEXTS if given is not None and feeds(given, _TEXTS) else _TEXT
                yield from scope.certain(f"{pointer}/items/{index}", source, taken)
        case MapNode():
            yield from _map_faults(scope, node, pointer)
        case BranchNode():
            yield from _branch_faults(scope, node, pointer)
        case LoopNode():
            yield from _loop_faults(scope, node, pointer)
        case _:
            assert_never(node)


def _map_faults(scope: "_Scope", node: MapNode, pointer: str) -> Iterator[Fault]:
    wanted = by_name(node.body.signature.inputs)
    if item := wanted.pop(node.over, None):
        yield from _over_faults(scope, node, _listed(item), f"{pointer}/inputs")
    else:
        message = f"The body has no input of that name. Choose one of {', '.join(wanted)}."
        yield Fault(f"{pointer}/over", "graph.unknown_field", message)
    beside = {name: source for name, source in node.inputs.items() if name != node.over}
    yield from scope.bound(f"{pointer}/inputs", wanted, beside)
    yield from wiring_faults(node.body, f"{pointer}/body")


def _over_faults(scope: "_Scope", node: MapNode, items: FieldSpec, pointer: str) -> Iterator[Fault]:
    source = node.inputs.get(node.over)
    if source is None:
        yield from scope.unbound(pointer, {items.name: items}, node.inputs)
    else:
        yield from scope.certain(f"{pointer}/{escape(node.over)}", source, items, deep=False)


def _branch_faults(scope: "_Scope", node: BranchNode, pointer: str) -> Iterator[Fault]:
    bodies = (node.then, node.otherwise)
    for body in bodies:
        wanted = by_name(body.signature.inputs)
        yield from scope.unbound(f"{pointer}/inputs", wanted, node.inputs)
    for name in node.inputs:
        # Both bodies may find the same fault with it.
        yield from dict.fromkeys(_handed_faults(scope, node, name, pointer))
    given = {name: scope.field(source) for name, source in node.inputs.items()}
    known = {name: field for name, field in given.items() if field is not None}
    if known.keys() == given.keys():
        yield from condition_faults(node.condition, known, f"{pointer}/condition")
    if not _same(*(body.signature.outputs for body in bodies)):
        message = "Both bodies give the same outputs, in name and type. Change one of them."
        yield Fault(f"{pointer}/otherwise/signature/outputs", "branch.outputs", message)
    yield from wiring_faults(node.then, f"{pointer}/then")
    yield from wiring_faults(node.otherwise, f"{pointer}/otherwise")


def _handed_faults(scope: "_Scope", node: BranchNode, name: str, pointer: str) -> Iterator[Fault]:
    """What is wrong with an input of a branch, for the bodies and the condition that take it."""
    at, source = f"{pointer}/inputs/{escape(name)}", node.inputs[name]
    targets = [
        field
        for body in (node.then, node.otherwise)
        for field in body.signature.inputs
        if field.name == name
    ]
    if targets:
        for target in targets:
            yield from scope.source_faults(at, source, target)
    elif name in fields_of(node.condition):
        yield from scope.unknown(at, source)
    else:
        message = "Neither the condition nor a body takes it. Remove it."
        yield Fault(at, "graph.unknown_field", message)


def _loop_faults(scope: "_Scope", node: LoopNode, pointer: str) -> Iterator[Fault]:
    wanted = by_name(node.body.signature.inputs)
    yield from scope.bound(f"{pointer}/inputs", wanted, node.inputs)
    if node.times is not None:
        rounds = FieldSpec(name="the number of rounds", type=INTEGER, optional=True)
        yield from scope.certain(f"{pointer}/times", node.times, rounds)
    for index, field in enumerate(node.body.signature.outputs):
        at = f"{pointer}/body/signature/outputs/{index}"
        if field.name not in wanted:
            message = f"The next round takes no {field.name}. Make it an input of the body, too."
            yield Fault(at, "loop.no_accumulator", message)
        elif not feeds(field, wanted[field.name]):
            message = f"The types of the input and the output {field.name} do not fit. Change one."
            yield Fault(at, "graph.type_mismatch", message)
    if node.until is not None:
        yield from condition_faults(node.until, outputs_of(node), f"{pointer}/until")
    yield from wiring_faults(node.body, f"{pointer}/body")


def _listed(field: FieldSpec) -> FieldSpec:
    item = OptionalOf(of=field.type) if field.optional else field.type
    return FieldSpec(name=field.name, type=normal(ListOf(item=item)))


def _same(then: tuple[FieldSpec, ...], otherwise: tuple[FieldSpec, ...]) -> bool:
    kept = [{it.name: (it.type, it.optional) for it in fields} for fields in (then, otherwise)]
    return kept[0] == kept[1]


def _vague(type: FieldType, *, deep: bool) -> bool:
    if isinstance(type, Primitive):
        return type.name == "any" or (deep and type.name == "array")
    inner = parts(type) if deep or isinstance(type, UnionOf | ConstrainedOf) else ()
    return any(_vague(part, deep=deep) for part in inner)


class _Scope:
    """What the nodes of one graph can take values from."""

    def __init__(self, body: Body) -> None:
        self._inputs = by_name(body.signature.inputs)
        self._nodes = {node.id: outputs_of(node) for node in body.nodes}

    def field(self, source: Source) -> FieldSpec | None:
        """What *source* gives, if there is such a thing."""
        fields = self._inputs if source.node is None else self._nodes.get(source.node, {})
        return fields.get(source.field)

    def bound(self, pointer: str, wanted: Fields, sources: Mapping[str, Source]) -> Iterator[Fault]:
        """Whether all that is *wanted*, and nothing else, has a source in *sources*."""
        yield from self.unbound(pointer, wanted, sources)
        for name, source in sources.items():
            at = f"{pointer}/{escape(name)}"
            if name in wanted:
                yield from self.source_faults(at, source, wanted[name])
            else:
                message = "The signature has no field of this name. Remove it."
                yield Fault(at, "graph.unknown_field", message)

    def unbound(
        self, pointer: str, wanted: Fields, sources: Mapping[str, Source]
    ) -> Iterator[Fault]:
        """What of *wanted* has no source and needs one."""
        for name, field in wanted.items():
            if name not in sources and not field.optional:
                message = f"{name} has no source. Say which field it comes from."
                yield Fault(pointer, "graph.unbound", message)

    def source_faults(self, pointer: str, source: Source, target: FieldSpec) -> Iterator[Fault]:
        """What keeps *source* from giving the *target* its value."""
        field = self.field(source)
        if field is None:
            yield from self.unknown(pointer, source)
        elif not feeds(field, target):
            message = f"The types of {source.field} and {target.name} do not fit. Change one."
            yield Fault(pointer, "graph.type_mismatch", message)

    def certain(
        self, pointer: str, source: Source, target: FieldSpec, *, deep: bool = True
    ) -> Iterator[Fault]:
        """Like ``source_faults``, for what no module reads: ``any`` does not go with everything.

        With ``deep=False`` the items of a list may be of any type.
        """
        field = self.field(source)
        if field is not None and _vague(field.type, deep=deep):
            message = (
                f"{source.field} may be of any type. Take {target.name} from where it is sure."
            )
            yield Fault(pointer, "graph.type_mismatch", message)
        else:
            yield from self.source_faults(pointer, source, target)

    def unknown(self, pointer: str, source: Source) -> Iterator[Fault]:
        """Why there is no *source*."""
        fields = self._inputs if source.node is None else self._nodes.get(source.node)
        if fields is None:
            message = f"There is no node {source.node}. Choose one of {', '.join(self._nodes)}."
            yield Fault(f"{pointer}/node", "graph.unknown_node", message)
        elif source.field not in fields:
            owner = "The program has no input" if source.node is None else "This node has no output"
            message = f"{owner} of that name. Choose one of {', '.join(fields)}."
            yield Fault(f"{pointer}/field", "graph.unknown_field", message)
