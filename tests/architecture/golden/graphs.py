"""A signature, a module and a graph, full and bare: what examples of stored events are about."""

from domain.module.parameters import (
    Agent,
    Chains,
    Code,
    Custom,
    Ensemble,
    Majority,
    Member,
    Recursive,
    Retrieve,
    Sampling,
)
from domain.module.rewards import (
    ContainsReward,
    EqualsReward,
    NumberReward,
    ValidReward,
    WordsReward,
)
from domain.module.values import ModuleConfig, ModuleKind, ModuleSpec, Nearest
from domain.probe.values import PredictorFound
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
from domain.tool.values import Corpus, HttpTool, McpTool, ProgramTool, PythonTool, RetrieverTool
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
    temperature=0.7,
    max_tokens=1500,
    demos=({"message": "It crashes", "queue": "bug"},),
    nearest=Nearest(dataset_id=an_id("dataset"), k=3),
)
MODULE = ModuleSpec(
    kind=ModuleKind.ENSEMBLE,
    signature=SPEC,
    config=CONFIG,
    parameters=Ensemble(
        members=(
            Member(
                kind=ModuleKind.PREDICT, instructions="Be quick.", temperature=0.1, max_tokens=9
            ),
        ),
        size=1,
        reduce="majority",
        field="queue",
    ),
)
BARE_MODULE = ModuleSpec(
    kind=ModuleKind.PREDICT,
    signature=BARE_SPEC,
    config=ModuleConfig(temperature=0, max_tokens=1),
)
RICH_MODULE = BARE_MODULE.model_copy(update={"signature": RICH_SPEC})
_CORPUS = Corpus(dataset_id=an_id("dataset"), field="text")
_ARGUMENT = FieldSpec(name="city", description="Where.")
TOOLS = (
    PythonTool(
        name="look", description="Looks.", entry_point="acme.tools:look", arguments=(_ARGUMENT,)
    ),
    HttpTool(
        name="fetch",
        description="Fetches.",
        method="POST",
        url="https://example.org/{city}",
        arguments=(_ARGUMENT,),
        places={"city": "path"},
        timeout_s=5,
        secret="weather",
    ),
    ProgramTool(name="ask", description="Asks.", program_id=an_id("program"), program_version=2),
    RetrieverTool(name="find", description="Finds.", corpus=_CORPUS, k=2),
    McpTool(
        name="call", description="Calls.", server="docs", tool="search", arguments=(_ARGUMENT,)
    ),
)
_REWARDS = (
    NumberReward(field="queue"),
    EqualsReward(field="queue", value={"x": [1, None]}),
    ContainsReward(field="queue", text="bug"),
    WordsReward(field="queue", at_least=1, at_most=3),
    ValidReward(),
)
MODULES = tuple(
    ModuleSpec(kind=kind, signature=BARE_SPEC, config=BARE_MODULE.config, parameters=told)
    for kind, told in (
        (ModuleKind.REACT, Agent(tools=TOOLS, max_iterations=4)),
        (ModuleKind.REACT_V2, Agent()),
        (ModuleKind.PROGRAM_OF_THOUGHT, Code(max_iterations=2)),
        (ModuleKind.CODE_ACT, Agent()),
        (ModuleKind.RLM, Recursive(tools=TOOLS[:1])),
        (ModuleKind.RETRIEVE, Retrieve(corpus=_CORPUS, k=5)),
        *((ModuleKind.BEST_OF_N, Sampling(reward=each, threshold=0.5)) for each in _REWARDS),
        (ModuleKind.REFINE, Sampling(of=ModuleKind.PREDICT, n=2)),
        (ModuleKind.MULTI_CHAIN_COMPARISON, Chains(chains=4)),
        (ModuleKind.MAJORITY, Majority(of=ModuleKind.PREDICT, n=7, field="b")),
        (
            ModuleKind.CUSTOM,
            Custom(
                probe_id=an_id("probe"),
                import_path="acme_rag.rag:MyRAG",
                arguments={"k": 3},
                source_sha256="0" * 64,
                predictors=(
                    PredictorFound(
                        path="generate", inputs=("a",), outputs=("b",), instructions="Answer."
                    ),
                ),
                wraps_result=True,
            ),
        ),
    )
)
"""A module of every other kind that has parameters."""

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
    nodes=(
        ModuleNode(id="predict", module=BARE_MODULE, inputs={"a": Source(field="a")}),
        *(
            ModuleNode(id=f"node_{number}", module=each, inputs={"a": Source(field="a")})
            for number, each in enumerate(MODULES)
        ),
    ),
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
