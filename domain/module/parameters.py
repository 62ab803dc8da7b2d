"""What a kind of module is told beside its model settings: one value object for each family."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, JsonValue, ValidationInfo

from domain.kernel import ValueObject
from domain.module.kinds import ModuleKind, PlainKind
from domain.module.rewards import Reward, ValidReward
from domain.probe.values import PredictorFound
from domain.tool.values import MAX_PASSAGES, Corpus, EntryPoint, ToolSpec
from domain.values import Digest

Iterations = Annotated[int, Field(ge=1, le=100)]
Attempts = Annotated[int, Field(ge=1, le=32)]
Tools = Annotated[tuple[ToolSpec, ...], Field(max_length=100)]


class Agent(ValueObject):
    """Thinks, calls a tool and looks at its result, up to ``max_iterations`` times."""

    tools: Tools = ()
    max_iterations: Iterations = 5


class Code(ValueObject):
    """Writes a program, and anew when it fails, up to ``max_iterations`` programs in all."""

    max_iterations: Iterations = 3


class Recursive(ValueObject):
    """Looks through its inputs with code, and asks the model about parts of them.

    Of what a piece of code prints, the model sees ``max_output_chars`` characters.
    """

    tools: Tools = ()
    max_iterations: Iterations = 20
    max_llm_calls: Annotated[int, Field(ge=1, le=1000)] = 50
    max_output_chars: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000


class Retrieve(ValueObject):
    """The ``k`` texts of a corpus nearest to the input."""

    corpus: Corpus
    k: Annotated[int, Field(ge=1, le=MAX_PASSAGES)] = 3


class Sampling(ValueObject):
    """Up to ``n`` attempts: the first with a reward of ``threshold`` or more, else the best one."""

    of: PlainKind = ModuleKind.CHAIN_OF_THOUGHT
    n: Attempts = 3
    reward: Reward = ValidReward()
    threshold: float = 1.0


class Chains(ValueObject):
    """So many chains of thought, and one more answer in the light of them all."""

    chains: Annotated[int, Field(ge=1, le=32)] = 3


class Majority(ValueObject):
    """``n`` attempts and a vote on one output, by default the last; the first of equals wins."""

    of: PlainKind = ModuleKind.CHAIN_OF_THOUGHT
    n: Attempts = 5
    field: str | None = None


class Member(ValueObject):
    """One voice of an ensemble; what it leaves out is as the module has it."""

    kind: PlainKind = ModuleKind.CHAIN_OF_THOUGHT
    instructions: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class Ensemble(ValueObject):
    """Different members asked the same: all, or ``size`` of them that the inputs choose.

    ``majority`` takes the answer with most votes on ``field``, by default the last output;
    ``mean`` is the average of that output, a number.
    """

    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=32)] = (
        Member(kind=ModuleKind.PREDICT),
        Member(kind=ModuleKind.CHAIN_OF_THOUGHT),
    )
    size: Attempts | None = None
    reduce: Literal["majority", "mean"] = "majority"
    field: str | None = None


class Custom(ValueObject):
    """A class of somebody's own, as the probe ``probe_id`` found it, and what it is made with.

    Its source and its ``predictors`` must be the same wherever it runs. With
    ``wraps_result`` what it returns is told as text, as ``result``.
    """

    probe_id: UUID
    import_path: EntryPoint
    arguments: dict[str, JsonValue] = {}
    source_sha256: Digest
    predictors: tuple[PredictorFound, ...]
    wraps_result: bool = False


Parameters = (
    Agent | Code | Recursive | Retrieve | Sampling | Chains | Majority | Ensemble | Custom | None
)

PARAMETERS: Final[Mapping[ModuleKind, type[ValueObject] | None]] = MappingProxyType(
    {
        ModuleKind.PREDICT: None,
        ModuleKind.CHAIN_OF_THOUGHT: None,
        ModuleKind.REACT: Agent,
        ModuleKind.REACT_V2: Agent,
        ModuleKind.PROGRAM_OF_THOUGHT: Code,
        ModuleKind.CODE_ACT: Agent,
        ModuleKind.RLM: Recursive,
        ModuleKind.RETRIEVE: Retrieve,
        ModuleKind.BEST_OF_N: Sampling,
        ModuleKind.REFINE: Sampling,
        ModuleKind.MULTI_CHAIN_COMPARISON: Chains,
        ModuleKind.MAJORITY: Majority,
        ModuleKind.ENSEMBLE: Ensemble,
        ModuleKind.GENERATE: None,
        ModuleKind.CUSTOM: Custom,
    }
)
"""What belongs to each kind: a new kind is a line here."""


def _of_the_kind(given: object, info: ValidationInfo) -> object:
    """*given* as the ``kind`` beside it takes it; what was left out is as the kind has it."""
    if "kind" not in info.data:  # it was not understood: that fault is enough
        return None
    if (kind := info.data["kind"]) is None:
        if given is not None:
            raise ValueError("Parameters are those of a kind. Say which one.")
        return None
    wanted = PARAMETERS[kind]
    if wanted is None:
        if given is not None:
            raise ValueError(f"{kind.value} takes no parameters. Leave them out.")
        return None
    return wanted.model_validate({} if given is None else given)


KindParameters = Annotated[Parameters, BeforeValidator(_of_the_kind), Field(validate_default=True)]
"""The parameters of the ``kind`` that the same object says before them."""
