"""Random valid program graphs: every kind of node, bodies in bodies, values of many types."""

from random import Random
from typing import Final

from hypothesis import strategies as st
from pydantic import JsonValue

from domain.module.values import ModuleKind
from domain.program.conditions import AllOf, AnyOf, Check, Comparison, Condition, Not
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
from domain.signature.compatibility import feeds
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import (
    INTEGER,
    PRIMITIVES,
    STRING,
    DictOf,
    EnumOf,
    FieldType,
    ListOf,
    parts,
)
from tests.support.graphs import module

WORDS: Final = ("bug", "billing", "praise")
_BOOLEAN = PRIMITIVES["boolean"]
_VALUES: Final[tuple[tuple[FieldType, JsonValue], ...]] = (
    (STRING, "some text"),
    (STRING, ""),
    (INTEGER, 3),
    (PRIMITIVES["float"], 0.5),
    (_BOOLEAN, True),
    (PRIMITIVES["probability"], 0.25),
    (PRIMITIVES["any"], {"a": [1, None]}),
    (EnumOf(values=WORDS), "bug"),
    (ListOf(item=STRING), ["one", "two"]),
    (ListOf(item=INTEGER), []),
    (DictOf(key=STRING, value=INTEGER), {"a": 1}),
)
TYPES: Final = tuple(dict(_VALUES))
_SETTINGS: Final = {"temperature": 0.0, "max_tokens": 100}
_MAX_DEPTH: Final = 2

Value = tuple[Source, FieldSpec]


def random_graphs() -> st.SearchStrategy[ProgramGraph]:
    return st.randoms(use_true_random=False).map(random_graph)


def random_graph(random: Random) -> ProgramGraph:
    """A graph that keeps every rule; the same state of *random* gives the same graph."""
    return _Maker(random).program()


def random_inputs(random: Random, spec: SignatureSpec) -> dict[str, JsonValue]:
    """Values for the inputs of *spec*; those that may be left out sometimes are."""
    examples: dict[FieldType, JsonValue] = dict(_VALUES)
    return {
        field.name: examples[field.type]
        for field in spec.inputs
        if not field.optional or random.random() < 0.5
    }


class _Maker:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._count = 0

    def program(self) -> ProgramGraph:
        inputs = [self._field("q", optional=True) for _ in range(self._random.randint(1, 3))]
        scope = self._scope(inputs, depth=0, at_least=1)
        bound = {f"r{n}": value for n, value in enumerate(scope.loose())}
        outputs = tuple(_as(name, field) for name, (_, field) in bound.items())
        return ProgramGraph(
            signature=SignatureSpec(inputs=tuple(inputs), outputs=outputs),
            nodes=self._shuffled(scope.nodes),
            outputs={name: source for name, (source, _) in bound.items()},
        )

    def _scope(self, inputs: list[FieldSpec], *, depth: int, at_least: int) -> "_Scope":
        scope = _Scope(inputs)
        for _ in range(self._random.randint(at_least, 2 if depth else 3)):
            makers = [self._module, self._module, self._const, self._join]
            if depth < _MAX_DEPTH:
                makers += [self._map, self._branch, self._loop]
            scope.add(self._random.choice(makers)(scope, depth))
        return scope

    def _body(self, inputs: list[FieldSpec], outputs: list[FieldSpec], depth: int) -> Body:
        """Some nodes, and a module at the end that turns all that is loose into *outputs*."""
        scope = self._scope(inputs, depth=depth + 1, at_least=0)
        spec = SignatureSpec(inputs=tuple(inputs), outputs=tuple(outputs))
        if not scope.nodes and all(any(field == it for _, field in scope.values) for it in outputs):
            return Body(signature=spec, outputs={it.name: Source(field=it.name) for it in outputs})
        end = self._asking([value for value in scope.loose() if value], outputs, scope)
        scope.add(end)
        bound = {it.name: Source(node=end.id, field=it.name) for it in outputs}
        return Body(signature=spec, nodes=self._shuffled(scope.nodes), outputs=bound)

    def _module(self, scope: "_Scope", depth: int) -> Node:
        del depth
        taken = self._random.sample(
            scope.values, self._random.randint(1, min(2, len(scope.values)))
        )
        outputs = [self._field("g") for _ in range(self._random.randint(1, 2))]
        return self._asking(taken, outputs, scope)

    def _asking(self, taken: list[Value], outputs: list[FieldSpec], scope: "_Scope") -> ModuleNode:
        taken = taken or [self._random.choice(scope.values)]
        names = [f"i{n}" for n in range(len(taken))]
        spec = SignatureSpec(
            inputs=tuple(_as(name, it) for name, (_, it) in zip(names, taken, strict=True)),
            outputs=tuple(outputs),
        )
        thinks = self._random.random() < 0.2
        kind = ModuleKind.CHAIN_OF_THOUGHT if thinks else ModuleKind.PREDICT
        bound = {name: source for name, (source, _) in zip(names, taken, strict=True)}
        return ModuleNode(id=self._id(), module=module(spec, kind, **_SETTINGS), inputs=bound)

    def _const(self, scope: "_Scope", depth: int) -> Node:
        del scope, depth
        kind, value = self._random.choice(_VALUES)
        return ConstNode(kind="const", id=self._id(), type=kind, value=value)

    def _join(self, scope: "_Scope", depth: int) -> Node:
        texts = scope.fitting(STRING) + scope.fitting(ListOf(item=STRING))
        if not texts:
            return self._const(scope, depth)
        items = tuple(self._random.choice(texts)[0] for _ in range(self._random.randint(1, 3)))
        separator = self._random.choice(["\n", ", ", "'\"\\"])
        return JoinNode(kind="join", id=self._id(), items=items, separator=separator)

    def _map(self, scope: "_Scope", depth: int) -> Node:
        lists = [it for it in scope.values if isinstance(it[1].type, ListOf) and not it[1].optional]
        if not lists:
            return self._const(scope, depth)
        source, field = self._random.choice(lists)
        assert isinstance(field.type, ListOf)
        inputs = [FieldSpec(name="item", type=field.type.item)]
        bound = {"item": source}
        if self._random.random() < 0.5:
            beside, given = self._random.choice(scope.values)
            inputs.append(_as("beside", given))
            bound["beside"] = beside
        outputs = [self._field("m") for _ in range(self._random.randint(1, 2))]
        return MapNode(
            kind="map",
            id=self._id(),
            over="item",
            inputs=bound,
            body=self._body(inputs, outputs, depth),
            at_once=self._random.randint(1, 3),
        )

    def _branch(self, scope: "_Scope", depth: int) -> Node:
        asked = self._random.choice(scope.values)
        handed = self._random.choice(scope.values)
        inputs = [_as("handed", handed[1])]
        outputs = [self._field("b")]
        if self._random.random() < 0.3:
            outputs = [_as("handed", handed[1])]
        return BranchNode(
            kind="branch",
            id=self._id(),
            inputs={"asked": asked[0], "handed": handed[0]},
            condition=self._condition("asked", asked[1]),
            then=self._body(inputs, outputs, depth),
            otherwise=self._body(inputs, outputs, depth),
        )

    def _loop(self, scope: "_Scope", depth: int) -> Node:
        start, field = self._random.choice(scope.values)
        kept = _as("kept", field)
        numbers = scope.fitting(INTEGER)
        times = self._random.choice(numbers)[0] if numbers and self._random.random() < 0.5 else None
        until = self._condition("kept", kept) if self._random.random() < 0.5 else None
        return LoopNode(
            kind="loop",
            id=self._id(),
            inputs={"kept": start},
            body=self._body([kept], [kept], depth),
            at_most=self._random.randint(1, 2),
            times=times,
            until=until,
        )

    def _condition(self, name: str, field: FieldSpec, depth: int = 0) -> Condition:
        wrapped = self._random.random()
        if depth < 2 and wrapped < 0.1:
            return Not(op="not", of=self._condition(name, field, depth + 1))
        if depth < 2 and wrapped < 0.3:
            parts = tuple(self._condition(name, field, depth + 1) for _ in range(2))
            if wrapped < 0.2:
                return AllOf(op="all", of=parts)
            return AnyOf(op="any", of=parts)
        return self._random.choice(list(_askable(name, field)))

    def _field(self, letter: str, *, optional: bool = False) -> FieldSpec:
        self._count += 1
        left_out = optional and self._random.random() < 0.2
        name = f"{letter}{self._count}"
        return FieldSpec(name=name, type=self._random.choice(TYPES), optional=left_out)

    def _id(self) -> str:
        self._count += 1
        return f"{self._random.choice(['n', 'forward', 'range', 'it', 'q'])}{self._count}"

    def _shuffled(self, nodes: list[Node]) -> tuple[Node, ...]:
        return tuple(self._random.sample(nodes, len(nodes)))


