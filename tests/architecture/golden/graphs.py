"""A signature, a module and a graph, full and bare: what examples of stored events are about."""

from domain.module.values import ModuleConfig, ModuleKind, ModuleSpec
from domain.program.conditions import AllOf, AnyOf, Check, Comparison, Not
from domain.program.graph import (
    Body,
    BranchNode,
    ConstNode,
    JoinNode,
    LoopNode,
    MapNode,
    ModuleNode,
    ProgramGraph,
    Source,
)
from domain.signature.constraints import Constraints
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import (
    CodeOf,
    ConstrainedOf,
    DictOf,
    EnumOf,
    ListOf,
    ObjectOf,
    OptionalOf,
    Primitive,
    UnionOf,
)
from tests.support.histories import an_id

_TEXT, _NUMBER = Primitive(name="string"), Primitive(name="integer")
SPEC = SignatureSpec(
    inputs=(
        FieldSpec(
            name="message",
            type=UnionOf(options=(_TEXT, ListOf(item=DictOf(key=_TEXT, value=_NUMBER)))),
            description="What the customer wrote: “Grüße”.",
            optional=True,
            has_default=True,
            default={"text": ["a", 1, 0.5, None, True]},
        ),
    ),
    outputs=(
        FieldSpec(
            name="queue",
            type=OptionalOf(of=EnumOf(values=("bug", "billing"))),
            description="Where it belongs.",
            optional=True,
            has_default=True,
            default="bug",
        ),
    ),
    instructions="Choose the queue that the message belongs to.",
)
BARE_SPEC = SignatureSpec(inputs=(FieldSpec(name="a"),), outputs=(FieldSpec(name="b"),))
RICH_SPEC = SignatureSpec(
    inputs=(
        FieldSpec(name="picture", type=Primitive(name="image")),
        FieldSpec(name="source", type=CodeOf(language="c++")),
    ),
    outputs=(
        FieldSpec(
            name="person",
            type=ObjectOf(
                fields=(
                    FieldSpec(
                        name="age",
                        type=ConstrainedOf(of=_NUMBER, constraints=Constraints(ge=0, lt=150)),
                        default=1,
                    ),
                    FieldSpec(
                        name="code",
                        type=ConstrainedOf(
                            of=_TEXT, constraints=Constraints(pattern=r"^\d+$", max_length=9)
                        ),
                    ),
                )
            ),
        ),
    ),
)
CONFIG = ModuleConfig(
    temperature=0.7, max_tokens=1500, demos=({"message": "It crashes", "queue": "bug"},)
)
MODULE = ModuleSpec(kind=ModuleKind.CHAIN_OF_THOUGHT, signature=SPEC, config=CONFIG)
BARE_MODULE = ModuleSpec(
    kind=ModuleKind.PREDICT,
    signature=BARE_SPEC,
    config=ModuleConfig(temperature=0, max_tokens=1),
)
RICH_MODULE = BARE_MODULE.model_copy(update={"signature": RICH_SPEC})
BODY = Body(
    signature=SPEC,
    nodes=(ConstNode(kind="const", id="inner", type=_NUMBER, value=3),),
    outputs={"queue": Source(field="message")},
)
_CLASSIFIED = Source(node="classify", field="queue")
CONTROL = (
    ConstNode(kind="const", id="tone", type=_TEXT, value="kind"),
    JoinNode(kind="join", id="joined", items=(_CLASSIFIED,), separator=", "),
    MapNode(
        kind="map",
        id="mapped",
        over="message",
        inputs={"message": _CLASSIFIED},
        body=BODY,
        at_once=2,
    ),
    BranchNode(
        kind="branch",
        id="routed",
        inputs={"queue": _CLASSIFIED},
        condition=AllOf(
            op="all",
            of=(
                AnyOf(op="any", of=(Comparison(op="in", field="queue", value=["bug"]),)),
                Not(op="not", of=Check(op="empty", field="queue")),
            ),
        ),
        then=BODY,
        otherwise=BODY,
    ),
    LoopNode(
        kind="loop",
        id="repeated",
        inputs={"message": _CLASSIFIED},
        body=BODY,
        at_most=4,
        times=_CLASSIFIED,
        until=Check(op="true", field="queue"),
    ),
)
GRAPH = ProgramGraph(
    signature=SPEC,
    nodes=(
        ModuleNode(
            id="classify",
            module=MODULE,
            inputs={"message": Source(node="clean", field="message")},
            module_id=an_id("module"),
        ),
        *CONTROL,
    ),
    outputs={"queue": Source(node="classify", field="queue")},
)
BARE_GRAPH = ProgramGraph(
    signature=BARE_SPEC,
    nodes=(ModuleNode(id="predict", module=BARE_MODULE, inputs={"a": Source(field="a")}),),
    outputs={"b": Source(node="predict", field="b")},
)
RICH_GRAPH = ProgramGraph(
    signature=RICH_SPEC,
    nodes=(
        ModuleNode(
            id="predict",
            module=RICH_MODULE,
            inputs={"picture": Source(field="picture"), "source": Source(field="source")},
        ),
    ),
    outputs={"person": Source(node="predict", field="person")},
)
