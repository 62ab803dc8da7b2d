"""A model that is ready to be asked, and what the runtime has to know about it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Literal, Protocol

from application.circuits import Circuit
from infrastructure.circuits import CIRCUITS


class Engine(Protocol):
    """One attempt at the model; DSPy's own protocol, with its types left out (it ships none).

    ``seeded``: it varies its answers by the request's seed alone, so give each rollout its own.
    """

    seeded: bool
    supports_response_schema: bool
    supported_params: frozenset[str]

    def complete(self, request: Any) -> Any:
        """Answer a ``dspy.lm15.Request`` with a ``dspy.lm15.Response``.

        Raises:
            dspy.lm15.LM15Error: The attempt failed.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ModelBinding:
    """An engine with the name calls are recorded under.

    ``adapter`` is how prompts are written: ``json`` with a schema for models that can be held to
    one, ``chat`` otherwise. ``cost_of`` prices a ``dspy.lm15.Response``; ``None`` is unknown.
    ``concurrency`` is how many calls at once help. Whoever shares the binding shares its
    ``circuit``. The ``fallback`` is asked where this model fails, by those who may.
    """

    engine: Engine
    model: str
    adapter: Literal["json", "chat"]
    cost_of: Callable[[Any], Decimal | None]
    concurrency: int
    circuit: Circuit = field(default_factory=Circuit)
    fallback: "ModelBinding | None" = None

    def __post_init__(self) -> None:
        """Have whoever watches this process see how the circuit stands."""
        CIRCUITS.watch(self.circuit, self.model)


class ModelError(Exception):
    """The model named by the settings cannot be used; the message says what to do."""

    code: ClassVar[str] = "model.error"


class ModelSettingIsInvalid(ModelError):
    code: ClassVar[str] = "model.setting_invalid"


class ModelKeyIsMissing(ModelError):
    code: ClassVar[str] = "model.key_missing"

    def __init__(self, model: str, setting: str = "STRATAL_LM_API_KEY") -> None:
        super().__init__(
            f"{model} needs a key, and keys of other programs are never borrowed. Set {setting}."
        )


class ModelIsMissing(ModelError):
    code: ClassVar[str] = "model.missing"


def free_of_charge(response: object) -> Decimal:
    """The price of a call that no provider bills."""
    del response
    return Decimal(0)