class _Scope:
    """What was made so far in one graph, and which of it nobody has taken yet."""

    def __init__(self, inputs: list[FieldSpec]) -> None:
        self.values: list[Value] = [(Source(field=it.name), it) for it in inputs]
        self.nodes: list[Node] = []

    def add(self, node: Node) -> None:
        self.nodes.append(node)
        self.values += [
            (Source(node=node.id, field=name), field) for name, field in outputs_of(node).items()
        ]

    def loose(self) -> list[Value]:
        """One value of each node that none takes from."""
        taken = {it.node for node in self.nodes for it in _sources(node)}
        return [
            next(value for value in self.values if value[0].node == node.id)
            for node in self.nodes
            if node.id not in taken
        ]

    def fitting(self, type: FieldType) -> list[Value]:
        """What is surely of *type*."""
        target = FieldSpec(name="target", type=type)
        return [it for it in self.values if feeds(it[1], target) and _is_sure(it[1].type)]


def _sources(node: Node) -> tuple[Source, ...]:
    match node:
        case ConstNode():
            return ()
        case JoinNode():
            return node.items
        case LoopNode(times=Source() as times):
            return (*node.inputs.values(), times)
        case _:
            return tuple(node.inputs.values())


def _is_sure(type: FieldType) -> bool:
    return type != PRIMITIVES["any"] and all(map(_is_sure, parts(type)))


def _as(name: str, field: FieldSpec) -> FieldSpec:
    return FieldSpec(name=name, type=field.type, optional=field.optional)


def _askable(name: str, field: FieldSpec) -> list[Condition]:
    """Conditions that the type of *field* can answer."""
    value = dict(_VALUES)[field.type] if field.type in TYPES else None
    asked: list[Condition] = []
    if value is not None:
        asked += [
            Comparison(op="eq", field=name, value=value),
            Comparison(op="ne", field=name, value=value),
            Comparison(op="in", field=name, value=[value]),
        ]
    if field.optional:
        return [*asked, Check(op="empty", field=name)]
    if field.type in (STRING, INTEGER, PRIMITIVES["float"]):
        asked.append(Comparison(op="ge", field=name, value=value))
    if field.type == _BOOLEAN:
        asked.append(Check(op="true", field=name))
    if field.type == STRING or isinstance(field.type, ListOf | DictOf):
        asked.append(Check(op="empty", field=name))
    if field.type == ListOf(item=STRING):
        asked.append(Comparison(op="contains", field=name, value="one"))
    if isinstance(field.type, ListOf) and not asked:
        asked.append(Check(op="empty", field=name))
    return asked
